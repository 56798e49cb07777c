package courier

import (
	"context"
	"errors"
	"io"
	"time"

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

// worker submits the messages of one mailbox.
type worker struct {
	mailbox  string
	o        Options
	box      *outbox.Outbox
	sender   *outbox.Sender
	work     context.Context // ends Grace after the run's own
	sessions *sessions
	failures *failures
	recorder recorder
}

// serve submits due messages, up to a quantum. Of a mailbox that was held it is the
// first message alone: the sign-in was accepted, the mail may not be.
func (w *worker) serve(ctx context.Context, held bool) {
	quantum := w.o.Quantum
	if held {
		if !w.probe(ctx) {
			return
		}
		quantum = 1
	}
	for taken := 0; taken < quantum; {
		n, goOn := w.round(ctx, quantum-taken)
		if n == 0 || !goOn {
			return
		}
		taken += n
	}
}

// round submits due messages, at most so many, until there is none
// just now. It returns how many it took and whether the mailbox may go on.
func (w *worker) round(ctx context.Context, most int) (taken int, goOn bool) {
	first := w.claim(ctx)
	if first == nil {
		return 0, false
	}
	sender, err := w.sessions.of(w.mailbox)
	if err != nil {
		return 1, w.finish(first, nil, outbox.Result{Verdict: settingVerdict(err)}) && ctx.Err() == nil
	}
	var claimed []*job // in the order of their turns
	mails := func(yield func(*mailobject.Mail) bool) {
		for j := first; j != nil; j = w.claim(ctx) {
			claimed, taken = append(claimed, j), taken+1
			if !yield(j.mail) || taken == most {
				return
			}
		}
	}
	policy := func(*mailobject.Mail) submission.Policy { return w.policy(claimed[0]) }
	goOn = true
	for _, receipt := range sender.SubmitAll(w.work, mails, policy) {
		done := claimed[0]
		claimed = claimed[1:]
		if goOn = w.finish(done, receipt, w.resultOf(done, receipt)) && ctx.Err() == nil; !goOn {
			break
		}
	}
	for _, j := range claimed {
		w.giveBack(j)
	}
	return taken, goOn
}

// claim takes the next due message, nil when there is none or the mailbox has
// to wait.
func (w *worker) claim(ctx context.Context) *job {
	if ctx.Err() != nil {
		return nil
	}
	claim, err := w.sender.Claim(ctx, w.mailbox)
	if err != nil {
		var wait *mailbox.WaitError
		switch {
		case errors.Is(err, outbox.ErrIdle), errors.As(err, &wait), ctx.Err() != nil:
		case errors.Is(err, store.ErrBusy):
			w.failures.passing(err)
		default:
			w.failures.add(err)
		}
		return nil
	}
	return &job{claim: claim, mail: &mailobject.Mail{
		Envelope: claim.Envelope, MessageID: claim.MessageID,
		Content: mailobject.Stored(claim.Size, claim.EightBit, func() (io.ReadCloser, error) { return w.box.Body(w.work, claim.QID) }),
	}}
}

// giveBack returns a claim as if it had never been taken.
func (w *worker) giveBack(j *job) {
	if _, err := w.recorder.attempt(j.claim, outbox.Result{}); err != nil {
		w.failures.add(err)
	}
}

// policy is one attempt, in a time that goes with the size.
func (w *worker) policy(j *job) submission.Policy {
	timeout := w.o.Timeout + time.Duration(j.claim.Size/slowest)*time.Second
	return submission.Policy{
		Attempts: 1, Deadline: time.Now().Add(timeout), BeforeContent: func(ctx context.Context) error { return w.allow(ctx, j) },
	}
}

// slowest is the octets a second that a message may need at least: a large one
// that does not arrive in time over a slow line never would.
const slowest = 32 << 10

// allow asks the outbox, once for all transactions of a message.
func (w *worker) allow(ctx context.Context, j *job) error {
	if j.allowed {
		return nil
	}
	err := w.sender.AllowData(ctx, j.claim)
	j.allowed, j.kept = err == nil, err != nil
	return err
}

// finish records an attempt.
func (w *worker) finish(j *job, receipt *submission.Receipt, result outbox.Result) bool {
	settled, err := w.recorder.attempt(j.claim, result)
	if err != nil {
		w.failures.add(err)
		return false
	}
	w.o.Logger.Info("attempt recorded", "stage", result.Stage, "mail_id", j.claim.QID, "attempt", j.claim.Attempt,
		"reply_code", result.Reply.Code, "enhanced", result.Reply.Enhanced.String(), "state", settled.State)
	if w.o.Settled != nil {
		w.o.Settled(j.claim, receipt, settled)
	}
	return settled.Pause == ""
}

// resultOf is a receipt in the outbox's terms.
func (w *worker) resultOf(j *job, r *submission.Receipt) outbox.Result {
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
	w.blame(&res.Verdict, e, to, r.Token)
	if errors.Is(e, spool.ErrDamaged) {
		giveUp(&res)
	}
	return res
}

// blame says in res what e means. Of a message that others have, to is who lacks
// it; that says nothing about the mailbox.
func (w *worker) blame(res *mailbox.Verdict, e *session.Error, to string, token bearer.Token) {
	symptom := e.Symptom()
	if w.o.Claims != nil {
		symptom.Claims = w.o.Claims(token)
	}
	finding := diagnosis.Find(symptom, diagnosis.Facts{})
	res.Kind, res.Reply = finding.Code, e.Reply
	if to != "" {
		return
	}
	res.Stage, res.Class, res.Fault = e.Stage, finding.Class, symptom.Fault
	if entry, known := diagnosis.Lookup(finding.Code); known {
		res.Scope = entry.Holds
	}
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
