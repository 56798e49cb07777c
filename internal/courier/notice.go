package courier

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/notice"
	"github.com/smtpsend/smtpsend/internal/outbox/queueid"
	"github.com/smtpsend/smtpsend/internal/outbox/spool"
	"github.com/smtpsend/smtpsend/internal/printable"
)

// maxNotices is how many notices one mail holds.
const maxNotices = 50

// recent is how long ago another mailbox may have submitted something to be taken
// for one that works.
const recent = 7 * 24 * time.Hour

// notifier tells the operator, by a program and by mail. It is for one goroutine.
type notifier struct {
	o   Options
	box *outbox.Outbox

	told      chan told // how Notify ended
	telling   bool      // Notify runs
	count     int       // how often it ran
	tellAfter time.Time // and not before

	watchAfter time.Time      // when what ends is looked at again
	ending     map[string]int // steps before each end of which Options.Ending was told
}

// notify sees to the notices of which the operator has not been told yet, by each
// road that there is.
func (n *notifier) notify(ctx context.Context) error {
	mail := !n.o.Operator.IsZero() && !n.o.From.IsZero()
	hasRoad := mail || n.o.Notify != nil
	if err := n.watch(ctx, hasRoad); err != nil || !hasRoad {
		return err // Purge forgets the notices
	}
	if err := n.tell(ctx); err != nil {
		return err
	}
	notices, err := n.box.Notices().List(ctx, notice.RoadMail, maxNotices)
	if err != nil || len(notices) == 0 {
		return err
	}
	if !mail {
		return n.box.Notices().Done(ctx, notice.RoadMail, notices)
	}
	return n.mail(ctx, notices)
}

// mail puts notices into one mail of the outbox itself, from a mailbox that works;
// without one they wait. Auto-Submitted (RFC 3834) keeps auto-responders quiet;
// about the mail itself there is never a notice.
func (n *notifier) mail(ctx context.Context, notices []notice.Notice) error {
	from, mailbox, ok, err := n.carrier(ctx, notices)
	if err != nil || !ok {
		return err
	}
	m, err := message.Compose(ctx, message.Draft{
		From: from, Mailbox: mailbox, To: []address.Address{n.o.Operator}, Subject: subject(notices), Text: n.text(notices),
		Headers: []message.Header{{Name: "Auto-Submitted", Value: "auto-generated"}},
	})
	if err != nil {
		return err
	}
	defer m.Close()
	last := notices[len(notices)-1]
	qid, _, err := n.box.AcceptContent(ctx, spool.Message{
		Mailbox: m.Envelope.ReversePath, Envelope: m.Envelope, From: m.From, MessageID: m.MessageID, Size: m.Content.Size(),
		Key: fmt.Sprintf("notice/%d/%d", last.ID, last.Tries), Priority: spool.Urgent, Source: "notice", Notice: true,
	}, m.Content)
	if err != nil {
		return err
	}
	return n.box.NoticesCarried(ctx, qid, notices)
}

// carrier finds who sends a mail with the notices: From, unless its mailbox is
// paused or held, else the mailbox that submitted something last. What another
// mailbox would meet as well, such as a server that is down, only a mailbox
// can tell that has submitted since. Each time that one was refused the next takes
// its turn.
func (n *notifier) carrier(ctx context.Context, notices []notice.Notice) (from, mailbox address.Address, ok bool, err error) {
	records, err := n.box.Mailboxes().Records(ctx)
	if err != nil {
		return from, mailbox, false, err
	}
	var broken time.Time // since when a mailbox must have submitted
	tries := 0
	for _, about := range notices {
		if (about.Wide || n.o.OneUser) && about.Since.After(broken) {
			broken = about.Since
		}
		tries = max(tries, about.Tries)
	}
	own := n.o.Mailbox
	if own.IsZero() {
		own = n.o.From
	}
	ownWorks := broken.IsZero()
	var list []address.Address
	for _, r := range records {
		works := r.Works && !r.Accepted.Before(broken)
		if strings.EqualFold(r.Mailbox, own.Addr()) {
			ownWorks = works
			continue
		}
		if address, err := address.Parse("", r.Mailbox); err == nil && works && time.Since(r.Accepted) < recent {
			list = append(list, address)
		}
	}
	if ownWorks && (tries%(len(list)+1) == 0) {
		return n.o.From, n.o.Mailbox, true, nil
	}
	if len(list) == 0 {
		return from, mailbox, false, nil
	}
	return list[tries%len(list)], mailbox, true, nil
}

// subject is what the first of them says.
func subject(notices []notice.Notice) string {
	s := summary(notices[0])
	if len(notices) > 1 {
		s += fmt.Sprintf(", and %d more", len(notices)-1)
	}
	return "smtpsend: " + s
}

