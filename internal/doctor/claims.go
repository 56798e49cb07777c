package doctor

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/exchange"
	"github.com/smtpsend/smtpsend/internal/lazyregexp"
)

var guid = lazyregexp.New(`^(?i)[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}$`)

// readClaims looks at what the token says about itself. Nothing in it is a
// failure: only AUTH decides, and a token without roles is right for App RBAC.
func (e *endpoint) readClaims(context.Context) {
	if e.record.blocked(nameClaims, nameToken) {
		return
	}
	c := Check{Name: nameClaims, Status: OK}
	claims, err := diagnosis.ReadClaims(e.access.Reveal())
	if err != nil {
		c.Status, c.Seen = Warn, "cannot be read: "+err.Error()
		e.record.add(c)
		return
	}
	claims.Wanted, claims.HVE = diagnosis.Resource(e.o.Token.Scopes), e.o.HVE
	e.record.claims = &claims
	e.record.facts.ObjectID = claims.ObjectID
	roles := "no roles"
	if len(claims.Roles) > 0 {
		roles = "roles " + strings.Join(claims.Roles, ", ")
	}
	c.Seen = fmt.Sprintf("for %s, %s", claims.Audience, roles)
	c.Notes = []string{
		"appid " + claims.AppID + ": the client id",
		"oid   " + claims.ObjectID + ": the enterprise application, for " + objectIDUse(e.o),
		"tid   " + claims.TenantID + ": the tenant",
		"uti   " + claims.TokenID + ": this token in the logs of Entra",
	}
	if note := credentialNote(claims.AppIDACR); note != "" {
		c.Notes = append(c.Notes, note)
	}
	if odd := oddClaims(e.o, claims); len(odd) > 0 {
		c.Status = Warn
		c.Notes = append(c.Notes, odd...)
	} else {
		c.Notes = append(c.Notes, wayNote(e.o, claims))
	}
	e.record.add(c)
}

// objectIDUse is the command that wants the enterprise application's object id.
func objectIDUse(o Options) string {
	if o.HVE {
		return "Add-HVEAppAccess -AppIds"
	}
	return "New-ServicePrincipal -ObjectId"
}

func credentialNote(acr string) string {
	switch acr {
	case "1":
		return "signed in with a client secret"
	case "2":
		return "signed in with a certificate or an assertion"
	}
	return ""
}

// wayNote says which of the two ways to authorise the token fits.
func wayNote(o Options, c diagnosis.Claims) string {
	switch {
	case o.HVE:
		return exchange.HVERole + ": what High Volume Email asks for. The account also has to allow the application: Add-HVEAppAccess -Identity " +
			o.Session.Mailbox + " -AppIds " + c.ObjectID
	case c.HasRole("SMTP.SendAsApp"):
		return "SMTP.SendAsApp: the classic way. Exchange then also asks for FullAccess on the mailbox (Add-MailboxPermission); for App RBAC, remove the role"
	case len(c.Roles) == 0:
		return "no roles: right for App RBAC (Application SMTP.SendAsApp, given in Exchange), wrong for the classic way, which needs SMTP.SendAsApp with admin consent"
	}
	return "SMTP.SendAsApp is not among the roles: right for App RBAC only. The classic way needs it, with admin consent; High Volume Email needs Mail.Send"
}

// oddClaims are the signs of a token that Exchange will refuse, by the settings in o.
func oddClaims(o Options, c diagnosis.Claims) []string {
	var odd []string
	if o.HVE && !c.HasRole(exchange.HVERole) {
		odd = append(odd, "the roles do not have "+exchange.HVERole+" of Office 365 Exchange Online (application permission, with admin consent), which High Volume Email asks for")
	}
	if !c.ForExchange() {
		odd = append(odd, "the token is for "+c.Audience+", not for Exchange Online")
	} else if c.OtherCloud() {
		odd = append(odd, "the token is for "+c.Audience+", although "+c.Wanted+" was asked for: that is another cloud's Exchange Online")
	}
	if t := o.TenantID; guid.Get().MatchString(t) && c.TenantID != "" && !strings.EqualFold(t, c.TenantID) {
		odd = append(odd, "the token is from tenant "+c.TenantID+", but the settings name "+t)
	}
	if id := o.Token.ClientID; id != "" && c.AppID != "" && !strings.EqualFold(c.AppID, id) { // a managed identity needs none
		odd = append(odd, "the token is for application "+c.AppID+", but the settings name "+id)
	}
	if c.Scopes != "" {
		odd = append(odd, "the token has scp ("+c.Scopes+"): it is a user's, and opens that user's mailbox only")
	}
	if !c.Expires.IsZero() && time.Now().After(c.Expires) {
		odd = append(odd, "the token expired at "+c.Expires.Format(time.RFC3339)+" by this machine's clock")
	}
	if !c.NotBefore.IsZero() && time.Now().Before(c.NotBefore) {
		odd = append(odd, "the token is valid from "+c.NotBefore.Format(time.RFC3339)+" on by this machine's clock")
	}
	return odd
}
