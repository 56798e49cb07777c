package exchangeonline

import (
	"context"
	"log/slog"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/exchange"
	"github.com/smtpsend/smtpsend/internal/sandbox/tenant"
	"github.com/smtpsend/smtpsend/internal/smtpserver"
)

// Refusals of High Volume Email that do not depend on the tenant.
const (
	hveMalformed tenant.HVERefusal = "501 5.5.121 Invalid XOAUTH2 argument"
	hveExpiring  tenant.HVERefusal = "501 5.5.127 Invalid XOAUTH2 auth data - Token will expire soon"
	hveExpired   tenant.HVERefusal = "535 5.7.143 Expired token"
	hveMailFrom  tenant.HVERefusal = "550 5.7.62 The MAIL FROM address differs from the authenticated account"
	hveExternal  tenant.HVERefusal = "550 5.5.105 External sending is not supported for High Volume Email accounts"
	hveFrom      tenant.HVERefusal = "550 5.6.241 The From header address differs from the authenticated account"
)

// admitHVE is the sign-in of High Volume Email. It names what is wrong.
func admitHVE(ctx context.Context, x *session, user, token string, malformed error) smtpserver.Reply {
	now := time.Now()
	if malformed != nil {
		return refuseHVE(ctx, x, hveMalformed)
	}
	c, err := x.service.tokens.Verify(token, now)
	switch {
	case err != nil && strings.HasSuffix(err.Error(), ": expired"):
		return refuseHVE(ctx, x, hveExpired)
	case err != nil:
		return x.unsuccessful(ctx, err.Error())
	case c.Expires-now.Unix() < exchange.HVETokenLife:
		return refuseHVE(ctx, x, hveExpiring)
	}
	m, refusal := x.service.tenant.AuthorizeHVE(c, user, now)
	if refusal != "" {
		return refuseHVE(ctx, x, refusal)
	}
	x.mailbox, x.app, x.tokenID = m, x.service.tenant.Application(c.AppID), c.TokenID
	x.placed = x.service.limits.enter(m.Address)
	return smtpserver.Say(235, "2.7.0 Authentication successful")
}

// refuseHVE says that, and logs it.
func refuseHVE(ctx context.Context, x *session, why tenant.HVERefusal) smtpserver.Reply {
	x.service.log.LogAttrs(ctx, slog.LevelInfo, "refused", slog.String("mailbox", x.user), slog.String("reason", string(why)), slog.String("session", x.id))
	return sampleReply(string(why))
}

// identityHVE refuses a From that is not the account.
func identityHVE(ctx context.Context, x *session, f fields) *smtpserver.Reply {
	for _, from := range f.from {
		if !strings.EqualFold(from, x.mailbox.Address) {
			r := refuseHVE(ctx, x, hveFrom)
			return &r
		}
	}
	return nil
}

// MaxSize is the content that is taken, in octets.
func (s *Service) MaxSize() int64 {
	if s.opts.HVE {
		return exchange.HVEMessageSize
	}
	return exchange.MessageSize
}