// summary is a notice in a few words.
func summary(first notice.Notice) string {
	if isOfAnEnd(first) {
		return whatEnds(first)
	}
	return map[notice.Kind]string{
		notice.Held:    "mailbox " + first.Mailbox + " is held",
		notice.Paused:  "mailbox " + first.Mailbox + " is paused",
		notice.Resumed: "mailbox " + first.Mailbox + " submits again",
		notice.Dead:    "message " + string(first.QID) + " was refused or has expired",
		notice.InDoubt: "message " + string(first.QID) + " is in doubt",

		notice.MessageHeld: "message " + string(first.QID) + " from " + printable.Line(first.Sender) + " is held",
	}[first.Kind]
}

// text says of each notice what happened, why, and what to do.
func (n *notifier) text(notices []notice.Notice) string {
	var b strings.Builder
	for _, about := range notices {
		fmt.Fprintf(&b, "%s  %s", about.At.Format(time.RFC3339), about.Kind)
		if about.Mailbox != "" {
			fmt.Fprintf(&b, "  mailbox %s", about.Mailbox)
		}
		if about.QID != "" {
			fmt.Fprintf(&b, "  message %s", about.QID)
		}
		if about.Sender != "" {
			fmt.Fprintf(&b, "  from %s", printable.Line(about.Sender))
		}
		b.WriteByte('\n')
		switch {
		case isOfAnEnd(about):
			fmt.Fprintf(&b, "    %s\n", printable.Line(about.Text))
		case about.Text != "":
			fmt.Fprintf(&b, "    said: %s\n", printable.Line(diagnosis.Short(about.Text)))
		}
		n.explain(&b, about)
		b.WriteByte('\n')
	}
	return b.String()
}

// explain adds what the catalogue knows, and how it goes on.
func (n *notifier) explain(b *strings.Builder, about notice.Notice) {
	if f, known := n.finding(about); known {
		fmt.Fprintf(b, "    %s: %s\n    more: smtpsend explain %s\n", f.Title, f.Cause, f.Code)
	}
	next := about.Next.Format(time.RFC3339)
	switch about.Kind {
	case notice.Held:
		fmt.Fprintf(b, "    A sign-in is tried from %s on. When the cause is fixed, continue at once with: %s\n", next, ReleaseCommand(about.Mailbox))
	case notice.Paused:
		fmt.Fprintf(b, "    It continues by itself at %s, or at once with: %s\n", next, ReleaseCommand(about.Mailbox))
	case notice.MessageHeld:
		fmt.Fprintf(b, "    %s\n", MessageHeld(about.QID, about.Code))
	case notice.Resumed:
		fmt.Fprintf(b, "    A message was accepted. You do not have to do anything.\n")
	case notice.Dead:
		fmt.Fprintf(b, "    Its content is kept: smtpsend queue show %s\n", about.QID)
	case notice.InDoubt:
		fmt.Fprintf(b, "    Check whether it arrived: smtpsend queue show %s\n", about.QID)
	}
}

// ReleaseCommand is the command that makes a mailbox go on at once, such that it can
// be pasted into a shell: the mailbox is what someone wrote into From, and
// "`reboot`@contoso.example" is an address (RFC 5322 3.2.3). What cannot be quoted in
// every shell is left out.
func ReleaseCommand(mailbox string) string {
	return diagnosis.Facts{Mailbox: mailbox}.FillCommand("smtpsend queue release --mailbox {mailbox}")
}

// ReleaseMessageCommand is the command that tries a held message again, and with it what
// else its sender's hold keeps.
func ReleaseMessageCommand(id queueid.ID) string { return "smtpsend queue release " + string(id) }

// MessageHeld says what else is held with a message that the server refused, as the entry
// of the catalogue with that code says, and how it goes on.
func MessageHeld(id queueid.ID, code string) string {
	others := "Only this message is held"
	if entry, _ := diagnosis.Lookup(code); entry.Holds == diagnosis.ScopeSender {
		others = "All mail of this sender is held; that of others goes on"
	}
	return others + ". When the cause is fixed, it is tried again with: " + ReleaseMessageCommand(id)
}

// finding is what the catalogue says of a notice.
func (n *notifier) finding(about notice.Notice) (diagnosis.Finding, bool) {
	entry, known := diagnosis.Lookup(about.Code)
	if !known {
		return diagnosis.Finding{}, false
	}
	facts := diagnosis.Facts{Mailbox: about.Mailbox}
	if n.o.Facts != nil {
		facts = n.o.Facts(about.Mailbox)
	}
	return diagnosis.Describe(entry, diagnosis.Symptom{}, facts), true
}
