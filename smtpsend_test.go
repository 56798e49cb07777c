package smtpsend_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"log/slog"
	"net/mail"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend"
	"github.com/smtpsend/smtpsend/sandboxtest"
)

func TestSendComposesAndSubmits(t *testing.T) {
	t.Parallel()
	srv := sandboxtest.Start(t)
	client := newClient(t, srv, smtpsend.Options{From: "Jörg <noreply@contoso.example>"})
	m := &smtpsend.Message{
		To: []string{"Ada Lovelace <ada@contoso.example>"}, Cc: []string{"bob@contoso.example"}, Bcc: []string{"cy@contoso.example"},
		ReplyTo: []string{"answers@contoso.example"}, Subject: "Grüße", HTML: `<p>Hallo <img src="cid:logo"></p>`,
		Attachments: []smtpsend.Attachment{
			{Name: "logo.png", Data: []byte("\x89PNG\r\n\x1a\n"), ContentID: "logo"},
			{Name: "übersicht.csv", Reader: strings.NewReader("a;b\n")},
			{Path: filepath.Join("docs", "manual.md"), ContentType: "text/markdown"},
		},
		Headers: []smtpsend.Header{{Name: "X-Job", Value: "nightly"}}, InReplyTo: "<1@contoso.example>",
		Date: time.Date(2026, 11, 30, 12, 0, 0, 0, time.UTC), MessageID: "2@contoso.example",
	}
	receipt, err := client.Send(t.Context(), m)
	if err != nil {
		t.Fatal(err)
	}
	got := only(t, srv)
	want := []string{"ada@contoso.example", "bob@contoso.example", "cy@contoso.example"}
	if !slices.Equal(got.To, want) || !slices.Equal(receipt.With(smtpsend.Accepted), want) || got.Mailbox != "noreply@contoso.example" {
		t.Errorf("got %q %q, receipt\n%v", got.Mailbox, got.To, receipt)
	}
	if got.Subject != "Grüße" || strings.TrimSpace(got.Text) != "Hallo" || !strings.Contains(got.HTML, "cid:logo") || len(got.Attachments) != 3 || got.Problem != "" {
		t.Errorf("content: %q %q %q %+v %s", got.Subject, got.Text, got.HTML, got.Attachments, got.Problem)
	}
	for name, want := range map[string]string{
		"Bcc": "", "X-Job": "nightly", "In-Reply-To": "<1@contoso.example>", "References": "<1@contoso.example>",
		"Message-ID": "<2@contoso.example>", "Reply-To": "answers@contoso.example",
	} {
		if got.Header(name) != want {
			t.Errorf("%s: %q, want %q", name, got.Header(name), want)
		}
	}
	if receipt.MessageID != "<2@contoso.example>" || receipt.Mailbox != "noreply@contoso.example" || receipt.Server != srv.Addr || receipt.QueueID == "" ||
		receipt.Reply.Code != 250 || receipt.Reply.Enhanced != "2.0.0" || receipt.Attempts != 1 || receipt.Size == 0 || receipt.Took <= 0 || receipt.Started.IsZero() {
		t.Errorf("receipt: %+v", receipt)
	}
	if !strings.HasPrefix(receipt.String(), "accepted      ada@contoso.example  250 2.") {
		t.Errorf("got %q", receipt)
	}
}

func only(t testing.TB, srv *sandboxtest.Server) sandboxtest.Message {
	t.Helper()
	list := srv.Messages()
	if len(list) != 1 {
		t.Fatalf("%d messages arrived", len(list))
	}
	return list[0]
}

func simple(to ...string) *smtpsend.Message {
	return &smtpsend.Message{To: to, Subject: "hi", Text: "hi\n"}
}

