package tenant

import (
	"bytes"
	"encoding/json"
	"fmt"
	"time"

	"github.com/smtpsend/smtpsend/internal/sandbox/keyring"
)

// Scenario describes a tenant: what its admins have set up, rightly or not. It
// is read from JSON by ParseScenario; field names there are those of the tags.
type Scenario struct {
	TenantID         string        `json:"tenant_id,omitempty"`          // "" is random
	Domain           string        `json:"domain,omitempty"`             // accepted domain, "" is contoso.example
	SMTPAuthDisabled bool          `json:"smtp_auth_disabled,omitempty"` // for the tenant; a mailbox's own switch wins
	Mailboxes        []Mailbox     `json:"mailboxes,omitempty"`          // none: every address in Domain is one
	Applications     []Application `json:"applications,omitempty"`       // none: one of the default kind
}

// Mailbox is one that differs from the default or, when any is given, exists.
type Mailbox struct {
	Address  string   `json:"address"`
	Aliases  []string `json:"aliases,omitempty"`   // further addresses, which it may send as
	SMTPAuth string   `json:"smtp_auth,omitempty"` // "on", "off"; "" leaves it to the tenant
}

// Application is an app registration with its enterprise application, and what
// Exchange knows of it. Lists of addresses may hold "*", every mailbox.
type Application struct {
	Name          string   `json:"name,omitempty"`
	ClientID      string   `json:"client_id,omitempty"`     // "" is random
	ObjectID      string   `json:"object_id,omitempty"`     // of the enterprise application; "" is random
	ClientSecret  string   `json:"client_secret,omitempty"` // "" is random
	SecretExpired bool     `json:"secret_expired,omitempty"`
	Disabled      bool     `json:"disabled,omitempty"`
	Roles         []string `json:"roles,omitempty"`       // application permissions of Office 365 Exchange Online
	GraphRoles    []string `json:"graph_roles,omitempty"` // those of Microsoft Graph
	Audience      string   `json:"audience,omitempty"`    // forces the aud of every token

	// Keys are the credentials that are registered, the first of which is ClientSecret.
	// Tenant.New makes them.
	Keys *keyring.Ring `json:"-"`

	// RegisteredObjectID is what New-ServicePrincipal was given; "" is the
	// right one, "none" that it was never run.
	RegisteredObjectID string   `json:"registered_object_id,omitempty"`
	FullAccess         []string `json:"full_access,omitempty"` // Add-MailboxPermission
	SendAs             []string `json:"send_as,omitempty"`     // Add-RecipientPermission: From of other mailboxes
	RBACScope          []string `json:"rbac_scope,omitempty"`  // Application SMTP.SendAsApp over these mailboxes
	HVEAccess          []string `json:"hve_access,omitempty"`  // Add-HVEAppAccess to these High Volume Email accounts
	// EffectiveAfterSeconds is how long after the start Exchange learns of all
	// that; the sandbox's time scale shortens it.
	EffectiveAfterSeconds int `json:"effective_after_seconds,omitempty"`

	registration string // object ID of the app registration, made by New
}

// roleSendAsApp is the application permission of the classic way.
const roleSendAsApp = "SMTP.SendAsApp"

const defaultDomain = "contoso.example"

// DefaultScenario is a tenant where one application may submit for every
// mailbox of contoso.example, authorised in the classic way.
func DefaultScenario() *Scenario {
	return &Scenario{Domain: defaultDomain, Applications: []Application{{
		Name: "smtpsend", Roles: []string{roleSendAsApp}, FullAccess: []string{"*"},
	}}}
}

// ParseScenario reads JSON; unknown fields are errors, because a misspelt grant
// would look like the failure it is meant to cause.
func ParseScenario(data []byte) (*Scenario, error) {
	decoder := json.NewDecoder(bytes.NewReader(data))
	decoder.DisallowUnknownFields()
	s := &Scenario{}
	if err := decoder.Decode(s); err != nil {
		return nil, fmt.Errorf("reading scenario: %w", err)
	}
	for _, m := range s.Mailboxes {
		if m.SMTPAuth != "" && m.SMTPAuth != "on" && m.SMTPAuth != "off" {
			return nil, fmt.Errorf("reading scenario: smtp_auth of %s is %q, not on, off or empty", m.Address, m.SMTPAuth)
		}
	}
	return s, nil
}

// Setup is a tenant that looks healthy and is not. Change is made to the first
// application.
type Setup struct {
	Name, About string
	Change      func(*Application)
}

// propagation is what Microsoft documents for App RBAC: 30 minutes to 2 hours.
const propagation = 30 * time.Minute

// Setups are the ways to look right that the issues name. Each ends, where the
// token is issued at all, in the same "535 5.7.3 Authentication unsuccessful".
func Setups() []Setup {
	return []Setup{
		{"wrong-object-id", "New-ServicePrincipal was given the object id of the app registration",
			func(a *Application) { a.RegisteredObjectID = NewGUID() }},
		{"service-principal-missing", "New-ServicePrincipal was never run",
			func(a *Application) { a.RegisteredObjectID = registeredNone }},
		{"role-missing", "mailbox permission, but no role SMTP.SendAsApp in Entra",
			func(a *Application) { a.Roles = nil }},
		{"role-with-app-rbac", "App RBAC and also the role, so that Exchange requires a mailbox permission too",
			func(a *Application) { a.FullAccess, a.RBACScope = nil, []string{"*"} }},
		{"no-mailbox-grant", "the role, but no mailbox permission",
			func(a *Application) { a.FullAccess = nil }},
		{"mailbox-outside-scope", "App RBAC, with a scope that does not include the mailbox",
			func(a *Application) {
				a.Roles, a.FullAccess, a.RBACScope = nil, nil, []string{"scanner@" + defaultDomain}
			}},
		{"propagation-delay", "everything is right, but Exchange does not know it yet",
			func(a *Application) { a.EffectiveAfterSeconds = int(propagation / time.Second) }},
		{"token-for-other-cloud", "a token for the US government cloud",
			func(a *Application) { a.Audience = "https://outlook.office365.us" }},
		{"token-for-graph", "a token for Microsoft Graph, whatever scope the client asks for",
			func(a *Application) {
				a.Audience, a.Roles, a.GraphRoles = AudienceGraph, nil, []string{"Mail.Send"}
			}},
		{"graph-roles-only", "permissions of Microsoft Graph instead of Exchange Online's",
			func(a *Application) { a.Roles, a.GraphRoles, a.FullAccess = nil, []string{"Mail.Send"}, nil }},
		{"app-rbac", "no failure: App RBAC for every mailbox, and no role",
			func(a *Application) { a.Roles, a.FullAccess, a.RBACScope = nil, nil, []string{"*"} }},
	}
}
