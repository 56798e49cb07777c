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

// probe tries a held mailbox by a sign-in, without a message. It reports whether
// the mailbox goes on; then the session is kept for its first message.
func (c *courier) probe(ctx context.Context, mailbox string) bool {
	if ctx.Err() != nil {
		return false
	}
	p, err := c.sender.StartProbe(ctx, mailbox)
	switch {
	case errors.Is(err, outbox.ErrIdle), ctx.Err() != nil:
		return false
	case errors.Is(err, store.ErrBusy):
		c.trouble(err)
		return false
	case err != nil:
		c.fail(err)
		return false
	}
	end := Probed{Mailbox: mailbox}
	accepted, result := c.signIn(&end)
	end.Settled, err = c.persist(func(ctx context.Context) (outbox.Settled, error) { return c.sender.EndProbe(ctx, p, accepted, result) })
	if err != nil {
		c.fail(err)
		return false
	}
	c.o.Logger.Info("mailbox probed", "mailbox", mailbox, "accepted", accepted, "stage", result.Stage, "reply_code", result.Reply.Code,
		"enhanced", result.Reply.Enhanced.String())
	if c.o.Probed != nil {
		c.o.Probed(end)
	}
	return end.Settled.Pause == ""
}

// signIn is the probe itself. What ends for our own sake has a zero verdict.
func (c *courier) signIn(end *Probed) (accepted bool, result mailbox.Verdict) {
	sender, err := c.submitter(end.Mailbox)
	if err != nil {
		return false, settingVerdict(err)
	}
	end.Token, end.Err = sender.SignIn(c.work, time.Now().Add(probeTime))
	if end.Err == nil {
		return true, result
	}
	if c.work.Err() == nil || !end.Err.Interrupted() { // what our own end cut off is given back
		c.blame(&result, end.Err, "", end.Token)
	}
	return false, result
}

// settingVerdict is the verdict on an attempt that a setting ended.
func settingVerdict(err error) mailbox.Verdict {
	return mailbox.Verdict{Stage: smtp.StageConfig, Class: diagnosis.ClassConfiguration, Kind: KindSettings, Text: err.Error()}
}
