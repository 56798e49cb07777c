// Package tenant is a tenant of Microsoft 365 as its administrators set it up,
// rightly or not: mailboxes, applications, and who may do what. A [Scenario]
// describes it, [New] fills the blanks, and [Tenant.Authorize] decides as
// Exchange Online does, with both ways of authorising an application: the role
// SMTP.SendAsApp with mailbox permissions, and App RBAC with a scope.
//
// [Setups] are the ways in which a tenant looks right and is not.
package tenant

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/exchange"
	"github.com/smtpsend/smtpsend/internal/sandbox/accesstoken"
	"github.com/smtpsend/smtpsend/internal/sandbox/keyring"
)

// AudienceGraph is the audience of tokens for Microsoft Graph.
const AudienceGraph = "https://graph.microsoft.com"

const registeredNone = "none"

// Tenant is a scenario with every blank filled. But for the credentials of its
// applications it does not change after New, and decides who may do what.
type Tenant struct {
	ID, Domain string

	smtpAuthDisabled bool
	mailboxes        map[string]*Mailbox // by lower-case address and alias; nil: all of Domain
	apps             []*Application
	started          time.Time
	timeScale        float64
}

// New returns the tenant that s describes, with the changes of setups made to its
// first application. Time passes timeScale times faster for the scenario's
// EffectiveAfterSeconds, which begin now; a timeScale of 0 is 1.
func New(s *Scenario, setups []Setup, timeScale float64) (*Tenant, error) {
	t := &Tenant{
		ID: orNew(s.TenantID, NewGUID), Domain: s.Domain, smtpAuthDisabled: s.SMTPAuthDisabled,
		started: time.Now(), timeScale: timeScale,
	}
	if t.Domain == "" {
		t.Domain = defaultDomain
	}
	if t.timeScale <= 0 {
		t.timeScale = 1
	}
	for _, m := range s.Mailboxes {
		if t.mailboxes == nil {
			t.mailboxes = map[string]*Mailbox{}
		}
		for _, address := range append([]string{m.Address}, m.Aliases...) {
			address = strings.ToLower(address)
			if t.mailboxes[address] != nil {
				return nil, fmt.Errorf("reading scenario: address %s belongs to two mailboxes", address)
			}
			t.mailboxes[address] = &m
		}
	}
	apps := s.Applications
	if len(apps) == 0 {
		apps = DefaultScenario().Applications
	}
	for i, a := range apps {
		if i == 0 {
			for _, b := range setups {
				b.Change(&a)
			}
		}
		t.add(a)
	}
	return t, nil
}

func (t *Tenant) add(a Application) {
	a.ClientID = orNew(a.ClientID, NewGUID)
	a.ObjectID = orNew(a.ObjectID, NewGUID)
	a.ClientSecret = orNew(a.ClientSecret, newClientSecret)
	a.RegisteredObjectID = orNew(a.RegisteredObjectID, func() string { return a.ObjectID })
	if a.Name == "" {
		a.Name = "app"
	}
	a.Keys = &keyring.Ring{}
	if k := a.Keys.AddSecret(a.ClientSecret); a.SecretExpired {
		_ = a.Keys.Expire(k.ID) // it was just added
	}
	a.registration = NewGUID()
	t.apps = append(t.apps, &a)
}

func orNew(s string, make func() string) string {
	if s == "" {
		return make()
	}
	return s
}

// NewGUID returns a random UUID (RFC 9562 5.4).
func NewGUID() string {
	var b [16]byte
	_, _ = rand.Read(b[:]) // never fails
	b[6], b[8] = b[6]&0x0f|0x40, b[8]&0x3f|0x80
	s := hex.EncodeToString(b[:])
	return s[:8] + "-" + s[8:12] + "-" + s[12:16] + "-" + s[16:20] + "-" + s[20:]
}

