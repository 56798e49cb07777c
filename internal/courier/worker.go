package courier

import (
	"context"
	"errors"
	"io"
	"time"

	"github.com/smtpsend/smtpsend/internal/backoff"
	"github.com/smtpsend/smtpsend/internal/bearer"
	"github.com/smtpsend/smtpsend/internal/outbox/mailbox"
	"github.com/smtpsend/smtpsend/internal/outbox/spool"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
	"github.com/smtpsend/smtpsend/internal/session"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/submission"
)

// Kinds of failures that the catalogue does not have, because no server and no
// network is at fault.
const (
	KindSettings = "configuration"   // the settings cannot be used
	KindDamaged  = "content-damaged" // what the outbox keeps of the message is not what it took
)

// job is a claimed message and its mail object.
type job struct {
	claim   *outbox.Claim
	mail    *mailobject.Mail
	allowed bool // its content may go out, and is counted
	kept    bool // it was not allowed to go out: nothing is wrong with it
}

// serve submits due messages of one mailbox, up to a quantum. Of one that was held
// it is the first message alone: the sign-in was accepted, the mail may not be.
func (c *courier) serve(ctx context.Context, due outbox.Due) {
	mailbox, quantum := due.Mailbox, c.o.Quantum
	if due.Probe {
		if !c.probe(ctx, mailbox) {
			return
		}
		quantum = 1
	}
	for taken := 0; taken < quantum; {
		n, goOn := c.round(ctx, mailbox, quantum-taken)
		if n == 0 || !goOn {
			return
		}
		taken += n
	}
}

// round submits due messages of a mailbox, at most so many, until there is none
// just now. It returns how many it took and whether the mailbox may go on.
func (c *courier) round(ctx context.Context, mailbox string, most int) (taken int, goOn bool) {
	first := c.claim(ctx, mailbox)
	if first == nil {
		return 0, false
	}
	sender, err := c.submitter(mailbox)
	if err != nil {
		return 1, c.finish(first, nil, outbox.Result{Verdict: settingVerdict(err)}) && ctx.Err() == nil
	}
	var claimed []*job // in the order of their turns
	mails := func(yield func(*mailobject.Mail) bool) {
		for j := first; j != nil; j = c.claim(ctx, mailbox) {
			claimed, taken = append(claimed, j), taken+1
			if !yield(j.mail) || taken == most {
				return
			}
		}
	}
	policy := func(*mailobject.Mail) submission.Policy { return c.policy(claimed[0]) }
	goOn = true
	for _, receipt := range sender.SubmitAll(c.work, mails, policy) {
		done := claimed[0]
		claimed = claimed[1:]
		if goOn = c.finish(done, receipt, c.resultOf(done, receipt)) && ctx.Err() == nil; !goOn {
			break
		}
	}
	for _, j := range claimed {
		c.giveBack(j)
	}
	return taken, goOn
}

// claim takes the next due message, nil when there is none or the mailbox has
// to wait.
func (c *courier) claim(ctx context.Context, name string) *job {
	if ctx.Err() != nil {
		return nil
	}
	claim, err := c.sender.Claim(ctx, name)
	if err != nil {
		var wait *mailbox.WaitError
		switch {
		case errors.Is(err, outbox.ErrIdle), errors.As(err, &wait), ctx.Err() != nil:
		case errors.Is(err, store.ErrBusy):
			c.trouble(err)
		default:
			c.fail(err)
		}
		return nil
	}
	return &job{claim: claim, mail: &mailobject.Mail{
		Envelope: claim.Envelope, MessageID: claim.MessageID,
		Content: mailobject.Stored(claim.Size, claim.EightBit, func() (io.ReadCloser, error) { return c.box.Body(c.work, claim.QID) }),
	}}
}

// giveBack returns a claim as if it had never been taken.
func (c *courier) giveBack(j *job) {
	if _, err := c.record(j, outbox.Result{}); err != nil {
		c.fail(err)
	}
}

// policy is one attempt, in a time that goes with the size.
func (c *courier) policy(j *job) submission.Policy {
	timeout := c.o.Timeout + time.Duration(j.claim.Size/slowest)*time.Second
	return submission.Policy{
		Attempts: 1, Deadline: time.Now().Add(timeout), BeforeContent: func(ctx context.Context) error { return c.allow(ctx, j) },
	}
}

