package exit

import (
	"testing"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
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
		{[]smtp.Outcome{smtp.Accepted, smtp.Permanent, smtp.NotAttempted}, Partly},
		{[]smtp.Outcome{smtp.Permanent, smtp.NotAttempted}, Refused},
	} {
		refused := &session.Error{Stage: smtp.StageContent, Reply: smtp.Reply{Code: 554, Lines: []string{"5.3.0 no"}}}
		r := &submission.Receipt{Attempts: []submission.Attempt{{Err: refused}}}
		for _, o := range tt.outcomes {
			r.Recipients = append(r.Recipients, smtp.Recipient{Outcome: o})
		}
		if got := EndingOf(r, diagnosis.Find(refused.Symptom(), diagnosis.Facts{})).Code(); got != tt.want {
			t.Errorf("%v: exit code %d, want %d", tt.outcomes, got, tt.want)
		}
	}
}

// TestWhereSeveralOutcomesHold is the manual's table in section 7.
func TestWhereSeveralOutcomesHold(t *testing.T) {
	later, refused, stopped := []int{TryAgain}, []int{NoUser}, []int{NotAuthorised}
	for _, tt := range []struct {
		name string
		end  Ending
		want int
	}{
		{"nothing to do", Ending{}, OK},
		{"all accepted", Ending{Accepted: 3}, OK},
		{"a doubt, whatever else", Ending{Accepted: 1, Refused: 1, InDoubt: 1, Broken: Interrupted, Failures: stopped}, InDoubt},
		{"one has it, another is deferred", Ending{Accepted: 1, Open: 1, Failures: later}, Partly},
		{"one has it, another is refused", Ending{Accepted: 1, Refused: 1, Failures: refused}, Partly},
		{"one has it, the sign-in fails for the next", Ending{Accepted: 1, Open: 1, Failures: stopped}, Partly},
		{"one has it, and a signal ends the rest", Ending{Accepted: 1, Open: 1, Broken: Interrupted}, Partly},
		{"a signal before anyone has it", Ending{Open: 2, Broken: Interrupted}, Interrupted},
		{"one has it, the outbox keeps the rest", Ending{Accepted: 1, Kept: 1, Failures: later}, TryAgain},
		{"one has it, the outbox keeps the rest, which needs a person", Ending{Accepted: 1, Kept: 1, Failures: stopped}, NotAuthorised},
		{"one has it, one is lost, the outbox keeps the rest", Ending{Accepted: 1, Refused: 1, Kept: 1, Failures: later}, Partly},
		{"a signal while the outbox keeps the rest", Ending{Accepted: 1, Kept: 1, Broken: Interrupted, Failures: later}, Interrupted},
		{"something waits for a time", Ending{Accepted: 1, Kept: 1}, TryAgain},
		{"all deferred", Ending{Open: 2, Failures: later}, TryAgain},
		{"one deferred, one refused", Ending{Open: 1, Refused: 1, Failures: append(later, NoUser)}, TryAgain},
		{"one waits for a person, one for time", Ending{Kept: 2, Failures: append(later, NotAuthorised)}, NotAuthorised},
		{"all refused", Ending{Refused: 2, Failures: refused}, NoUser},
		{"all refused, and by the service", Ending{Refused: 2, Failures: []int{NoUser, Refused}}, Refused},
		{"bad certificate, kept", Ending{Kept: 1, Failures: []int{Protocol}}, Protocol},
	} {
		if got := tt.end.Code(); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
		}
	}
}
