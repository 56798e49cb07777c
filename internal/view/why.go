package view

import (
	"fmt"

	"github.com/smtpsend/smtpsend/internal/outbox/mailbox"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
)

// MailReason says in words why a message waits, "" when it does not.
func MailReason(m operator.Mail) string {
	switch m.Why {
	case operator.WhyArriving:
		return "its content is still being stored"
	case operator.WhySubmitting:
		return "is being submitted"
	case operator.WhyInDoubt:
		return "held: in doubt, the server may have it"
	case operator.WhyRefused:
		return "held: something has to be fixed first: " + codeText(m.Code, m.Text)
	case operator.WhyHeld:
		return "held by the operator"
	case operator.WhyMailbox:
		return mailboxState(m.MailboxWait) + MailboxReason(m.MailboxWait)
	case operator.WhyDue:
		return "is due"
	case operator.WhyDeferred:
		return "deferred: " + m.Text
	case operator.WhyScheduled:
		return "scheduled"
	}
	return ""
}

// mailboxState begins a reason with what the mailbox is. Texts of held mailboxes
// say it themselves.
func mailboxState(w *mailbox.WaitError) string {
	switch {
	case w != nil && w.Held():
		return "the mailbox is "
	case w != nil && w.Pause != "":
		return "the mailbox is paused: "
	}
	return "the mailbox waits: "
}

// MailboxReason says in words why a mailbox waits, "" when it does not.
func MailboxReason(w *mailbox.WaitError) string {
	switch {
	case w == nil:
		return ""
	case w.Pause == "":
		return w.Text
	}
	words := map[mailbox.Pause]string{
		mailbox.PauseThrottled:     "the server asked for a pause",
		mailbox.PauseUnreachable:   "the server cannot be reached",
		mailbox.PauseServer:        "the server cannot be used",
		mailbox.PauseRefusals:      fmt.Sprintf("%d refusals of one kind in a row", w.Refusals),
		mailbox.PauseConfiguration: "held: something has to be fixed first",
		mailbox.PauseBlocked:       "held: the server has blocked the mailbox",
		mailbox.PauseOperator:      "held by the operator",
	}[w.Pause]
	if w.Pause == mailbox.PauseServer && w.Held() {
		words = "held: the server could not be used for a day"
	}
	if w.Text != "" {
		words += ": " + w.Text
	}
	return words
}
