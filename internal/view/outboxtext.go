package view

import (
	"fmt"
	"math"
	"strconv"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/courier"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/exchange"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/printable"
	"github.com/smtpsend/smtpsend/internal/stdio"
)

// Print writes a table that fits the terminal: the last column, which is the longest,
// is cut.
func (v Mails) Print(p *stdio.Printer) {
	if len(v.list) == 0 {
		p.Printf("no messages\n")
		return
	}
	t := stdio.NewTable(p, "QUEUE ID", "STATE", "MAILBOX", "TO", "SIZE", "TRIES", "AGE", "WHY IT WAITS")
	now := time.Now()
	for _, m := range v.list {
		t.Row(string(m.QID), string(m.State), m.Mailbox, fmt.Sprint(m.Recipients), size(m.Size), fmt.Sprint(m.Attempts),
			Age(m.CreatedAt, now), Why(m, now, InTable))
	}
	t.Flush()
	PrintMore(p, v.More, len(v.list))
}

// InTable is how many characters of a reason a list has, where that of a mailbox is
// beside each message: the whole is in queue show and queue why.
const InTable = 160

// Why says, in about so many characters, why a message waits and until when, or
// how it ended.
func Why(m operator.Mail, now time.Time, most int) string {
	text := MailReason(m)
	if text == "" && m.State != outbox.Sent {
		text = m.Text
	}
	text = AtMost(diagnosis.Short(text), most)
	if !m.WaitsUntil.IsZero() && m.WaitsUntil.After(now) {
		text += ", until " + Clock(m.WaitsUntil, now)
	}
	if m.ProbeAt.After(now) {
		text += ", tried again at " + Clock(m.ProbeAt, now)
	}
	return text
}

func size(n int64) string {
	switch {
	case n < 10_000:
		return fmt.Sprint(n)
	case n < 10_000_000:
		return fmt.Sprintf("%dk", n/1000)
	}
	return fmt.Sprintf("%dM", n/1_000_000)
}

// Print writes all that is known of each message.
func (v Details) Print(p *stdio.Printer) {
	if len(v.list) == 0 {
		p.Printf("no messages\n")
		return
	}
	for i, d := range v.list {
		if i > 0 {
			p.Printf("\n")
		}
		printDetail(p, d)
	}
	PrintMore(p, v.More, len(v.list))
}

// PrintMore says that a list was cut.
func PrintMore(p *stdio.Printer, more bool, shown int) {
	if more {
		p.Line("note", "there are more than these %d; --limit 0 shows all", shown)
	}
}

func printDetail(p *stdio.Printer, d operator.Detail) {
	now := time.Now()
	p.Printf("%s  %s", d.QID, d.State)
	if text := Why(d.Mail, now, math.MaxInt); text != "" && d.State != outbox.Sent {
		p.Printf("  %s", printable.Line(text))
	}
	p.Printf("\nmailbox     %s\nmessage-id  %s\ntaken       %s by %s, %d octets\n", d.Mailbox, d.MessageID,
		d.CreatedAt.Local().Format("2006-01-02 15:04:05"), d.Source, d.Size)
	if d.Row != "" {
		p.Printf("row         %s\n", printable.Line(d.Row))
	}
	for _, r := range d.RecipientStates {
		p.Printf("recipient   %-10s%s%s\n", r.State, r.ForwardPath, AtMost(printable.Line(Tail(codeText(r.Code, r.Text))), 120))
	}
	for _, e := range d.Events {
		p.Printf("%s  %-12s%s\n", e.At.Local().Format("2006-01-02 15:04:05"), e.Kind,
			AtMost(printable.Line(strings.TrimSpace(e.Recipient+" "+codeText(e.Code, e.Text))), 140))
	}
}

func codeText(code int, text string) string {
	if code == 0 {
		return text
	}
	return fmt.Sprintf("%d %s", code, text)
}

// Print says of each mailbox what waits, what holds it, and until when.
func (v Mailboxes) Print(p *stdio.Printer) {
	if len(v.list) == 0 {
		p.Printf("no mailboxes\n")
	}
	for _, m := range v.list {
		printMailbox(p, m)
	}
}

// ofLimit is a number, and its limit when there is one.
func ofLimit(n, limit int) string {
	if limit == exchange.Uncounted {
		return strconv.Itoa(n)
	}
	return fmt.Sprintf("%d of %d", n, limit)
}

func printMailbox(p *stdio.Printer, m operator.Mailbox) {
	p.Printf("%s: %d waiting, %d sending, %d held; %s messages in the last minute, %s recipients in the last 24 hours\n",
		m.Name, m.Counts[outbox.Ready], m.Counts[outbox.Sending], m.Counts[outbox.Held],
		ofLimit(m.Messages, m.Limits.PerMinute), ofLimit(m.Recipients, m.Limits.RecipientsPerDay))
	now := time.Now()
	switch {
	case m.Wait == nil && m.Counts[outbox.Ready] == 0:
		p.Printf("    nothing waits\n")
	case m.Wait == nil:
		p.Printf("    not paused or held: smtpsend queue run submits what is due\n")
	case m.Held():
		p.Printf("    %s\n    %s\n", printable.Line(diagnosis.Short(MailboxReason(m.Wait))), GoesOn(m.Name, m.WaitsUntil, m.ProbeAt, now))
	default:
		p.Printf("    %s, until %s\n", printable.Line(diagnosis.Short(MailboxReason(m.Wait))), Clock(m.WaitsUntil, now))
	}
	if !m.Since.IsZero() {
		p.Printf("    since %s\n", Clock(m.Since, now))
	}
	if m.Code != "" {
		p.Printf("    more: smtpsend explain %s\n", m.Code)
	}
	for _, s := range m.Senders {
		p.Printf("    %s from %s %s held: %s\n    more: smtpsend explain %s; when the cause is fixed: %s\n",
			Counted(s.Messages, "message"), printable.Line(s.Address), Plural(s.Messages, "is", "are"),
			AtMost(printable.Line(diagnosis.Short(s.Text)), 200), s.Code, courier.ReleaseMessageCommand(s.First))
	}
}

// GoesOn says when a mailbox that is paused or held continues, and how it does so at
// once.
func GoesOn(mailbox string, until, probe, now time.Time) string {
	release := courier.ReleaseCommand(mailbox)
	switch {
	case !until.IsZero():
		return fmt.Sprintf("it continues by itself at %s, or at once with: %s", Clock(until, now), release)
	case probe.IsZero():
		return "to continue, run: " + release
	case !probe.After(now):
		return "the next queue run tries a sign-in; when the cause is fixed, continue at once with: " + release
	}
	return fmt.Sprintf("a sign-in is tried at %s; when the cause is fixed, continue at once with: %s", Clock(probe, now), release)
}
