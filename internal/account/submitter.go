package account

import (
	"context"
	"time"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/submission"
)

// Submitter submits mail objects one after another, each as the mailbox of its
// reverse-path, over one session for all in a row from one mailbox. It is for one
// goroutine; Close it at the end.
type Submitter struct {
	account *Account
	sender  *submission.Sender // nil before the first
	mailbox string             // of sender
}

// NewSubmitter returns a Submitter, which connects when there is something to submit.
func (a *Account) NewSubmitter() *Submitter { return &Submitter{account: a} }

// Submit submits m as submission.Sender does, in so many attempts at most (0: as many
// as fit). All up to the final dot is bounded by timeout and by the deadline of ctx,
// which so makes no doubt. Waits for another attempt are logged. The error is that of
// Account.Session.
func (s *Submitter) Submit(ctx context.Context, m *mailobject.Mail, timeout time.Duration, attempts int) (*submission.Receipt, error) {
	deadline := time.Now().Add(timeout)
	if d, ok := ctx.Deadline(); ok && d.Before(deadline) {
		deadline = d
	}
	if mailbox := m.Envelope.ReversePath; s.sender == nil || s.mailbox != mailbox {
		o, err := s.account.Session(mailbox)
		if err != nil {
			return nil, err
		}
		s.Close()
		s.sender, s.mailbox = submission.NewSender(o), mailbox
	}
	return s.sender.Submit(ctx, m, submission.Policy{Deadline: deadline, Attempts: attempts, Waiting: func(wait time.Duration, because diagnosis.Finding) {
		s.account.opts.Logger.Info("waiting for another attempt", "wait", wait, "finding", because.Code, "mail_id", m.MessageID)
	}}), nil
}

// Close ends the session, if there is one.
func (s *Submitter) Close() {
	if s.sender != nil {
		s.sender.Close()
	}
}
