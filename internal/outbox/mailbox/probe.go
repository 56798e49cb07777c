package mailbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
)

// Probe is one sign-in by which a held mailbox is tried.
type Probe struct {
	Mailbox string
	before  int // probes
}

// StartProbe begins a probe of a held mailbox, and writes the next one ahead:
// trouble on our side cannot repeat it for nothing. There is none, nil, when none
// is due.
func (b *Mailboxes) StartProbe(ctx context.Context, name string) (*Probe, error) {
	var p *Probe
	err := b.db.Write(ctx, func(t *store.Tx) error {
		m, err := Lock(t, Key(name))
		if errors.Is(err, sql.ErrNoRows) || (err == nil && !m.probeDue(t.Now)) {
			return nil
		}
		if err != nil {
			return err
		}
		p = &Probe{m.name, m.probes}
		m.probes++
		m.probeAt = b.rules.nextProbe(t.Now, m.probes)
		return m.Save(t)
	})
	if err != nil {
		return nil, fmt.Errorf("probing %s: %w", name, err)
	}
	return p, nil
}

func (m *Mailbox) probeDue(now int64) bool { return m.Held() && m.probeAt > 0 && m.probeAt <= now }

// EndProbe records how a probe ended, and returns what keeps the mailbox from
// submitting then, nil when nothing does. Accepted, the mailbox goes on: it has yet
// to show that it may submit, so the operator is told, and the row of probes ends,
// when a message is accepted. Refused, the reason is the new one. When the network
// or the server kept it from an answer, the next probe is sooner. A zero Verdict
// gives it back as if it had never been begun.
func (b *Mailboxes) EndProbe(ctx context.Context, p *Probe, accepted bool, v Verdict) (wait *WaitError, err error) {
	err = b.db.Write(ctx, func(t *store.Tx) error {
		m, err := Lock(t, p.Mailbox)
		if err != nil {
			return err
		}
		if m.Held() && m.probeAt > 0 { // it was not held or released by hand meanwhile
			m.probed(b.rules, t.Now, p, accepted, v)
		}
		wait = m.Wait(t.Now)
		return m.Save(t)
	})
	if err != nil {
		return nil, fmt.Errorf("recording the probe of %s: %w", p.Mailbox, err)
	}
	b.wake()
	return wait, nil
}

func (m *Mailbox) probed(r Rules, now int64, p *Probe, accepted bool, v Verdict) {
	said := store.Cut(v.Words(), store.Line)
	switch {
	case accepted:
		m.pause, m.pausedUntil, m.probeAt, m.pauseKind, m.pauseText = "", now, 0, "", ""
	case v.Class == "":
		m.probes, m.probeAt = p.before, now
	case v.Hold() != "":
		m.stop(v.Hold(), m.probeAt, v.Kind, said)
	case v.Class == diagnosis.ClassTransient || v.Class == diagnosis.ClassThrottled:
		m.probes = p.before
		m.probeAt = min(m.probeAt, now+max(r.Scaled(v.Pause).Milliseconds(), r.Jittered(probeAgain)))
	case m.pause == PauseServer:
		m.pauseKind, m.pauseText = v.Kind, said
	}
}
