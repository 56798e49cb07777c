package courier

import (
	"context"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/notice"
	"github.com/smtpsend/smtpsend/internal/printable"
)

// Incident is a notice as a program reads it.
type Incident struct {
	SchemaVersion int             `json:"schema_version"` // 1; grows when a member changes its meaning
	Kind          string          `json:"kind"`           // held, paused, resumed, message_held, dead, in_doubt, ends_soon or ended
	Summary       string          `json:"summary"`        // in a few words
	At            time.Time       `json:"at"`
	Mailbox       string          `json:"mailbox"`            // "" of ends_soon and ended
	QueueID       string          `json:"queue_id,omitempty"` // of the message that it is about
	Sender        string          `json:"sender,omitempty"`   // of message_held: the address in its From
	Since         *time.Time      `json:"since,omitempty"`    // when the mailbox began to pause
	NextTry       *time.Time      `json:"next_try,omitempty"` // when a paused mailbox goes on, or a held one is tried by a sign-in
	Waiting       int             `json:"waiting"`            // messages that wait in the mailbox
	Code          string          `json:"code,omitempty"`     // of the catalogue: smtpsend explain CODE
	Title         string          `json:"title,omitempty"`
	Cause         string          `json:"cause,omitempty"`
	Said          string          `json:"said,omitempty"` // the server's words, or ours, on one line
	Fixes         []diagnosis.Fix `json:"fixes,omitempty"`
	Release       string          `json:"release,omitempty"` // the command that makes the mailbox, or the message, go on at once
}

// told is how Notify ended.
type told struct {
	notice notice.Notice
	err    error
}

// notifyPause is how long after a failure no other notice is tried: what failed is
// the command rather than the notice.
const notifyPause = time.Minute

// maxTold is how many notices a run that only submits what is due tells: a batch
// with thousands of refused rows is not to keep it from its end. The next run goes
// on.
const maxTold = 100

// tell runs Notify for the oldest notice that has not gone this road, beside
// everything else: submitting never waits for it.
func (n *notifier) tell(ctx context.Context) error {
	if n.telling || time.Now().Before(n.tellAfter) || (n.o.Due && n.count >= maxTold) {
		return nil
	}
	notices, err := n.box.Notices().List(ctx, notice.RoadCommand, maxNotices)
	if err != nil || len(notices) == 0 {
		return err
	}
	if n.o.Notify == nil {
		return n.box.Notices().Done(ctx, notice.RoadCommand, notices)
	}
	incident, err := n.incident(ctx, notices[0])
	if err != nil {
		return err
	}
	n.telling = true
	n.count++
	go func() { n.told <- told{notices[0], n.o.Notify(ctx, incident)} }()
	return nil
}

// heard records how Notify ended. What our own end cut off is told by the next run.
func (n *notifier) heard(ctx context.Context, t told) error {
	n.telling = false
	list := []notice.Notice{t.notice}
	switch {
	case t.err == nil:
		err := n.box.Notices().Done(context.WithoutCancel(ctx), notice.RoadCommand, list)
		if err != nil {
			n.tellAfter = time.Now().Add(notifyPause) // it would be told again at once
		}
		return err
	case ctx.Err() != nil:
		return nil
	}
	n.tellAfter = time.Now().Add(notifyPause)
	if n.o.Unnotified != nil {
		n.o.Unnotified(t.err)
	}
	return n.box.Notices().Later(ctx, notice.RoadCommand, list)
}

// incident is a notice with what the catalogue knows of it.
func (n *notifier) incident(ctx context.Context, of notice.Notice) (Incident, error) {
	i := Incident{
		SchemaVersion: 1, Kind: strings.ReplaceAll(string(of.Kind), " ", "_"), Summary: summary(of), At: of.At, Mailbox: of.Mailbox,
		QueueID: string(of.QID), Sender: printable.Line(of.Sender), Since: orNil(of.Since), NextTry: orNil(of.Next), Code: of.Code, Said: printable.Line(of.Text),
	}
	switch of.Kind {
	case notice.Held, notice.Paused:
		i.Release = ReleaseCommand(of.Mailbox)
	case notice.MessageHeld:
		i.Release = ReleaseMessageCommand(of.QID)
	}
	if f, known := n.finding(of); known {
		i.Title, i.Cause, i.Fixes = f.Title, f.Cause, f.Fixes
	}
	if of.Mailbox == "" {
		return i, nil
	}
	waiting, err := n.box.Waiting(ctx, of.Mailbox)
	i.Waiting = waiting[of.Mailbox].Counts[outbox.Ready]
	return i, err
}

func orNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}
