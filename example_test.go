package smtpsend_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/emersion/go-smtp"
	"github.com/wneessen/go-mail"

	"github.com/smtpsend/smtpsend"
	"github.com/smtpsend/smtpsend/sandboxtest"
	"github.com/smtpsend/smtpsend/xoauth2"
)

// A program with settings of its own. (The stand-in of package sandboxtest takes the
// place of Entra ID and Exchange Online, and testOf that of a test. Settings lead to
// the stand-in; a real program needs none.)
func ExampleNew() {
	t, end := testOf()
	defer end()
	srv := sandboxtest.Start(t)

	client, err := smtpsend.New(smtpsend.Options{
		TenantID: srv.TenantID, ClientID: srv.ClientID, ClientSecret: srv.ClientSecret, From: "Build <noreply@contoso.example>",
		Settings: srv.Environ(),
	})
	if err != nil {
		fmt.Println(err)
		return
	}
	receipt, err := client.Send(t.Context(), &smtpsend.Message{
		To: []string{"Ada <ada@contoso.example>"}, Subject: "Nightly report", Text: "All is well.\n",
	})
	if err != nil {
		fmt.Println(err)
	}
	for _, rcpt := range receipt.Recipients {
		fmt.Println(rcpt.Outcome, rcpt.Address, rcpt.Reply.Code, rcpt.Reply.Enhanced)
	}
	// Output:
	// accepted ada@contoso.example 250 2.0.0
}

// A program with the settings of the command.
func ExampleFromEnv() {
	t, end := testOf()
	defer end()
	srv := sandboxtest.Start(t)
	srv.Setenv(t) // as the shell, a container or a unit of systemd does

	client, err := smtpsend.FromEnv()
	if err != nil {
		fmt.Println(err)
		return
	}
	_, err = client.Send(t.Context(), &smtpsend.Message{
		To: []string{"ada@contoso.example"}, Subject: "Report", HTML: "<p>See the attachment.</p>",
		Attachments: []smtpsend.Attachment{{Name: "report.csv", Data: []byte("a;b\n")}},
	})
	got := srv.Messages()[0]
	fmt.Println(err, got.Subject, got.Attachments[0].Name)
	// Output:
	// <nil> Report report.csv
}

// What an error says, and what helps.
func ExampleError() {
	t, end := testOf()
	defer end()
	srv := sandboxtest.Start(t, sandboxtest.Fault("smtp-auth-disabled-mailbox"))
	client, err := smtpsend.New(smtpsend.Options{Settings: srv.Environ()})
	if err != nil {
		fmt.Println(err)
		return
	}

	receipt, err := client.Send(t.Context(), &smtpsend.Message{To: []string{"ada@contoso.example"}, Subject: "hi", Text: "hi\n"})
	if e, ok := errors.AsType[*smtpsend.Error](err); ok {
		fmt.Println(e.Stage, e.Reply.Code, e.Reply.Enhanced)
		fmt.Println(e.Finding.Code+":", e.Finding.Title)
		fmt.Println(e.Finding.Fixes[0].Text)
		switch {
		case e.InDoubt:
			fmt.Println("may have arrived:", receipt.With(smtpsend.InDoubt))
		case e.Temporary():
			fmt.Println("try later:", receipt.Open())
		}
	}
	// Output:
	// auth 535 5.7.139
	// smtp-auth-disabled-mailbox: SMTP AUTH is switched off for this mailbox
	// Switch SMTP AUTH on for this one mailbox; that setting wins over the organisation's.
}

// Several messages over one session.
func ExampleClient_SendAll() {
	t, end := testOf()
	defer end()
	srv := sandboxtest.Start(t)
	client, err := smtpsend.New(smtpsend.Options{Settings: srv.Environ()})
	if err != nil {
		fmt.Println(err)
		return
	}

	var messages []*smtpsend.Message
	for _, to := range []string{"ada@contoso.example", "bob", "cy@contoso.example"} {
		messages = append(messages, &smtpsend.Message{To: []string{to}, Subject: "Invoice", Text: "Dear customer\n"})
	}
	for receipt, err := range client.SendAll(t.Context(), slices.Values(messages)) {
		if err != nil {
			fmt.Println(err)
			continue
		}
		fmt.Println(receipt.Recipients[0].Outcome, receipt.Recipients[0].Address)
	}
	// Output:
	// accepted ada@contoso.example
	// smtpsend: To "bob": no @ and domain
	// accepted cy@contoso.example
}

