package courier

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/outbox"
)

// maxNotices is how many notices one mail holds.
const maxNotices = 50

// notify puts what the operator has not been told yet into one mail of the
// outbox itself. Auto-Submitted (RFC 3834) keeps auto-responders quiet; about
// the mail itself there is never a notice.
func (c *courier) notify(ctx context.Context) error {
	if c.o.Operator.IsZero() || c.o.From.IsZero() {
		return nil
	}
	notices, err := c.box.Notices(ctx, maxNotices)
	if err != nil || len(notices) == 0 {
		return err
	}
	m, err := message.Compose(ctx, message.Draft{
		From: c.o.From, To: []message.Address{c.o.Operator}, Subject: subject(notices), Text: text(notices),
		Headers: []message.Header{{Name: "Auto-Submitted", Value: "auto-generated"}},
	})
	if err != nil {
		return err
	}
	defer m.Close()
	last := notices[len(notices)-1].ID
	_, _, err = c.box.AcceptContent(ctx, outbox.Message{
		Mailbox: m.Envelope.ReversePath, Envelope: m.Envelope, MessageID: m.MessageID, Size: m.Content.Size(),
		Key: fmt.Sprintf("notice/%d", last), Priority: outbox.Urgent, Source: "notice", Notice: true,
	}, m.Content)
	if err != nil {
		return err
	}
	return c.box.NoticesDone(ctx, last)
}

func subject(notices []outbox.Notice) string {
	first := notices[0]
	s := map[outbox.NoticeKind]string{
		outbox.NoticeHeld:    "mailbox " + first.Mailbox + " is stopped",
		outbox.NoticePaused:  "mailbox " + first.Mailbox + " pauses",
		outbox.NoticeDead:    "message " + string(first.QID) + " was given up",
		outbox.NoticeInDoubt: "message " + string(first.QID) + " is in doubt",
	}[first.Kind]
	if len(notices) > 1 {
		s += fmt.Sprintf(", and %d more", len(notices)-1)
	}
	return "smtpsend: " + s
}

// text says of each notice what happened, why, and what to do.
func text(notices []outbox.Notice) string {
	var b strings.Builder
	for _, n := range notices {
		fmt.Fprintf(&b, "%s  %s", n.At.Format(time.RFC3339), n.Kind)
		if n.Mailbox != "" {
			fmt.Fprintf(&b, "  mailbox %s", n.Mailbox)
		}
		if n.QID != "" {
			fmt.Fprintf(&b, "  message %s", n.QID)
		}
		b.WriteByte('\n')
		if n.Text != "" {
			fmt.Fprintf(&b, "    said: %s\n", diagnosis.Short(n.Text))
		}
		explain(&b, n)
		b.WriteByte('\n')
	}
	return b.String()
}

// explain adds what the catalogue knows, and the command that goes on.
func explain(b *strings.Builder, n outbox.Notice) {
	if _, known := diagnosis.Lookup(n.Code); known {
		for _, f := range diagnosis.Explain(n.Code, diagnosis.Facts{Mailbox: n.Mailbox}) {
			fmt.Fprintf(b, "    %s: %s\n    more: smtpsend explain %s\n", f.Title, f.Cause, f.Code)
		}
	}
	switch n.Kind {
	case outbox.NoticeHeld:
		fmt.Fprintf(b, "    When it is fixed: smtpsend queue release --mailbox %s\n", n.Mailbox)
	case outbox.NoticeDead:
		fmt.Fprintf(b, "    Its content is kept: smtpsend queue show %s\n", n.QID)
	case outbox.NoticeInDoubt:
		fmt.Fprintf(b, "    Look whether it arrived: smtpsend queue show %s\n", n.QID)
	}
}