func TestWhatIsWrongInAMessageIsAMessageError(t *testing.T) {
	t.Parallel()
	srv := sandboxtest.Start(t)
	client := newClient(t, srv, smtpsend.Options{})
	with := func(change func(*smtpsend.Message)) *smtpsend.Message {
		m := simple("ada@contoso.example")
		change(m)
		return m
	}
	for _, c := range []struct {
		m     *smtpsend.Message
		field string
	}{
		{&smtpsend.Message{}, "recipients"},
		{simple("ada"), "To"},
		{simple("a@contoso.example, b@contoso.example"), "To"},
		{with(func(m *smtpsend.Message) { m.Subject = "a\r\nBcc: x@contoso.example" }), "Subject"},
		{with(func(m *smtpsend.Message) { m.From = "no one" }), "From"},
		{with(func(m *smtpsend.Message) { m.Headers = []smtpsend.Header{{Name: "To", Value: "x"}} }), "header To"},
		{with(func(m *smtpsend.Message) { m.Attachments = []smtpsend.Attachment{{Path: "none.pdf"}} }), "file"},
		{with(func(m *smtpsend.Message) { m.Attachments = []smtpsend.Attachment{{Name: "a"}} }), "attachment"},
		{with(func(m *smtpsend.Message) {
			m.Attachments = []smtpsend.Attachment{{Name: "a", Path: "b", Data: []byte{}}}
		}), "attachment"},
		{with(func(m *smtpsend.Message) { m.Attachments = []smtpsend.Attachment{{Data: []byte{}}} }), "attachment"},
	} {
		receipt, err := client.Send(t.Context(), c.m)
		e, ok := errors.AsType[*smtpsend.MessageError](err)
		if !ok || e.Field != c.field || e.Reason == "" || receipt != nil {
			t.Errorf("%+v: got %v, %v", c.m, receipt, err)
		}
		if c.field == "file" && !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%v does not unwrap to fs.ErrNotExist", err)
		}
	}
	broken := errors.New("broken")
	_, err := client.Send(t.Context(), with(func(m *smtpsend.Message) {
		m.Attachments = []smtpsend.Attachment{{Name: "a", Reader: io.MultiReader(strings.NewReader("x"), failing{broken})}}
	}))
	if !errors.Is(err, broken) {
		t.Errorf("got %v", err)
	}
	if len(srv.Messages()) != 0 || srv.TokenRequests() != 0 {
		t.Error("something was asked of a server")
	}
}

type failing struct{ err error }

func (f failing) Read([]byte) (int, error) { return 0, f.err }

func TestRefusalsHaveStageReplyAndFinding(t *testing.T) {
	t.Parallel()
	srv := sandboxtest.Start(t, sandboxtest.Fault("smtp-auth-disabled-mailbox"))
	receipt, err := newClient(t, srv, smtpsend.Options{}).Send(t.Context(), simple("ada@contoso.example"))
	e, ok := errors.AsType[*smtpsend.Error](err)
	if !ok || receipt == nil {
		t.Fatalf("got %v, %v", receipt, err)
	}
	if e.Stage != smtpsend.StageAuth || e.Reply.Code != 535 || e.Reply.Enhanced != "5.7.139" || e.InDoubt || e.Temporary() {
		t.Errorf("got %+v", e)
	}
	if e.Finding.Code != "smtp-auth-disabled-mailbox" || e.Finding.Title == "" || e.Finding.Cause == "" || len(e.Finding.Fixes) == 0 {
		t.Errorf("finding: %+v", e.Finding)
	}
	if commands := fmt.Sprint(e.Finding.Fixes); !strings.Contains(commands, srv.Mailbox) {
		t.Errorf("the fixes do not name the mailbox: %s", commands)
	}
	if !slices.Equal(receipt.Open(), []string{"ada@contoso.example"}) {
		t.Errorf("receipt\n%v", receipt)
	}
	for _, secret := range []string{srv.ClientSecret, "Bearer"} {
		if strings.Contains(fmt.Sprintf("%v %+v %+v", err, e, receipt), secret) {
			t.Errorf("the error holds %s", secret)
		}
	}
}

