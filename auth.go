package smtpsend

import (
	"context"
	"errors"
	"net/smtp"
	"strings"

	gomail "github.com/wneessen/go-mail/smtp"
	"golang.org/x/oauth2"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/loopback"
	"github.com/smtpsend/smtpsend/xoauth2"
)

// Start of an Auth returns these errors, because anyone who gets the token can use it as
// a password.
var (
	ErrNoTLS       = errors.New("smtpsend: no TLS: the access token is not sent unencrypted")
	ErrOtherServer = errors.New("smtpsend: not the server of the settings: the access token is not sent there")
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
	if mailbox == "" {
		mailbox = c.cfg.SMTPUserName
	}
	if mailbox == "" && !c.from.IsZero() {
		mailbox = c.from.Addr()
	}
	return signIn{ctx: ctx, client: c, mailbox: mailbox}
}

// signIn is one exchange after another.
type signIn struct {
	ctx     context.Context // kept, because the methods of an Auth have none
	client  *Client
	mailbox string
	sasl    *xoauth2.Client // of the exchange under way
	token   *oauth2.Token
}

func (s *signIn) start(server string, tls bool) (mechanism string, initialResponse []byte, err error) {
	cfg := s.client.cfg
	clear := cfg.SMTPSecurity == config.SecurityNone && loopback.Host(server)
	if !tls && !clear {
		return "", nil, ErrNoTLS
	}
	if !strings.EqualFold(strings.Trim(server, "[]"), strings.Trim(cfg.MailServer, "[]")) {
		return "", nil, ErrOtherServer
	}
	if s.token, err = s.client.Token(s.ctx); err != nil {
		return "", nil, err
	}
	s.sasl = xoauth2.NewClient(s.mailbox, s.token.AccessToken)
	return s.sasl.Start()
}

// Next answers a challenge; more is false for the server's final reply.
func (s *signIn) Next(challenge []byte, more bool) (response []byte, err error) {
	if !more {
		return nil, nil
	}
	if s.sasl == nil {
		return nil, xoauth2.ErrUnexpectedChallenge
	}
	response, err = s.sasl.Next(challenge)
	if s.sasl.Result() != nil {
		s.client.Invalidate(s.token)
	}
	return response, err
}

type goMailAuth struct{ signIn }

func (a *goMailAuth) Start(server *gomail.ServerInfo) (string, []byte, error) {
	return a.start(server.Name, server.TLS)
}

type netAuth struct{ signIn }

func (a *netAuth) Start(server *smtp.ServerInfo) (string, []byte, error) {
	return a.start(server.Name, server.TLS)
}
