package exchangeonline

import (
	"context"
	"fmt"
	"log/slog"
	"time"

	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/smtpserver"
	"github.com/smtpsend/smtpsend/xoauth2"
)

func (x *session) Auth(ctx context.Context, mechanism string, initial []byte, challenge func([]byte) ([]byte, error)) smtpserver.Reply {
	x.service.auths.Add(1)
	if x.peer.TLS() == nil {
		// Before STARTTLS no mechanism is known to the server.
		return smtpserver.Say(504, "5.7.4 Unrecognized authentication type "+x.bracket())
	}
	switch mechanism {
	case xoauth2.Mechanism:
		return x.xoauth2(ctx, initial, challenge)
	case "LOGIN":
		return x.login(challenge)
	}
	return smtpserver.Say(504, "5.7.4 Unrecognized authentication type "+x.bracket())
}

// login goes through the dialogue, so that the client learns why: its password
// may be right, but is not looked at.
func (x *session) login(challenge func([]byte) ([]byte, error)) smtpserver.Reply {
	for _, prompt := range []string{"Username:", "Password:"} {
		if _, err := challenge([]byte(prompt)); err != nil {
			return smtpserver.Reply{}
		}
	}
	return smtpserver.Say(535, "5.7.139 Authentication unsuccessful, basic authentication is disabled. "+x.bracket())
}

func (x *session) xoauth2(ctx context.Context, initial []byte, challenge func([]byte) ([]byte, error)) smtpserver.Reply {
	if initial == nil {
		var err error
		if initial, err = challenge(nil); err != nil {
			return smtpserver.Reply{}
		}
	}
	user, token, err := xoauth2.ParseInitialResponse(initial)
	x.user = user
	return x.answer(ctx, smtp.StageAuth, func() smtpserver.Reply {
		if x.service.opts.HVE {
			return admitHVE(ctx, x, user, token, err)
		}
		if err != nil {
			return x.unsuccessful(ctx, err.Error())
		}
		return x.admit(ctx, user, token)
	})
}

func (x *session) admit(ctx context.Context, user, token string) smtpserver.Reply {
	now := time.Now()
	c, err := x.service.tokens.Verify(token, now)
	if err != nil {
		return x.unsuccessful(ctx, err.Error())
	}
	m, refusal := x.service.tenant.Authorize(c, user, now)
	if refusal != "" {
		return x.unsuccessful(ctx, refusal)
	}
	if where := x.service.tenant.SMTPAuthOff(m); where != "" {
		return smtpserver.Say(535, fmt.Sprintf("5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the %s. "+
			"Visit https://aka.ms/smtp_auth_disabled for more information. %s", where, x.bracket()))
	}
	x.mailbox, x.app, x.tokenID = m, x.service.tenant.Application(c.AppID), c.TokenID
	x.placed = x.service.limits.enter(m.Address)
	return smtpserver.Say(235, "2.7.0 Authentication successful")
}

// unsuccessful is all that Exchange says, for whatever reason. The log has it.
func (x *session) unsuccessful(ctx context.Context, reason string) smtpserver.Reply {
	x.service.log.LogAttrs(ctx, slog.LevelInfo, "authentication refused",
		slog.String("mailbox", x.user), slog.String("reason", reason), slog.String("session", x.id))
	return smtpserver.Say(535, "5.7.3 Authentication unsuccessful "+x.bracket())
}
