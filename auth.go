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

// Start of an Auth returns these errors, because anyone who gets the token can use it as
// a password.
var (
	ErrNoTLS       = account.ErrNoTLS
	ErrOtherServer = account.ErrOtherServer
)

// Auth returns XOAUTH2 as mailbox ("": that of the settings) for go-mail's client:
//
//	mail.NewClient("smtp.office365.com", mail.WithTLSPortPolicy(mail.TLSMandatory),
//		mail.WithSMTPAuthCustom(client.Auth(ctx, "noreply@contoso.com")))
//
// Each sign-in takes the token from the cache, or fetches a new one; ctx limits the time
// for this. The Auth refuses a connection without TLS (ErrNoTLS), unless the settings
// switch TLS off, which they may only for a server on this machine. It also refuses a
// server that is not the one of the settings (ErrOtherServer). If the server refuses a
// token in a challenge, the token is not used again. Exchange Online refuses with the
// reply 535, which go-mail does not pass to an Auth: give the token to Invalidate
// yourself then. The Auth may be used for several connections, but only for one at a
// time.
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