func TestOneRefusedRecipientIsAnErrorBesideTheReceipt(t *testing.T) {
	t.Parallel()
	srv := sandboxtest.Start(t, sandboxtest.Fault("recipient-unknown,stage=rcpt,after=1,times=1"))
	receipt, err := newClient(t, srv, smtpsend.Options{}).Send(t.Context(), simple("ada@contoso.example", "bob@contoso.example"))
	e, ok := errors.AsType[*smtpsend.Error](err)
	if !ok || e.Recipient != "bob@contoso.example" || e.Stage != smtpsend.StageRcpt || e.Reply.Code/100 != 5 || e.Temporary() {
		t.Fatalf("got %v %+v", err, e)
	}
	if got := receipt.Recipients; got[0].Outcome != smtpsend.Accepted || got[0].Finding != nil || got[1].Outcome != smtpsend.Refused || got[1].Finding == nil {
		t.Errorf("receipt\n%v", receipt)
	}
	if got := only(t, srv); len(got.To) != 1 {
		t.Errorf("it went to %q", got.To)
	}
}

func TestALostReplyIsInDoubtAndNotTemporary(t *testing.T) {
	t.Parallel()
	srv := sandboxtest.Start(t, sandboxtest.Fault("reply-lost,times=1"))
	receipt, err := newClient(t, srv, smtpsend.Options{}).Send(t.Context(), simple("ada@contoso.example"))
	e, ok := errors.AsType[*smtpsend.Error](err)
	if !ok || !e.InDoubt || e.Temporary() || e.Finding.Code != "in-doubt" || e.Stage != smtpsend.StageContent {
		t.Fatalf("got %v %+v", err, e)
	}
	if !slices.Equal(receipt.With(smtpsend.InDoubt), []string{"ada@contoso.example"}) || len(receipt.Open()) != 0 {
		t.Errorf("receipt\n%v", receipt)
	}
	only(t, srv) // and not two
}

func TestWhatPassesIsTriedAgain(t *testing.T) {
	t.Parallel()
	srv := sandboxtest.Start(t, sandboxtest.Fault("mailbox-server-busy,times=1"))
	receipt, err := newClient(t, srv, smtpsend.Options{}).Send(t.Context(), simple("ada@contoso.example"))
	if err != nil || receipt.Attempts != 2 {
		t.Errorf("got %v, %d attempts", err, receipt.Attempts)
	}
	srv.AddFault(t, "mailbox-server-busy")
	_, err = newClient(t, srv, smtpsend.Options{Attempts: 1}).Send(t.Context(), simple("ada@contoso.example"))
	if e, ok := errors.AsType[*smtpsend.Error](err); !ok || !e.Temporary() || e.Reply.Code != 432 {
		t.Errorf("got %v", err)
	}
}

func TestTheContextEndsASubmission(t *testing.T) {
	t.Parallel()
	srv := sandboxtest.Start(t, sandboxtest.Fault("mailbox-server-busy"))
	client := newClient(t, srv, smtpsend.Options{})
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if receipt, err := client.Send(ctx, simple("ada@contoso.example")); !errors.Is(err, context.Canceled) || receipt != nil {
		t.Errorf("got %v, %v", receipt, err)
	}
	ctx, cancel = context.WithCancel(t.Context())
	defer cancel()
	client = newClient(t, srv, smtpsend.Options{Logger: slog.New(onWaiting{slog.DiscardHandler, cancel})})
	receipt, err := client.Send(ctx, simple("ada@contoso.example"))
	if e, ok := errors.AsType[*smtpsend.Error](err); !ok || e.Reply.Code != 432 || receipt == nil {
		t.Errorf("got %v, %v", receipt, err)
	}
}

// onWaiting calls ends when a wait for another attempt is logged.
type onWaiting struct {
	slog.Handler
	ends func()
}

func (h onWaiting) Enabled(context.Context, slog.Level) bool { return true }

func (h onWaiting) Handle(_ context.Context, r slog.Record) error {
	if r.Message == "waiting for another attempt" {
		h.ends()
	}
	return nil
}

func TestGoroutinesShareTokenAndPlaces(t *testing.T) {
	t.Parallel()
	for _, inMemory := range []bool{false, true} {
		srv := sandboxtest.Start(t)
		client := newClient(t, srv, smtpsend.Options{InMemory: inMemory})
		var all sync.WaitGroup
		for i := range 8 {
			all.Go(func() {
				m := simple(fmt.Sprintf("u%d@contoso.example", i))
				m.From = []string{"noreply@contoso.example", "NoReply@contoso.example"}[i%2] // one mailbox
				receipt, err := client.Send(t.Context(), m)
				if err != nil || receipt.Attempts != 1 {
					t.Errorf("%d attempts, %v", receipt.Attempts, err)
				}
			})
		}
		all.Wait()
		if n := len(srv.Messages()); n != 8 || srv.TokenRequests() != 1 {
			t.Errorf("InMemory %v: %d messages, %d token requests", inMemory, n, srv.TokenRequests())
		}
	}
}

