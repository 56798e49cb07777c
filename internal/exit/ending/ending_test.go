package ending_test

import (
	"testing"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/exit/ending"
	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/submission"
)

// TestRefusalOfALaterTransactionIsNoneOfAll: whoever reads 69 submits again to
// everybody.
func TestRefusalOfALaterTransactionIsNoneOfAll(t *testing.T) {
	for _, tt := range []struct {
		outcomes []smtp.Outcome
		want     int
	}{
		{[]smtp.Outcome{smtp.Accepted, smtp.Permanent, smtp.NotAttempted}, exit.Partly},
		{[]smtp.Outcome{smtp.Permanent, smtp.NotAttempted}, exit.Refused},
	} {
		refused := &session.Error{Stage: smtp.StageContent, Reply: smtp.Reply{Code: 554, Lines: []string{"5.3.0 no"}}}
		r := &submission.Receipt{Attempts: []submission.Attempt{{Err: refused}}}
		for _, o := range tt.outcomes {
			r.Recipients = append(r.Recipients, smtp.Recipient{Outcome: o})
		}
		if got := ending.OfReceipt(r, diagnosis.Find(refused.Symptom(), diagnosis.Facts{})).Code(); got != tt.want {
			t.Errorf("%v: exit code %d, want %d", tt.outcomes, got, tt.want)
		}
	}
}

// TestWhereSeveralOutcomesHold is the manual's table in section 7.
func TestWhereSeveralOutcomesHold(t *testing.T) {
	later, refused, stopped := []int{exit.TryAgain}, []int{exit.NoUser}, []int{exit.NotAuthorised}
	for _, tt := range []struct {
		name string
		end  ending.Ending
		want int
	}{
		{"nothing to do", ending.Ending{}, exit.OK},
		{"all accepted", ending.Ending{Accepted: 3}, exit.OK},
		{"a doubt, whatever else", ending.Ending{Accepted: 1, Refused: 1, InDoubt: 1, Broken: exit.Interrupted, Failures: stopped}, exit.InDoubt},
		{"one has it, another is deferred", ending.Ending{Accepted: 1, Open: 1, Failures: later}, exit.Partly},
		{"one has it, another is refused", ending.Ending{Accepted: 1, Refused: 1, Failures: refused}, exit.Partly},
		{"one has it, the sign-in fails for the next", ending.Ending{Accepted: 1, Open: 1, Failures: stopped}, exit.Partly},
		{"one has it, and a signal ends the rest", ending.Ending{Accepted: 1, Open: 1, Broken: exit.Interrupted}, exit.Partly},
		{"a signal before anyone has it", ending.Ending{Open: 2, Broken: exit.Interrupted}, exit.Interrupted},
		{"one has it, the outbox keeps the rest", ending.Ending{Accepted: 1, Kept: 1, Failures: later}, exit.TryAgain},
		{"one has it, the outbox keeps the rest, which needs a person", ending.Ending{Accepted: 1, Kept: 1, Failures: stopped}, exit.NotAuthorised},
		{"one has it, one is lost, the outbox keeps the rest", ending.Ending{Accepted: 1, Refused: 1, Kept: 1, Failures: later}, exit.Partly},
		{"a signal while the outbox keeps the rest", ending.Ending{Accepted: 1, Kept: 1, Broken: exit.Interrupted, Failures: later}, exit.Interrupted},
		{"something waits for a time", ending.Ending{Accepted: 1, Kept: 1}, exit.TryAgain},
		{"all deferred", ending.Ending{Open: 2, Failures: later}, exit.TryAgain},
		{"one deferred, one refused", ending.Ending{Open: 1, Refused: 1, Failures: append(later, exit.NoUser)}, exit.TryAgain},
		{"one waits for a person, one for time", ending.Ending{Kept: 2, Failures: append(later, exit.NotAuthorised)}, exit.NotAuthorised},
		{"all refused", ending.Ending{Refused: 2, Failures: refused}, exit.NoUser},
		{"all refused, and by the service", ending.Ending{Refused: 2, Failures: []int{exit.NoUser, exit.Refused}}, exit.Refused},
		{"bad certificate, kept", ending.Ending{Kept: 1, Failures: []int{exit.Protocol}}, exit.Protocol},
	} {
		if got := tt.end.Code(); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}
