package submission_test

import (
	"slices"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/submission"
)

// A session that was used before ends within a message, after one of its
// transactions: those recipients have the message.
func TestSessionThatEndsBetweenTransactionsOfAMessageMakesNoDuplicate(t *testing.T) {
	const later = "421 4.7.0 too many messages on this connection"
	for name, s := range map[string]*server{
		"DATA":       {maxRcpt: 1, sayOnce: map[string][]string{"mail": {"250 ok", "250 ok", later}}},
		"BDAT":       chunking(&server{maxRcpt: 1, sayOnce: map[string][]string{"mail": {"250 ok", "250 ok", later}}}),
		"BDAT, RSET": chunking(&server{maxRcpt: 1, rcpt: map[string]string{"x@contoso.example": "550 5.1.1 unknown"}, sayOnce: map[string][]string{"mail": {"250 ok", "250 ok", later}}}),
	} {
		t.Run(name, func(t *testing.T) {
			sender := submission.NewSender(setup(t, s))
			defer sender.Close()
			allAccepted(t, []*submission.Receipt{sender.Submit(t.Context(), compose(t, "first@contoso.example"), once)})
			r := sender.Submit(t.Context(), compose(t, "a@contoso.example", "b@contoso.example"), submission.Policy{Attempts: 3, FirstWait: time.Millisecond})
			allAccepted(t, []*submission.Receipt{r})
			var to []string
			for _, m := range s.stored() {
				to = append(to, m.to...)
			}
			if want := []string{"first@contoso.example", "a@contoso.example", "b@contoso.example"}; !slices.Equal(to, want) {
				t.Errorf("stored for %q, want %q", to, want)
			}
		})
	}
}

// A refusal too many before the reply to BDAT, and a 421 that does not end the
// connection: what the server stored must not be submitted again.
func TestRepliesOutOfStepMakeNoDuplicateWithBDAT(t *testing.T) {
	const a, b = "a@contoso.example", "b@contoso.example"
	for name, s := range map[string]*server{
		"503 too many before":           {sayOnce: map[string][]string{"rcpt": {"250 2.1.5 ok", "250 2.1.5 ok\r\n503 5.5.1 stray"}}},
		"500 too many before":           {sayOnce: map[string][]string{"rcpt": {"250 2.1.5 ok", "250 2.1.5 ok\r\n500 5.5.1 stray"}}},
		"503 too many, half a reply":    {halfAt: "bdat", sayOnce: map[string][]string{"rcpt": {"250 2.1.5 ok\r\n503 5.5.1 stray"}}},
		"two refusals too many before":  {sayOnce: map[string][]string{"mail": {"250 2.1.0 ok\r\n451 stray\r\n451 stray\r\n451 stray"}}},
		"421 after RCPT, then more":     {sayOnce: map[string][]string{"rcpt": {"250 2.1.5 ok", "250 2.1.5 ok\r\n421 4.3.2 leaving"}}},
		"421 to a RCPT, then more":      {stays: true, rcpt: map[string]string{b: "421 4.3.2 wait"}},
		"421 to the first RCPT":         {stays: true, rcpt: map[string]string{a: "421 4.3.2 wait"}},
		"421 to the content, then more": {stays: true, sayOnce: map[string][]string{"bdat": {"421 4.3.2 wait"}}},
		"421 to MAIL, then more":        {stays: true, sayOnce: map[string][]string{"mail": {"421 4.3.2 wait"}}},
	} {
		t.Run(name, func(t *testing.T) {
			s := chunking(s)
			sender := submission.NewSender(setup(t, s))
			defer sender.Close()
			r := sender.Submit(t.Context(), compose(t, a, b), submission.Policy{Attempts: 3, FirstWait: time.Millisecond})
			got := map[string]int{}
			for _, m := range s.stored() {
				for _, to := range m.to {
					got[to]++
				}
			}
			for _, rcpt := range r.Recipients {
				isTrue := (rcpt.Outcome == smtp.Accepted) == (got[rcpt.ForwardPath] == 1)
				mayBe := isTrue || rcpt.Outcome == smtp.InDoubt
				if got[rcpt.ForwardPath] > 1 || !mayBe {
					t.Errorf("%s is %s and stored %d times; err %v", rcpt.ForwardPath, rcpt.Outcome, got[rcpt.ForwardPath], r.Err())
				}
			}
		})
	}
}
