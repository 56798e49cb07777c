package view_test

import (
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/outbox/mailbox"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/view"
)

func TestEveryWaitHasItsWords(t *testing.T) {
	later := time.Now().Add(time.Hour)
	for want, w := range map[string]*mailbox.WaitError{
		"":                                       nil,
		"limit reached: 3 recipients in 24h0m0s": {Until: later, Text: "limit reached: 3 recipients in 24h0m0s"},
		"the server asked for a pause: token endpoint: 429":                            {Until: later, Pause: mailbox.PauseThrottled, Text: "token endpoint: 429"},
		"the server cannot be reached":                                                 {Until: later, Pause: mailbox.PauseUnreachable},
		"the server cannot be used: 554 5.3.2 no service now":                          {Until: later, Pause: mailbox.PauseServer, Text: "554 5.3.2 no service now"},
		"held: the server could not be used for a day: 554 5.3.2 no service now":       {Pause: mailbox.PauseServer, Text: "554 5.3.2 no service now"},
		"5 refusals of one kind in a row: 550 5.1.1 User unknown":                      {Until: later, Pause: mailbox.PauseRefusals, Refusals: 5, Text: "550 5.1.1 User unknown"},
		"held: something has to be fixed first: 535 5.7.3 Authentication unsuccessful": {Pause: mailbox.PauseConfiguration, Text: "535 5.7.3 Authentication unsuccessful"},
		"held: the server has blocked the mailbox":                                     {Pause: mailbox.PauseBlocked},
		"held by the operator: maintenance":                                            {Pause: mailbox.PauseOperator, Text: "maintenance"},
	} {
		if got := view.MailboxReason(w); got != want {
			t.Errorf("%+v is %q, want %q", w, got, want)
		}
	}
	wait := &mailbox.WaitError{Until: later, Text: "limit reached: 3 recipients in 24h0m0s"}
	for want, m := range map[string]operator.Mail{
		"":                                       {},
		"its content is still being stored":      {Why: operator.WhyArriving},
		"is being submitted":                     {Why: operator.WhySubmitting},
		"held: in doubt, the server may have it": {Why: operator.WhyInDoubt},
		"held by the operator":                   {Why: operator.WhyHeld},
		"the mailbox waits: limit reached: 3 recipients in 24h0m0s": {Why: operator.WhyMailbox, MailboxWait: wait},
		"the mailbox is paused: the server asked for a pause": {
			Why: operator.WhyMailbox, MailboxWait: &mailbox.WaitError{Until: later, Pause: mailbox.PauseThrottled},
		},
		"the mailbox is held: the server has blocked the mailbox": {
			Why: operator.WhyMailbox, MailboxWait: &mailbox.WaitError{Pause: mailbox.PauseBlocked},
		},
		"is due":              {Why: operator.WhyDue},
		"deferred: 451 4.3.0": {Why: operator.WhyDeferred, Text: "451 4.3.0"},
		"scheduled":           {Why: operator.WhyScheduled},
	} {
		if got := view.MailReason(m); got != want {
			t.Errorf("%+v is %q, want %q", m, got, want)
		}
	}
}
