package sandbox

import (
	"crypto/rand"
	"crypto/subtle"
	"encoding/hex"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/exchange"
)

const (
	audienceExchange = "https://" + exchange.Resource
	audienceGraph    = "https://graph.microsoft.com"
	registeredNone   = "none"
)

// tenant is a scenario with every blank filled. It does not change after the
// start and decides who may do what.
type tenant struct {
	id, domain       string
	smtpAuthDisabled bool
	mailboxes        map[string]*Mailbox // by lower-case address and alias; nil: all of domain
	apps             []*Application
	started          time.Time
	scaled           func(time.Duration) time.Duration
}

func newTenant(s *Scenario, broken []setup, scaled func(time.Duration) time.Duration) (*tenant, error) {
	t := &tenant{
		id: orNew(s.TenantID, newGUID), domain: s.Domain, smtpAuthDisabled: s.SMTPAuthDisabled,
		started: time.Now(), scaled: scaled,
	}
	if t.domain == "" {
		t.domain = defaultDomain
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
			for _, b := range broken {
				b.change(&a)
			}
		}
		t.add(a)
	}
	return t, nil
}

func (t *tenant) add(a Application) {
	a.ClientID = orNew(a.ClientID, newGUID)
	a.ObjectID = orNew(a.ObjectID, newGUID)
	a.ClientSecret = orNew(a.ClientSecret, newClientSecret)
	a.RegisteredObjectID = orNew(a.RegisteredObjectID, func() string { return a.ObjectID })
	if a.Name == "" {
		a.Name = "app"
	}
	t.apps = append(t.apps, &a)
}

func orNew(s string, make func() string) string {
	if s == "" {
		return make()
	}
	return s
}

// newGUID returns a random UUID (RFC 9562 5.4).
func newGUID() string {
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

func (t *tenant) app(clientID string) *Application {
	for _, a := range t.apps {
		if strings.EqualFold(a.ClientID, clientID) {
			return a
		}
	}
	return nil
}

func (a *Application) hasSecret(s string) bool {
	return subtle.ConstantTimeCompare([]byte(a.ClientSecret), []byte(s)) == 1
}

// rolesFor are the roles that a token for audience carries.
func (a *Application) rolesFor(audience string) []string {
	if audience == audienceGraph {
		return a.GraphRoles
	}
	return a.Roles
}

// mailbox finds the mailbox of an address or alias, nil when there is none.
func (t *tenant) mailbox(address string) *Mailbox {
	address = strings.ToLower(address)
	if t.mailboxes != nil {
		return t.mailboxes[address]
	}
	if local, domain, ok := strings.Cut(address, "@"); ok && local != "" && domain == strings.ToLower(t.domain) {
		return &Mailbox{Address: address}
	}
	return nil
}

// authorize is Exchange's decision over a verified token and a mailbox. Its
// reason is for the sandbox's log: the client is told nothing.
func (t *tenant) authorize(c claims, address string, now time.Time) (m *Mailbox, refusal string) {
	app := t.app(c.AppID)
	m = t.mailbox(address)
	switch {
	case c.TenantID != t.id:
		return nil, "token of another tenant"
	case !isExchange(c.Audience):
		return nil, "token for audience " + c.Audience
	case app == nil:
		return nil, "unknown application"
	case now.Before(t.started.Add(t.scaled(time.Duration(app.EffectiveAfterSeconds) * time.Second))):
		return nil, "set up too short a time ago"
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

func isExchange(audience string) bool {
	switch audience {
	case audienceExchange, "https://outlook.office.com", exchange.ResourceID:
		return true
	}
	return false
}

func covers(list []string, address string) bool {
	return slices.ContainsFunc(list, func(s string) bool { return s == "*" || strings.EqualFold(s, address) })
}

// smtpAuthOff says which switch keeps m from SMTP AUTH: "Mailbox", "Tenant", or
// "" for none.
func (t *tenant) smtpAuthOff(m *Mailbox) string {
	switch {
	case m.SMTPAuth == "off":
		return "Mailbox"
	case m.SMTPAuth == "" && t.smtpAuthDisabled:
		return "Tenant"
	}
	return ""
}

// maySendAs reports whether m, used by the application, may have from as its
// From or reverse-path.
func (t *tenant) maySendAs(m *Mailbox, app *Application, from string) bool {
	return strings.EqualFold(m.Address, from) || covers(m.Aliases, from) || covers(app.SendAs, from)
}
