package sendmail

import (
	"fmt"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/printable"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/smtpserver"
	"github.com/smtpsend/smtpsend/internal/submission"
	"github.com/smtpsend/smtpsend/internal/view"
)

// replyTo is what the client hears.
func replyTo(shown view.Receipt, r *submission.Receipt) smtpserver.Reply {
	switch accepted := r.Count(smtp.Accepted); {
	case r.AllAccepted():
		return smtpserver.Say(250, passedOn(r.Reply)...)
	case shown.ExitCode == exit.OK:
		return smtpserver.Say(250, "2.0.0 queued as "+shown.OutboxID)
	case accepted+shown.Queued > 0:
		return smtpserver.Say(250, partly(shown, accepted)...)
	case r.Count(smtp.InDoubt) > 0:
		// 4yz would make the client submit it again, perhaps a second time.
		return smtpserver.Say(554, "5.4.2 In doubt: the server may have the message, its reply to the final dot did not come")
	}
	said := refusal(r)
	transient := shown.ExitCode == exit.TryAgain || shown.ExitCode == exit.Interrupted
	code, enhanced := 554, "5.3.0"
	if transient {
		code, enhanced = 451, "4.3.0"
	}
	final := said.Permanent() && !transient
	passing := said.Transient() && transient && said.Code != 421 // which would end the client's session
	if final || passing {
		return smtpserver.Say(said.Code, passedOn(said)...)
	}
	text := shown.Summary
	if shown.Finding != nil {
		text = shown.Finding.Title
	}
	if shown.Said != "" {
		text += ": " + shown.Said
	}
	return smtpserver.Say(code, enhanced+" "+view.AtMost(printable.Line(text), 400))
}

// partly are the lines of a reply that is right for some of the recipients.
func partly(shown view.Receipt, accepted int) []string {
	lines := []string{fmt.Sprintf("2.0.0 Accepted for %d of %d", accepted, len(shown.Recipients))}
	if shown.Queued > 0 {
		lines = append(lines, fmt.Sprintf("2.0.0 Queued for %d as %s", shown.Queued, shown.OutboxID))
	}
	for _, rcpt := range shown.Recipients {
		queued := shown.Queued > 0 && rcpt.Outcome.Open()
		if rcpt.Outcome != smtp.Accepted && !queued {
			lines = append(lines, printable.Line(fmt.Sprintf("2.0.0 %s: %s %s", rcpt.Outcome.Word(), rcpt.ForwardPath, rcpt.Reply)))
		}
	}
	return lines
}

// passedOn are the lines of a server's reply for another client, which may show
// them and need not take more than SMTP allows in a line.
func passedOn(r smtp.Reply) []string {
	lines := make([]string, len(r.Lines))
	for i, line := range r.Lines {
		lines[i] = view.AtMost(printable.Line(line), 400)
	}
	return lines
}

// refusal is the server's reply that decided, zero when none came.
func refusal(r *submission.Receipt) smtp.Reply {
	if e := r.Err(); e != nil && !e.Reply.IsZero() {
		return e.Reply
	}
	for _, rcpt := range r.Recipients {
		if !rcpt.Reply.IsZero() {
			return rcpt.Reply
		}
	}
	return smtp.Reply{}
}