func TestSendAllKeepsTheOrderAndGoesOnAfterAnError(t *testing.T) {
	t.Parallel()
	srv := sandboxtest.Start(t)
	var log bytes.Buffer
	client := newClient(t, srv, smtpsend.Options{Logger: debugLogger(&log)})
	messages := []*smtpsend.Message{simple("a@contoso.example"), simple("no one"), simple("b@contoso.example"), simple("c@contoso.example")}
	messages[3].From = "other@contoso.example"
	var got []string
	for receipt, err := range client.SendAll(t.Context(), slices.Values(messages)) {
		if err != nil {
			got = append(got, "error")
			continue
		}
		got = append(got, receipt.Recipients[0].Address)
	}
	if want := []string{"a@contoso.example", "error", "b@contoso.example", "c@contoso.example"}; !slices.Equal(got, want) {
		t.Errorf("got %q", got)
	}
	if n := strings.Count(log.String(), "C: AUTH "); n != 2 || srv.Messages()[2].Mailbox != "other@contoso.example" {
		t.Errorf("%d sign-ins for two mailboxes", n)
	}
	for range client.SendAll(t.Context(), slices.Values(messages)) {
		break
	}
	if n := len(srv.Messages()); n != 4 {
		t.Errorf("%d messages after a break", n)
	}
	ctx, cancel := context.WithCancel(t.Context())
	results := 0
	for _, err := range client.SendAll(ctx, func(yield func(*smtpsend.Message) bool) {
		for yield(simple("a@contoso.example")) {
			cancel()
		}
	}) {
		if results++; results == 2 && !errors.Is(err, context.Canceled) {
			t.Errorf("after the end of the context: %v", err)
		}
	}
	if results != 2 {
		t.Errorf("%d results of a sequence without end", results)
	}
}

func TestSendRawKeepsWhatIsWritten(t *testing.T) {
	t.Parallel()
	srv := sandboxtest.Start(t)
	client := newClient(t, srv, smtpsend.Options{})
	raw := "Subject: =?utf-8?q?Gr=C3=BC=C3=9Fe?=\nBcc: cy@contoso.example\nX-Odd:  as  it is\n\nHällo\n"
	receipt, err := client.SendRaw(t.Context(), "ada@contoso.example", []string{"bob@contoso.example"}, strings.NewReader(raw))
	if err != nil {
		t.Fatal(err)
	}
	got := only(t, srv)
	if got.Mailbox != "ada@contoso.example" || !slices.Equal(got.To, []string{"bob@contoso.example"}) || got.Header("Bcc") != "" {
		t.Errorf("got %q to %q, Bcc %q", got.Mailbox, got.To, got.Header("Bcc"))
	}
	if text := string(got.Raw); !strings.Contains(text, "\r\nX-Odd:  as  it is\r\n") || !strings.Contains(text, "From: ada@contoso.example\r\n") || got.Header("Message-ID") != receipt.MessageID {
		t.Errorf("got %q", text)
	}
	if _, err := mail.ReadMessage(bytes.NewReader(got.Raw)); err != nil || strings.TrimSpace(got.Text) != "Hällo" {
		t.Errorf("got %q, %v", got.Text, err)
	}
	broken := errors.New("broken")
	if receipt, err := client.SendRaw(t.Context(), "", []string{"bob@contoso.example"}, failing{broken}); !errors.Is(err, broken) || receipt != nil {
		t.Errorf("got %v, %v", receipt, err)
	}
	if _, err := client.SendRaw(t.Context(), "", nil, strings.NewReader(raw)); !isMessageError(err, "recipients") {
		t.Errorf("got %v", err)
	}
}

func isMessageError(err error, field string) bool {
	e, ok := errors.AsType[*smtpsend.MessageError](err)
	return ok && e.Field == field
}
