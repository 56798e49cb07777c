package account

import (
	"context"
	"errors"
	"strings"

	"golang.org/x/oauth2"

	"github.com/smtpsend/smtpsend/internal/bearer"
	"github.com/smtpsend/smtpsend/internal/loopback"
	"github.com/smtpsend/smtpsend/internal/setting/choice"
	"github.com/smtpsend/smtpsend/xoauth2"
)

// What SignIn.Start refuses: a token is as good as a password to whoever gets it.
var (
	ErrNoTLS       = errors.New("no TLS: the access token is not sent unencrypted")
	ErrOtherServer = errors.New("not the server of the settings: the access token is not sent there")
)

// SignIn is XOAUTH2 for a client that is not ours, with the token of the account. It
// is for one connection at a time, one after another.
type SignIn struct {
	account *Account
	mailbox string
	sasl    *xoauth2.Client // of the exchange under way
	token   *oauth2.Token
}

// SignIn returns the sign-in as mailbox; "" is that of the settings.
func (a *Account) SignIn(mailbox string) *SignIn {
	if mailbox == "" {
		mailbox = a.cfg.SMTPUserName
	}
	if sender, err := Sender(a.cfg, "", ""); mailbox == "" && err == nil && !sender.IsZero() {
		mailbox = sender.Addr()
	}
	return &SignIn{account: a, mailbox: mailbox}
}

// Start takes a token and returns the mechanism's name and the initial response. It
// refuses a connection without TLS (ErrNoTLS), but for this machine where the settings
// say so, and a server that is not that of the settings (ErrOtherServer). Other
// errors are a *bearer.Error, when there is no token, and an *xoauth2.FieldError.
func (s *SignIn) Start(ctx context.Context, server string, tls bool) (mechanism string, initialResponse []byte, err error) {
	cfg := s.account.cfg
	clear := cfg.SMTPSecurity == choice.SecurityNone && loopback.Host(server)
	if !tls && !clear {
		return "", nil, ErrNoTLS
	}
	if !strings.EqualFold(strings.Trim(server, "[]"), strings.Trim(cfg.MailServer, "[]")) {
		return "", nil, ErrOtherServer
	}
	if s.token, err = s.account.Token(ctx); err != nil {
		return "", nil, &bearer.Error{Err: err}
	}
	s.sasl = xoauth2.NewClient(s.mailbox, s.token.AccessToken)
	return s.sasl.Start()
}

// Next answers a challenge; more is false for the server's final reply. A token that
// the challenge refuses is not given again.
func (s *SignIn) Next(challenge []byte, more bool) (response []byte, err error) {
	if !more {
		return nil, nil
	}
	if s.sasl == nil {
		return nil, xoauth2.ErrUnexpectedChallenge
	}
	response, err = s.sasl.Next(challenge)
	if s.sasl.Result() != nil {
		s.account.Invalidate(s.token)
	}
	return response, err
}
