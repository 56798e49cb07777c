package tokencache_test

import (
	"errors"
	"fmt"
	"log"
	"net"
	"strconv"

	"github.com/wneessen/go-mail"
	"github.com/wneessen/go-mail/smtp"
	"golang.org/x/oauth2"
	"golang.org/x/oauth2/clientcredentials"

	"github.com/smtpsend/smtpsend/tokencache"
	"github.com/smtpsend/smtpsend/xoauth2"
)

// auth is go-mail's smtp.Auth with a token that is got when a session needs
// it. Go's net/smtp has the same interface.
type auth struct {
	mailbox string
	tokens  oauth2.TokenSource
	client  *xoauth2.Client // of the session
}

func (a *auth) Start(server *smtp.ServerInfo) (mechanism string, response []byte, err error) {
	if !server.TLS {
		return "", nil, errors.New("no token is sent without TLS")
	}
	token, err := a.tokens.Token()
	if err != nil {
		return "", nil, err
	}
	a.client = xoauth2.NewClient(a.mailbox, token.AccessToken)
	return a.client.Start()
}

func (a *auth) Next(challenge []byte, more bool) ([]byte, error) {
	if !more {
		return nil, nil
	}
	return a.client.Next(challenge)
}

// Mail by go-mail with a token of the cache.
func ExampleCache_TokenSource() {
	service := startService()
	defer service.Close()

	cache := tokencache.New(&clientcredentials.Config{
		ClientID: "11111111-2222-3333-4444-555555555555", ClientSecret: "the-secret", TokenURL: service.TokenURL,
		Scopes: []string{"https://outlook.office365.com/.default"}, AuthStyle: oauth2.AuthStyleInParams,
	}, tokencache.Options{})

	host, port, _ := net.SplitHostPort(service.SMTPAddr)
	number, _ := strconv.Atoi(port)
	client, err := mail.NewClient(host, mail.WithPort(number), mail.WithTLSPolicy(mail.TLSMandatory), mail.WithTLSConfig(service.TLS),
		mail.WithSMTPAuthCustom(&auth{mailbox: "ada@contoso.example", tokens: cache.TokenSource(service.Context())}))
	if err != nil {
		log.Fatal(err)
	}
	message := mail.NewMsg()
	if err := errors.Join(message.From("ada@contoso.example"), message.To("bob@contoso.example")); err != nil {
		log.Fatal(err)
	}
	message.Subject("hello")
	message.SetBodyString(mail.TypeTextPlain, "hello")
	if err := client.DialAndSend(message); err != nil {
		log.Fatal(err)
	}
	fmt.Println("accepted:", message.IsDelivered())
	// Output:
	// accepted: true
}
