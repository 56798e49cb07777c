package main

import (
	"context"
	"log"
	"strings"

	"github.com/emersion/go-smtp"
	"github.com/smtpsend/smtpsend"
	"github.com/smtpsend/smtpsend/xoauth2"
)

func main() {
	client, err := smtpsend.FromEnv()
	if err != nil {
		log.Fatal(err)
	}
	token, err := client.Token(context.Background())
	if err != nil {
		log.Fatal(err)
	}
	c, err := smtp.DialStartTLS("127.0.0.1:PORT", nil)
	if err != nil {
		log.Fatal(err)
	}
	defer c.Close()
	if err := c.Auth(xoauth2.NewClient("noreply@contoso.example", token.AccessToken)); err != nil {
		log.Fatal(err)
	}
	text := "From: noreply@contoso.example\r\nTo: ada@contoso.example\r\nSubject: Nightly report\r\n\r\nAll is well.\r\n"
	if err := c.SendMail("noreply@contoso.example", []string{"ada@contoso.example"}, strings.NewReader(text)); err != nil {
		log.Fatal(err)
	}
}
