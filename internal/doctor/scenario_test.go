package doctor_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/doctor"
	"github.com/smtpsend/smtpsend/internal/sandbox"
	"github.com/smtpsend/smtpsend/internal/sandbox/tenant"
)

// TestTenCausesOfARefusedSignIn sets up each cause that people have met behind
// "535 5.7.3": doctor names it, or lists it among those that remain.
func TestTenCausesOfARefusedSignIn(t *testing.T) {
	const classic = "pointer, right, role in the way, mailbox, wait"
	const scoped = "pointer, scope, consent, mailbox, wait"
	for name, c := range map[string]struct {
		fault  string
		change func(*doctor.Options)
		code   string // named
		remain string // the causes that remain, in order; "" when it is named
		listed string // the right one among them
	}{
		"1 wrong object id":                {fault: "wrong-object-id", code: "auth-unsuccessful", remain: classic, listed: "pointer"},
		"2 New-ServicePrincipal never run": {fault: "service-principal-missing", code: "auth-unsuccessful", remain: classic, listed: "pointer"},
		"3 no right on the mailbox":        {fault: "no-mailbox-grant", code: "auth-unsuccessful", remain: classic, listed: "right"},
		"3 outside the scope of App RBAC":  {fault: "mailbox-outside-scope", code: "auth-unsuccessful", remain: scoped, listed: "scope"},
		"3 role beside App RBAC":           {fault: "role-with-app-rbac", code: "auth-unsuccessful", remain: classic, listed: "role in the way"},
		"4 no consent":                     {fault: "role-missing", code: "auth-unsuccessful", remain: scoped, listed: "consent"},
		"4 Graph's permissions only":       {fault: "graph-roles-only", code: "auth-unsuccessful", remain: "consent, pointer, scope, mailbox, wait", listed: "consent"},
		"5 token for Graph":                {fault: "token-for-graph", code: "token-not-for-exchange"},
		"5 scope of Graph": {change: func(o *doctor.Options) { o.Token.Scopes = []string{"https://graph.microsoft.com/.default"} },
			code: "token-not-for-exchange"},
		"5 unknown resource": {change: func(o *doctor.Options) { o.Token.Scopes = []string{"https://ps.outlook.com/.default"} },
			code: "resource-unknown"},
		"5 delegated scope": {change: func(o *doctor.Options) { o.Token.Scopes = []string{"https://outlook.office.com/SMTP.Send"} },
			code: "scope-invalid"},
		"5 token of another cloud":        {fault: "token-for-other-cloud", code: "wrong-cloud"},
		"6 SMTP AUTH off for the tenant":  {fault: "smtp-auth-disabled-tenant", code: "smtp-auth-disabled-tenant"},
		"6 SMTP AUTH off for the mailbox": {fault: "smtp-auth-disabled-mailbox", code: "smtp-auth-disabled-mailbox"},
		"7 user= is no mailbox": {change: func(o *doctor.Options) { o.Session.Mailbox = "nobody@fabrikam.example" },
			code: "auth-unsuccessful", remain: classic, listed: "mailbox"},
		"8 propagation": {fault: "propagation-delay", code: "auth-unsuccessful", remain: classic, listed: "wait"},
		"9 wrong tenant": {change: func(o *doctor.Options) {
			o.Token.TokenURL = strings.Replace(o.Token.TokenURL, o.TenantID, "11111111-2222-3333-4444-555555555555", 1)
		}, code: "tenant-unknown"},
		"9 endpoint of a tenant that the settings do not say": {fault: "wrong-object-id", change: func(o *doctor.Options) {
			o.TenantID = "99999999-2222-3333-4444-555555555555"
		}, code: "auth-unsuccessful", remain: "odd token, " + classic, listed: "odd token"},
		"10 token cut short":   {fault: "token-cut", code: "connection-closed"},
		"11 token has expired": {fault: "token-expired", code: "token-expired"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			var faults []string
			if c.fault != "" {
				faults = []string{c.fault}
			}
			_, o := start(t, sandbox.Options{}, faults...)
			if c.change != nil {
				c.change(&o)
			}
			r := doctor.Examine(t.Context(), o)
			if r.Finding == nil || r.Finding.Code != c.code {
				t.Fatalf("finding %+v, want %s", r.Finding, c.code)
			}
			var remain []string
			for _, s := range r.Suspects {
				remain = append(remain, short(s.Cause))
			}
			if got := strings.Join(remain, ", "); got != c.remain || !strings.Contains(got, c.listed) {
				t.Errorf("remaining %q, want %q", got, c.remain)
			}
			if r.Proof == "" || r.Healthy {
				t.Errorf("proof %q, healthy %v", r.Proof, r.Healthy)
			}
		})
	}
}

// short names a suspect by a word of its sentence.
func short(cause string) string {
	for _, word := range [][2]string{
		{"does not know the application", "pointer"}, {"no right on the mailbox", "right"}, {"prevents it", "role in the way"},
		{"does not cover the mailbox", "scope"}, {"was not granted", "consent"}, {"is not a mailbox", "mailbox"}, {"less than two hours", "wait"},
		{"the settings name", "odd token"},
	} {
		if strings.Contains(cause, word[0]) {
			return word[1]
		}
	}
	return cause
}

