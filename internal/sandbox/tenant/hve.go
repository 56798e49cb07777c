package tenant

import (
	"slices"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/exchange"
	"github.com/smtpsend/smtpsend/internal/sandbox/accesstoken"
)

// HVEScenario is a tenant with High Volume Email, where one application may submit for
// every account of contoso.example.
func HVEScenario() *Scenario {
	return &Scenario{Domain: defaultDomain, Applications: []Application{{
		Name: "smtpsend", Roles: []string{exchange.HVERole}, HVEAccess: []string{"*"},
	}}}
}

// HVERefusal is the reply by which High Volume Email refuses.
type HVERefusal string

// The refusals of a sign-in; none is "". The service names what is wrong.
const (
	HVEUnsuccessful HVERefusal = "535 5.7.3 Authentication unsuccessful"
	HVEPermission   HVERefusal = "535 5.7.144 XOAUTH2 authentication failed. Invalid API permissions."
	HVEUser         HVERefusal = "501 5.5.124 Invalid XOAUTH2 auth data - User address provided is not valid"
	HVENotAllowed   HVERefusal = "550 5.7.240 The application is not allowed for use with this High Volume Email account"
)

// AuthorizeHVE is the decision of High Volume Email over a verified token and an account.
// Neither mailbox permissions nor the switches of SMTP
// AUTH count.
func (t *Tenant) AuthorizeHVE(c accesstoken.Claims, address string, now time.Time) (m *Mailbox, refusal HVERefusal) {
	app := t.Application(c.AppID)
	m = t.mailbox(address)
	switch {
	case c.TenantID != t.ID, !IsExchange(c.Audience), app == nil:
		return nil, HVEUnsuccessful
	case !slices.Contains(c.Roles, exchange.HVERole):
		return nil, HVEPermission
	case m == nil:
		return nil, HVEUser
	case !covers(app.HVEAccess, m.Address), now.Before(t.effective(app)):
		return nil, HVENotAllowed
	}
	return m, ""
}

// Accepts reports an address in an accepted domain of the tenant.
func (t *Tenant) Accepts(address string) bool {
	_, domain, _ := strings.Cut(address, "@")
	return strings.EqualFold(domain, t.Domain) || t.mailbox(address) != nil
}
