package outbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/smtpsend/smtpsend/internal/backoff"
	"github.com/smtpsend/smtpsend/internal/outbox/store"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
)

// Probe is one sign-in by which a held mailbox is tried.
type Probe struct {
	Mailbox string
	before  int // probes
}

// nextProbe is when a mailbox is tried next that was tried n times: after 30
// minutes, 1, 2, then each 4 hours. The row goes on until a message is accepted,
// also when probes were and the messages after them were not.
func (ob *Outbox) nextProbe(now int64, n int) int64 {
	return now + ob.jittered(backoff.Doubling(firstProbe, longestProbe, n+1))
}

// StartProbe begins a probe of a held mailbox, and writes the next one ahead:
// trouble on our side cannot repeat it for nothing. The error is ErrIdle when none
// is due.
func (s *Sender) StartProbe(ctx context.Context, mailbox string) (*Probe, error) {
	var p *Probe
	err := s.ob.db.Write(ctx, func(t *store.Tx) error {
		box, err := lockMailbox(t, mailboxKey(mailbox))
		if errors.Is(err, sql.ErrNoRows) || (err == nil && !box.probeDue(t.Now)) {
			return nil
		}
		if err != nil {
			return err
		}
		p = &Probe{box.name, box.probes}
		box.probes++
		box.probeAt = s.ob.nextProbe(t.Now, box.probes)
		return saveMailbox(t, box)
	})
	if err != nil {
		return nil, fmt.Errorf("probing %s: %w", mailbox, err)
	}
	if p == nil {
		return nil, ErrIdle
	}
	return p, nil
}

func (m *mailbox) probeDue(now int64) bool { return m.held() && m.probeAt > 0 && m.probeAt <= now }

// EndProbe records how a probe ended. Accepted, the mailbox goes on: it has yet to
// show that it may submit, so the operator is told, and the row of probes ends,
// when a message is accepted. Refused, the reason is the new one. When the network
// or the server kept it from an answer, the next probe is sooner. A zero Result
// gives it back as if it had never been begun.
func (s *Sender) EndProbe(ctx context.Context, p *Probe, accepted bool, r Result) (Settled, error) {
	var out Settled
	err := s.ob.db.Write(ctx, func(t *store.Tx) error {
		box, err := lockMailbox(t, p.Mailbox)
		if err != nil {
			return err
		}
		if box.held() && box.probeAt > 0 { // nobody held or released it meanwhile
			s.ob.settleProbe(box, t.Now, p, accepted, &r)
		}
		out.mailbox(box, t.Now)
		return saveMailbox(t, box)
	})
	if err != nil {
		return Settled{}, fmt.Errorf("recording the probe of %s: %w", p.Mailbox, err)
	}
	s.ob.signal()
	return out, nil
}

func (ob *Outbox) settleProbe(box *mailbox, now int64, p *Probe, accepted bool, r *Result) {
	switch {
	case accepted:
		box.pause, box.pausedUntil, box.probeAt, box.pauseKind, box.pauseText = "", now, 0, "", ""
	case r.Class == "":
		box.probes, box.probeAt = p.before, now
	case r.stops() != "":
		box.stop(r.stops(), box.probeAt, r.Kind, cut(r.words(), maxLast))
	case r.Class == diagnosis.ClassTransient || r.Class == diagnosis.ClassThrottled:
		box.probes = p.before
		box.probeAt = min(box.probeAt, now+max(ob.scaled(r.Pause).Milliseconds(), ob.jittered(probeAgain)))
	case box.pause == PauseServer:
		box.pauseKind, box.pauseText = r.Kind, cut(r.words(), maxLast)
	}
}