// slowest is the octets a second that a message may need at least: a large one
// that does not arrive in time over a slow line never would.
const slowest = 32 << 10

// allow asks the outbox, once for all transactions of a message.
func (c *courier) allow(ctx context.Context, j *job) error {
	if j.allowed {
		return nil
	}
	err := c.sender.AllowData(ctx, j.claim)
	j.allowed, j.kept = err == nil, err != nil
	return err
}

// recordTime is how long writing down the outcome of an attempt is tried, every
// recordAgain, while the disk is full or another program has the outbox locked:
// what is not written down is in doubt, although it is known.
const (
	recordTime  = 10 * time.Minute
	recordAgain = time.Second
)

// record writes down the outcome of an attempt.
func (c *courier) record(j *job, result outbox.Result) (outbox.Settled, error) {
	return c.persist(func(ctx context.Context) (outbox.Settled, error) { return c.sender.Finish(ctx, j.claim, result) })
}

// persist writes something down. It outlives the end of the work by one try: what
// was cut off has to be recorded as what it is, in doubt.
func (c *courier) persist(write func(context.Context) (outbox.Settled, error)) (outbox.Settled, error) {
	for start := time.Now(); ; {
		settled, err := write(context.WithoutCancel(c.work))
		passing := errors.Is(err, store.ErrBusy) || errors.Is(err, store.ErrFull)
		if !passing || time.Since(start) > recordTime || c.work.Err() != nil {
			return settled, err
		}
		c.trouble(err)
		_ = backoff.Sleep(c.work, recordAgain) // one more try follows when the work ends
	}
}

// finish records an attempt.
func (c *courier) finish(j *job, receipt *submission.Receipt, result outbox.Result) bool {
	settled, err := c.record(j, result)
	if err != nil {
		c.fail(err)
		return false
	}
	c.o.Logger.Info("attempt recorded", "stage", result.Stage, "mail_id", j.claim.QID, "attempt", j.claim.Attempt,
		"reply_code", result.Reply.Code, "enhanced", result.Reply.Enhanced.String(), "state", settled.State)
	if c.o.Settled != nil {
		c.o.Settled(j.claim, receipt, settled)
	}
	return settled.Pause == ""
}

// resultOf is a receipt in the outbox's terms.
func (c *courier) resultOf(j *job, r *submission.Receipt) outbox.Result {
	res := outbox.Result{Verdict: mailbox.Verdict{Reply: r.Reply}, Took: r.Took, ServerID: r.QueueID}
	for _, rcpt := range r.Recipients {
		o := outbox.Recipient{Recipient: rcpt}
		if rcpt.Outcome == smtp.Transient || rcpt.Outcome == smtp.Permanent {
			o.Class = diagnosis.Find(session.SymptomOf(rcpt), diagnosis.Facts{}).Class
		}
		res.Recipients = append(res.Recipients, o)
	}
	e, to := r.Failure()
	if e == nil || ((j.kept || e.Interrupted()) && r.Count(smtp.InDoubt) == 0) { // it ended for our own sake
		return res
	}
	c.blame(&res.Verdict, e, to, r.Token)
	if errors.Is(e, spool.ErrDamaged) {
		giveUp(&res)
	}
	return res
}

// blame says in res what e means. Of a message that others have, to is who lacks
// it; that says nothing about the mailbox.
func (c *courier) blame(res *mailbox.Verdict, e *session.Error, to string, token bearer.Token) {
	symptom := e.Symptom()
	if c.o.Claims != nil {
		symptom.Claims = c.o.Claims(token)
	}
	finding := diagnosis.Find(symptom, diagnosis.Facts{})
	res.Kind, res.Reply = finding.Code, e.Reply
	if to != "" {
		return
	}
	res.Stage, res.Class, res.Fault = e.Stage, finding.Class, symptom.Fault
	if e.Reply.IsZero() && e.Err != nil {
		res.Text = e.Err.Error()
	}
}

// giveUp is for a message whose content is damaged: another attempt would end the
// same.
func giveUp(res *outbox.Result) {
	res.Class, res.Kind = diagnosis.ClassPermanent, KindDamaged
	for i, rcpt := range res.Recipients {
		if rcpt.Outcome.Open() {
			res.Recipients[i].Outcome, res.Recipients[i].Class = smtp.Permanent, diagnosis.ClassPermanent
		}
	}
}
