package main

import (
	"context"
	"errors"
	"log"

	"github.com/smtpsend/smtpsend"
	"github.com/wneessen/go-mail"
)

func main() {
	client, err := smtpsend.FromEnv()
	if err != nil {
		log.Fatal(err)
	}
	sender, err := mail.NewClient("127.0.0.1", mail.WithPort(PORT), mail.WithTLSPolicy(mail.TLSMandatory),
		mail.WithSMTPAuthCustom(client.Auth(context.Background(), "noreply@contoso.example")))
	if err != nil {
		log.Fatal(err)
	}
	m := mail.NewMsg()
	if err := errors.Join(m.From("noreply@contoso.example"), m.To("ada@contoso.example")); err != nil {
		log.Fatal(err)
	}
	m.Subject("Nightly report")
	m.SetBodyString(mail.TypeTextPlain, "All is well.\n")
	if err := sender.DialAndSend(m); err != nil {
		log.Fatal(err)
	}
}