// newClientSecret looks like Entra's: 40 characters with "8Q~" inside, by which
// secret scanners know them.
func newClientSecret() string {
	s := rand.Text() + rand.Text()
	return s[:3] + "8Q~" + s[3:37]
}

// First returns the first application of the scenario.
func (t *Tenant) First() *Application { return t.apps[0] }

// Application finds an application by its client ID, nil when there is none.
func (t *Tenant) Application(clientID string) *Application {
	return t.Find(func(a *Application) bool { return strings.EqualFold(a.ClientID, clientID) })
}

// Find returns the first application that fits, nil when there is none.
func (t *Tenant) Find(fits func(*Application) bool) *Application {
	for _, a := range t.apps {
		if fits(a) {
			return a
		}
	}
	return nil
}

// RolesFor are the roles that a token for audience carries.
func (a *Application) RolesFor(audience string) []string {
	if audience == AudienceGraph {
		return a.GraphRoles
	}
	return a.Roles
}

// mailbox finds the mailbox of an address or alias, nil when there is none.
func (t *Tenant) mailbox(address string) *Mailbox {
	address = strings.ToLower(address)
	if t.mailboxes != nil {
		return t.mailboxes[address]
	}
	if local, domain, ok := strings.Cut(address, "@"); ok && local != "" && domain == strings.ToLower(t.Domain) {
		return &Mailbox{Address: address}
	}
	return nil
}

// Authorize is Exchange's decision over a verified token and a mailbox. Its
// reason is for the sandbox's log: the client is told nothing.
func (t *Tenant) Authorize(c accesstoken.Claims, address string, now time.Time) (m *Mailbox, refusal string) {
	app := t.Application(c.AppID)
	m = t.mailbox(address)
	switch {
	case c.TenantID != t.ID:
		return nil, "token of another tenant"
	case !IsExchange(c.Audience):
		return nil, "token for audience " + c.Audience
	case app == nil:
		return nil, "unknown application"
	case now.Before(t.effective(app)):
		return nil, "set up only recently"
	case app.RegisteredObjectID == registeredNone:
		return nil, "application has no service principal in Exchange"
	case app.RegisteredObjectID != c.ObjectID:
		return nil, "service principal in Exchange has another object id"
	case m == nil:
		return nil, "no such mailbox"
	}
	// The role makes Exchange look for a mailbox permission, and only for that:
	// App RBAC is for tokens without it.
	if slices.Contains(c.Roles, roleSendAsApp) {
		if !covers(app.FullAccess, m.Address) {
			return nil, "role, but no permission on the mailbox"
		}
	} else if !covers(app.RBACScope, m.Address) {
		return nil, "no role, and mailbox not in the scope of an App RBAC assignment"
	}
	return m, ""
}

// effective is when Exchange learns of an application's rights.
func (t *Tenant) effective(app *Application) time.Time {
	after := time.Duration(app.EffectiveAfterSeconds) * time.Second
	return t.started.Add(time.Duration(float64(after) / t.timeScale))
}

// IsExchange reports whether audience is one of Exchange Online's.
func IsExchange(audience string) bool {
	switch audience {
	case "https://" + exchange.Resource, "https://outlook.office.com", exchange.ResourceID:
		return true
	}
	return false
}

func covers(list []string, address string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return s == "*" || strings.EqualFold(s, address) })
}

// SMTPAuthOff says which switch keeps m from SMTP AUTH: "Mailbox", "Tenant", or
// "" for none.
func (t *Tenant) SMTPAuthOff(m *Mailbox) string {
	switch {
	case m.SMTPAuth == "off":
		return "Mailbox"
	case m.SMTPAuth == "" && t.smtpAuthDisabled:
		return "Tenant"
	}
	return ""
}

// MaySendAs reports whether m, used by the application, may have from as its
// From or reverse-path.
func (t *Tenant) MaySendAs(m *Mailbox, app *Application, from string) bool {
	return strings.EqualFold(m.Address, from) || covers(m.Aliases, from) || covers(app.SendAs, from)
}