// A message of go-mail.
func ExampleClient_SendMsg() {
	t, end := testOf()
	defer end()
	srv := sandboxtest.Start(t)
	client, err := smtpsend.New(smtpsend.Options{Settings: srv.Environ()})
	if err != nil {
		fmt.Println(err)
		return
	}

	m := mail.NewMsg()
	if err := errors.Join(m.From("noreply@contoso.example"), m.To("ada@contoso.example"), m.Bcc("bob@contoso.example")); err != nil {
		fmt.Println(err)
		return
	}
	m.Subject("Nightly report")
	m.SetBodyString(mail.TypeTextPlain, "All is well.\n")
	receipt, err := client.SendMsg(t.Context(), m)
	if err != nil {
		fmt.Println(err)
	}
	for _, rcpt := range receipt.Recipients {
		fmt.Println(rcpt.Outcome, rcpt.Address)
	}
	// Output:
	// accepted ada@contoso.example
	// accepted bob@contoso.example
}

// A message that is text already.
func ExampleClient_SendRaw() {
	t, end := testOf()
	defer end()
	srv := sandboxtest.Start(t)
	client, err := smtpsend.New(smtpsend.Options{Settings: srv.Environ()})
	if err != nil {
		fmt.Println(err)
		return
	}

	text := "From: noreply@contoso.example\nTo: ada@contoso.example\nSubject: hi\n\nHello Ada\n"
	receipt, err := client.SendRaw(t.Context(), "noreply@contoso.example", []string{"ada@contoso.example"}, strings.NewReader(text))
	fmt.Println(receipt.With(smtpsend.Accepted), err)
	// Output:
	// [ada@contoso.example] <nil>
}

// The sign-in of go-mail's own client.
func ExampleClient_Auth() {
	t, end := testOf()
	defer end()
	srv := sandboxtest.Start(t)
	client, err := smtpsend.New(smtpsend.Options{Settings: srv.Environ()})
	if err != nil {
		fmt.Println(err)
		return
	}

	sender, err := mail.NewClient(srv.Host, mail.WithPort(srv.Port), mail.WithTLSPolicy(mail.TLSMandatory), mail.WithTLSConfig(srv.TLSConfig()),
		mail.WithSMTPAuthCustom(client.Auth(t.Context(), "noreply@contoso.example")))
	if err != nil {
		fmt.Println(err)
		return
	}
	m := mail.NewMsg()
	if err := errors.Join(m.From("noreply@contoso.example"), m.To("ada@contoso.example")); err != nil {
		fmt.Println(err)
		return
	}
	m.Subject("hi")
	m.SetBodyString(mail.TypeTextPlain, "Hello Ada\n")
	fmt.Println(sender.DialAndSend(m), len(srv.Messages()))
	// Output:
	// <nil> 1
}

// The sign-in of net/smtp.
func ExampleClient_NetAuth() {
	t, end := testOf()
	defer end()
	srv := sandboxtest.Start(t)
	client, err := smtpsend.New(smtpsend.Options{Settings: srv.Environ()})
	if err != nil {
		fmt.Println(err)
		return
	}

	auth := client.NetAuth(t.Context(), "noreply@contoso.example")
	fmt.Println(submitByNetSMTP(srv, auth, true), len(srv.Messages()))
	fmt.Println(submitByNetSMTP(srv, auth, false)) // without STARTTLS
	// Output:
	// <nil> 1
	// smtpsend: no TLS: the access token is not sent unencrypted
}

// The sign-in of emersion/go-smtp, by package xoauth2.
func ExampleClient_Token() {
	t, end := testOf()
	defer end()
	srv := sandboxtest.Start(t)
	client, err := smtpsend.New(smtpsend.Options{Settings: srv.Environ()})
	if err != nil {
		fmt.Println(err)
		return
	}

	token, err := client.Token(t.Context())
	if err != nil {
		fmt.Println(err)
		return
	}
	c, err := smtp.DialStartTLS(srv.Addr, srv.TLSConfig())
	if err != nil {
		fmt.Println(err)
		return
	}
	defer c.Close()
	if err := c.Auth(xoauth2.NewClient("noreply@contoso.example", token.AccessToken)); err != nil {
		client.Invalidate(token) // only when the server refused it, with reply 535
		fmt.Println(err)
		return
	}
	text := "From: noreply@contoso.example\r\nTo: ada@contoso.example\r\nSubject: hi\r\n\r\nHello Ada\r\n"
	fmt.Println(c.SendMail("noreply@contoso.example", []string{"ada@contoso.example"}, strings.NewReader(text)), c.Quit())
	// Output:
	// <nil> <nil>
}
