package courier

import (
	"context"
	"errors"
	"time"

	"github.com/smtpsend/smtpsend/internal/bearer"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/mailbox"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// probeTime bounds a probe: a token, a connection and AUTH.
const probeTime = 2 * time.Minute

// Probed is how a probe of a held mailbox ended.
type Probed struct {
	Mailbox string
	Err     *session.Error // nil when the sign-in was accepted, or nothing was tried
	Token   bearer.Token   // that it was tried with
	Settled outbox.Settled
}

// probe tries the held mailbox by a sign-in, without a message. It reports whether
// the mailbox goes on; then the session is kept for its first message.
func (w *worker) probe(ctx context.Context) bool {
	if ctx.Err() != nil {
		return false
	}
	p, err := w.sender.StartProbe(ctx, w.mailbox)
	switch {
	case errors.Is(err, outbox.ErrIdle), ctx.Err() != nil:
		return false
	case errors.Is(err, store.ErrBusy):
		w.failures.passing(err)
		return false
	case err != nil:
		w.failures.add(err)
		return false
	}
	end := Probed{Mailbox: w.mailbox}
	accepted, result := w.signIn(&end)
	end.Settled, err = w.recorder.write(func(ctx context.Context) (outbox.Settled, error) { return w.sender.EndProbe(ctx, p, accepted, result) })
	if err != nil {
		w.failures.add(err)
		return false
	}
	w.o.Logger.Info("mailbox probed", "mailbox", w.mailbox, "accepted", accepted, "stage", result.Stage, "reply_code", result.Reply.Code,
		"enhanced", result.Reply.Enhanced.String())
	if w.o.Probed != nil {
		w.o.Probed(end)
	}
	return end.Settled.Pause == ""
}

// signIn is the probe itself. What ends for our own sake has a zero verdict.
func (w *worker) signIn(end *Probed) (accepted bool, result mailbox.Verdict) {
	sender, err := w.sessions.of(w.mailbox)
	if err != nil {
		return false, settingVerdict(err)
	}
	end.Token, end.Err = sender.SignIn(w.work, time.Now().Add(probeTime))
	if end.Err == nil {
		return true, result
	}
	if w.work.Err() == nil || !end.Err.Interrupted() { // what our own end cut off is given back
		w.blame(&result, end.Err, "", end.Token)
	}
	return false, result
}

// settingVerdict is the verdict on an attempt that a setting ended.
func settingVerdict(err error) mailbox.Verdict {
	return mailbox.Verdict{Stage: smtp.StageConfig, Class: diagnosis.ClassConfiguration, Kind: KindSettings, Text: err.Error()}
}