// TestCommandsOfSuspectsCarryTheReadersIDs: they are ready to paste, the object
// id is the enterprise application's, and no placeholder is left.
func TestCommandsOfSuspectsCarryTheReadersIDs(t *testing.T) {
	for _, fault := range []string{"wrong-object-id", "role-missing"} {
		scenario := tenant.DefaultScenario()
		scenario.Applications[0].ObjectID = "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee"
		box, o := start(t, sandbox.Options{Scenario: scenario}, fault)
		r := doctor.Examine(t.Context(), o)
		var all []string
		for _, s := range r.Suspects {
			if s.Tell == "" || s.Fix.Text == "" || s.Fix.Who == "" {
				t.Errorf("suspect %+v lacks something", s)
			}
			all = append(append(all, s.Look...), s.Fix.Commands...)
		}
		text := strings.Join(all, "\n")
		for _, want := range []string{
			"New-ServicePrincipal -AppId " + box.ClientID() + " -ObjectId aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee -DisplayName \"smtpsend\"",
			"Add-MailboxPermission -Identity " + mailbox + " -User $sp.Identity -AccessRights FullAccess",
			"Test-ServicePrincipalAuthorization -Identity " + box.ClientID() + " -Resource " + mailbox,
			"Connect-ExchangeOnline -Organization " + box.TenantID(),
		} {
			if !strings.Contains(text, want) {
				t.Errorf("%s: no command %q in\n%s", fault, want, text)
			}
		}
		if strings.ContainsAny(text, "<>{}") {
			t.Errorf("%s: a placeholder is left in\n%s", fault, text)
		}
		for _, command := range all {
			knownCmdlet(t, command)
		}
	}
}

// knownCmdlet holds the commands to those of the catalogue, where each cmdlet
// was checked against Microsoft's reference, and to a few that only look.
func knownCmdlet(t *testing.T, command string) {
	t.Helper()
	name, _, _ := strings.Cut(command, " ")
	switch name {
	case "smtpsend", "az", "$sp", "Get-MailboxPermission", "Add-DistributionGroupMember":
		return
	}
	for _, e := range diagnosis.Entries() {
		for _, f := range e.Fixes {
			for _, c := range f.Commands {
				if strings.HasPrefix(c, name+" ") {
					return
				}
			}
		}
	}
	t.Errorf("the catalogue has no command %q", name)
}

// TestCommandsDoNotRunWhatAValueHolds: values come from files and servers.
func TestCommandsDoNotRunWhatAValueHolds(t *testing.T) {
	_, o := start(t, sandbox.Options{}, "auth-unsuccessful")
	o.Session.Mailbox = "a;Remove-Item@contoso.example"
	r := doctor.Examine(t.Context(), o)
	if len(r.Suspects) == 0 {
		t.Fatal("no suspects")
	}
	for _, s := range r.Suspects {
		for _, c := range append(s.Look, s.Fix.Commands...) {
			if strings.Contains(c, ";Remove") {
				t.Errorf("command %q", c)
			}
		}
	}
}

func TestCommandsQuoteWhatAnAddressMayHold(t *testing.T) {
	_, o := start(t, sandbox.Options{}, "auth-unsuccessful")
	o.Session.Mailbox = "o'brien&$co@contoso.example"
	r := doctor.Examine(t.Context(), o)
	var all []string
	for _, s := range r.Suspects {
		all = append(all, append(s.Look, s.Fix.Commands...)...)
	}
	want := "Add-MailboxPermission -Identity 'o''brien&$co@contoso.example' -User $sp.Identity -AccessRights FullAccess"
	if !slices.Contains(all, want) {
		t.Errorf("no %q among %q", want, all)
	}
}

func TestAbsentRolesAreNoFailure(t *testing.T) {
	_, o := start(t, sandbox.Options{}, "app-rbac")
	r := doctor.Examine(t.Context(), o)
	c := check(t, r, "claims")
	if !r.Healthy || c.Status != doctor.OK || !strings.Contains(strings.Join(c.Notes, "\n"), "right for App RBAC") {
		t.Errorf("healthy %v, claims %+v", r.Healthy, c)
	}
}

func TestClockIsNamedWhenTimeIsTheReason(t *testing.T) {
	_, o := start(t, sandbox.Options{}, "clock-skew")
	r := doctor.Examine(t.Context(), o)
	if r.Finding == nil || r.Finding.Code != "clock-skew" || !strings.Contains(r.Proof, "behind") {
		t.Errorf("finding %+v, proof %q", r.Finding, r.Proof)
	}
	// A wrong clock beside a failure that has nothing to do with time is a remark.
	_, o = start(t, sandbox.Options{}, "clock-skew", "smtp-auth-disabled-tenant")
	r = doctor.Examine(t.Context(), o)
	if r.Finding == nil || r.Finding.Code != "smtp-auth-disabled-tenant" || len(r.Warnings) != 1 || r.Warnings[0].Code != "clock-skew" {
		t.Errorf("finding %+v, warnings %+v", r.Finding, r.Warnings)
	}
}
