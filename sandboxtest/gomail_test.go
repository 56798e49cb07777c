package sandboxtest_test

import (
	"context"
	"errors"
	"strings"
	"testing"

	"github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"
	"golang.org/x/oauth2"

	"github.com/smtpsend/smtpsend/sandboxtest"
	"github.com/smtpsend/smtpsend/xoauth2"
)

// xoauth2Auth is go-mail's smtp.Auth.
type xoauth2Auth struct{ *xoauth2.Client }

func (a xoauth2Auth) Start(server *smtp.ServerInfo) (string, []byte, error) {
	if !server.TLS {
		return "", nil, errors.New("no token is sent without TLS")
	}
	return a.Client.Start()
}

func (a xoauth2Auth) Next(challenge []byte, more bool) ([]byte, error) {
	if !more {
		return nil, nil
	}
	return a.Client.Next(challenge)
}

func TestGoMailSubmits(t *testing.T) {
	t.Parallel()
	srv := sandboxtest.Start(t)
	m := newMailer(srv)
	token, err := m.tokens.Token(context.WithValue(t.Context(), oauth2.HTTPClient, srv.Client()))
	if err != nil {
		t.Fatal(err)
	}
	client, err := mail.NewClient(srv.Host, mail.WithPort(srv.Port), mail.WithTLSPolicy(mail.TLSMandatory), mail.WithTLSConfig(srv.TLSConfig()),
		mail.WithSMTPAuthCustom(xoauth2Auth{xoauth2.NewClient(srv.Mailbox, token.AccessToken)}))
	if err != nil {
		t.Fatal(err)
	}
	message := mail.NewMsg()
	if err := errors.Join(message.FromFormat("Jörg", srv.Mailbox), message.To("ada@contoso.example"), message.Bcc("bob@contoso.example")); err != nil {
		t.Fatal(err)
	}
	message.Subject("Grüße")
	message.SetBodyString(mail.TypeTextPlain, "Hallo Ada")
	message.AddAlternativeString(mail.TypeTextHTML, "<p>Hallo Ada</p>")
	if err := message.AttachReader("übersicht.csv", strings.NewReader("a;b\n")); err != nil {
		t.Fatal(err)
	}
	if err := client.DialAndSend(message); err != nil {
		t.Fatal(err)
	}

	list := srv.Messages()
	if len(list) != 1 {
		t.Fatalf("got %d messages", len(list))
	}
	got := list[0]
	if got.Mailbox != srv.Mailbox || got.From != srv.Mailbox || strings.Join(got.To, " ") != "ada@contoso.example bob@contoso.example" {
		t.Errorf("envelope: %q %q %q", got.Mailbox, got.From, got.To)
	}
	if got.Subject != "Grüße" || got.Text != "Hallo Ada" || got.HTML != "<p>Hallo Ada</p>" || got.Problem != "" {
		t.Errorf("content: %q %q %q %s", got.Subject, got.Text, got.HTML, got.Problem)
	}
	if from := got.Header("from"); from != `Jörg <`+srv.Mailbox+`>` && from != `"Jörg" <`+srv.Mailbox+`>` || got.Header("Bcc") != "" {
		t.Errorf("header: From %q, Bcc %q", from, got.Header("Bcc"))
	}
	if len(got.Attachments) != 1 || got.Attachments[0].Name != "übersicht.csv" || got.Attachments[0].Size != 4 {
		t.Errorf("attachments: %+v", got.Attachments)
	}
	if got.MessageID == "" || !strings.Contains(string(got.Raw), "Message-ID: "+got.MessageID) || got.TokenID == "" || got.Received.IsZero() {
		t.Errorf("got %+v", got)
	}
	if n := srv.TokenRequests(); n != 1 {
		t.Errorf("%d token requests", n)
	}
}
