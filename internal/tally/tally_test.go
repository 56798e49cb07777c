package tally_test

import (
	"testing"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/mailbox"
	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/submission"
	"github.com/smtpsend/smtpsend/internal/tally"
)

// TestAMailboxThatIsReleasedMeanwhileIsNotStopped: what was submitted after all is
// no failure.
func TestAMailboxThatIsReleasedMeanwhileIsNotStopped(t *testing.T) {
	counted := tally.New(tally.Options{Config: &config.Config{}})
	c := &outbox.Claim{QID: "1", Mailbox: "a@contoso.example"}
	refused := &submission.Receipt{Attempts: []submission.Attempt{{Err: &session.Error{Stage: smtp.StageAuth, Reply: smtp.Reply{Code: 535, Lines: []string{"5.7.3 no"}}}}},
		Recipients: []smtp.Recipient{{ForwardPath: "x@contoso.example", Outcome: smtp.NotAttempted}}}
	counted.Settled(c, refused, outbox.Settled{State: outbox.Ready, Event: outbox.EventHeld, Pause: mailbox.PauseConfiguration})
	if code := counted.Sum().Ending.Code(); code != exit.NotAuthorised {
		t.Errorf("while it is held: %d", code)
	}
	accepted := &submission.Receipt{Attempts: []submission.Attempt{{}}, Recipients: []smtp.Recipient{{ForwardPath: "x@contoso.example", Outcome: smtp.Accepted}}}
	counted.Settled(c, accepted, outbox.Settled{State: outbox.Sent, Event: outbox.EventAccepted})
	if code := counted.Sum().Ending.Code(); code != exit.OK {
		t.Errorf("ends with %d", code)
	}
}
