package mailbox

import (
	"time"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// Verdict is what decided an attempt or a probe: by whom it was ended, and what that
// means. The zero value says that nothing was tried.
type Verdict struct {
	Stage smtp.Stage      // where it ended
	Class diagnosis.Class // what the failure means, "" when there was none
	Scope diagnosis.Scope // what waits for an administrator, with ClassConfiguration
	Kind  string          // its code in the catalogue
	Fault smtp.Fault      // what failed when neither server nor token endpoint said anything
	Reply smtp.Reply      // that decided; zero when none came
	Text  string          // our words when there is no reply
	Pause time.Duration   // how long the server, or the catalogue, wants a throttled mailbox to pause; 0: growing
}

// Words are the server's, or ours.
func (v *Verdict) Words() string {
	if v.Reply.IsZero() {
		return v.Text
	}
	return v.Reply.String()
}

// BeforeMail reports a failure before any mail transaction: it says nothing about
// the message.
func (v *Verdict) BeforeMail() bool {
	switch v.Stage {
	case smtp.StageConfig, smtp.StageToken, smtp.StageDial, smtp.StageGreeting,
		smtp.StageEHLO, smtp.StageStartTLS, smtp.StageAuth:
		return true
	}
	return false
}

// Hold says as what the mailbox is held at once, "" when it is not: a refused
// sign-in, and what the server says of the mailbox or the tenant. What no server
// said, a broken certificate say, passes more often than not.
func (v *Verdict) Hold() Pause {
	refused := v.Class == diagnosis.ClassConfiguration || v.Class == diagnosis.ClassPermanent
	switch {
	case v.Fault != "":
		return ""
	case v.Class == diagnosis.ClassBlocked:
		return PauseBlocked
	case v.Stage == smtp.StageToken && refused,
		v.Stage == smtp.StageAuth && refused && v.Reply.Permanent(),
		!v.BeforeMail() && v.Class == diagnosis.ClassConfiguration && v.Reply.Permanent():
		return PauseConfiguration
	}
	return ""
}

// HoldsMessage reports that the server refuses this message or its sender until an
// administrator changes something, which says nothing about other mail of the mailbox.
func (v *Verdict) HoldsMessage() bool {
	refused := v.Class == diagnosis.ClassConfiguration && v.Reply.Permanent() && v.Fault == ""
	return refused && !v.BeforeMail() && v.Scope != diagnosis.ScopeMailbox
}

// Unusable reports that the server, or what is in its place, cannot be used: a
// refusal before there was a mail transaction, a certificate, something missing,
// or what is not a reply. It says nothing about the message.
func (v *Verdict) Unusable() bool {
	switch {
	case v.Class == diagnosis.ClassConfiguration:
		return true
	case v.BeforeMail():
		return v.Class == diagnosis.ClassPermanent
	}
	outOfPlace := v.Reply.Positive() || v.Reply.Intermediate()
	return v.Class == diagnosis.ClassPermanent && v.Fault == "" && outOfPlace
}

// Wide reports a failure that another mailbox would meet as well.
func (v *Verdict) Wide() bool { return v.BeforeMail() && v.Stage != smtp.StageAuth }
