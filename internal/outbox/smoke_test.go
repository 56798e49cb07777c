package outbox_test

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/outbox"
)

func TestSmoke(t *testing.T) {
	ctx := context.Background()
	ob, err := outbox.Open(ctx, t.TempDir(), outbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer ob.Close()
	q, dup, err := ob.Accept(ctx, outbox.Message{Mailbox: "A@contoso.example", MessageID: "<1@x>", Key: "k",
		Envelope: message.Envelope{ReversePath: "a@contoso.example", ForwardPaths: []string{"b@x.example"}}}, strings.NewReader("Subject: x\r\n\r\nhello\r\n"))
	t.Log(q, dup, err)
	q2, dup, err := ob.Accept(ctx, outbox.Message{Mailbox: "A@contoso.example", MessageID: "<1@x>", Key: "k",
		Envelope: message.Envelope{ReversePath: "a@contoso.example", ForwardPaths: []string{"b@x.example"}}}, strings.NewReader("Subject: x\r\n\r\nhello\r\n"))
	t.Log(q2, dup, err)
	s, r, err := ob.Lock(ctx)
	t.Log(r, err)
	d, err := s.Due(ctx)
	t.Log(d, err)
	c, err := s.Claim(ctx, "a@contoso.example")
	t.Logf("%+v %v", c, err)
	t.Log(s.AllowData(ctx, c))
	b, err := ob.Body(ctx, c.QID)
	if err != nil {
		t.Fatal(err)
	}
	data, err := io.ReadAll(b)
	t.Logf("%q %v", data, err)
	out, err := s.Finish(ctx, c, outbox.Result{Recipients: []outbox.Recipient{{ForwardPath: "b@x.example", Outcome: outbox.Accepted}}})
	t.Log(out, err)
	det, err := ob.Show(ctx, q)
	t.Logf("%+v %v", det, err)
	mb, err := ob.Mailboxes(ctx)
	t.Logf("%+v %v", mb, err)
	t.Log(s.Purge(ctx))
	t.Log(ob.Backup(ctx, t.TempDir()+"/b.db"))
	t.Log(ob.Act(ctx, outbox.Retry, outbox.Filter{To: "@x.example"}))
	t.Log(ob.List(ctx, outbox.Filter{To: "B@x.example", From: "a@contoso.example", States: []outbox.State{outbox.Sent}}))
}
