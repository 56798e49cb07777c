package main

import (
	"context"
	"errors"
	"fmt"
	"log"

	"github.com/smtpsend/smtpsend"
	"github.com/wneessen/go-mail"
)

func main() {
	client, err := smtpsend.FromEnv() // SMTPSEND_* as for the command
	if err != nil {
		log.Fatal(err)
	}
	m := mail.NewMsg()
	if err := errors.Join(m.From("noreply@contoso.example"), m.To("ada@contoso.example")); err != nil {
		log.Fatal(err)
	}
	m.Subject("Nightly report")
	m.SetBodyString(mail.TypeTextPlain, "All is well.\n")
	fmt.Println(client.SendMsg(context.Background(), m)) // receipt, error
}
