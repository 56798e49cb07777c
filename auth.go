package smtpsend

import (
	"context"
	"errors"
	"fmt"
	"net/smtp"

	gomail "github.com/wneessen/go-mail/smtp"

	"github.com/smtpsend/smtpsend/internal/account"
	"github.com/smtpsend/smtpsend/internal/bearer"
)

// What Start of an Auth refuses: a token is as good as a password to whoever gets it.
var (
	ErrNoTLS       = account.ErrNoTLS
	ErrOtherServer = account.ErrOtherServer
)

// Auth returns XOAUTH2 as mailbox ("": that of the settings) for go-mail's client:
//
//	mail.NewClient("smtp.office365.com", mail.WithTLSPortPolicy(mail.TLSMandatory),
//		mail.WithSMTPAuthCustom(client.Auth(ctx, "noreply@contoso.com")))
//
// Each sign-in takes the token from the cache, or a new one, which ctx bounds. It
// refuses a connection without TLS (ErrNoTLS), unless the settings say that there is
// none, which they may for this machine alone; and a server that is not that of the
// settings (ErrOtherServer). A token that the server refuses by a challenge is not
// given again; Exchange Online refuses by reply 535 alone, which an Auth is not told:
// then give the Token to Invalidate. The result is for one connection at a time, one
// after another.
func (c *Client) Auth(ctx context.Context, mailbox string) gomail.Auth {
	return &goMailAuth{c.signIn(ctx, mailbox)}
}

// NetAuth is Auth for the standard library's net/smtp.
func (c *Client) NetAuth(ctx context.Context, mailbox string) smtp.Auth {
	return &netAuth{c.signIn(ctx, mailbox)}
}

func (c *Client) signIn(ctx context.Context, mailbox string) signIn {
	return signIn{c.account.SignIn(mailbox), ctx, c}
}

// signIn is one exchange after another. It keeps ctx, because the methods of an Auth
// have none.
type signIn struct {
	*account.SignIn
	ctx    context.Context
	client *Client
}

func (s *signIn) start(server string, tls bool) (mechanism string, initialResponse []byte, err error) {
	mechanism, initialResponse, err = s.Start(s.ctx, server, tls)
	if none, ok := errors.AsType[*bearer.Error](err); ok {
		return "", nil, s.client.tokenError(none.Err)
	}
	if err != nil {
		return "", nil, fmt.Errorf("smtpsend: %w", err)
	}
	return mechanism, initialResponse, nil
}

type goMailAuth struct{ signIn }

func (a *goMailAuth) Start(server *gomail.ServerInfo) (string, []byte, error) {
	return a.start(server.Name, server.TLS)
}

type netAuth struct{ signIn }

func (a *netAuth) Start(server *smtp.ServerInfo) (string, []byte, error) {
	return a.start(server.Name, server.TLS)
}
