package doctor_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/doctor"
	"github.com/smtpsend/smtpsend/internal/exchange"
	"github.com/smtpsend/smtpsend/internal/sandbox"
	"github.com/smtpsend/smtpsend/internal/sandbox/tenant"
)

// TestABareRefusalOfHighVolumeEmail has causes of its own: neither SMTP.SendAsApp nor a
// right on the mailbox counts there.
func TestABareRefusalOfHighVolumeEmail(t *testing.T) {
	for name, c := range map[string]struct {
		roles        []string
		code, advice string
	}{
		"with the role":    {[]string{exchange.HVERole}, "hve-auth-unsuccessful", "Add-HVEAppAccess -Identity "},
		"without the role": {[]string{"SMTP.SendAsApp"}, "hve-permission-missing", "Mail.Send"},
	} {
		t.Run(name, func(t *testing.T) {
			scenario := tenant.Scenario{Domain: "contoso.example", Applications: []tenant.Application{{Roles: c.roles}}}
			box, o := start(t, sandbox.Options{Scenario: &scenario}, "auth-unsuccessful")
			o.HVE = true
			r := doctor.Examine(t.Context(), o)
			if r.Finding == nil || r.Finding.Code != c.code {
				t.Fatalf("finding %+v, want %s", r.Finding, c.code)
			}
			var all []string
			for _, f := range r.Finding.Fixes {
				all = append(append(all, f.Text), f.Commands...)
			}
			for _, s := range r.Suspects {
				all = append(append(all, s.Cause, s.Tell, s.Fix.Text), append(s.Look, s.Fix.Commands...)...)
			}
			all = append(all, check(t, r, "claims").Notes...)
			text := strings.Join(all, "\n")
			if !strings.Contains(text, c.advice) {
				t.Errorf("no %q in\n%s", c.advice, text)
			}
			for _, classic := range []string{"New-ServicePrincipal", "Add-MailboxPermission", "RoleAssignment", "App RBAC", "SMTP.SendAsApp;"} {
				if strings.Contains(text, classic) {
					t.Errorf("%q in\n%s", classic, text)
				}
			}
			wantsID := "Add-HVEAppAccess -Identity " + o.Session.Mailbox + " -AppIds " + box.ObjectID()
			if isBare := c.code == "hve-auth-unsuccessful"; isBare && !slices.Contains(all, wantsID) {
				t.Errorf("no %q in\n%s", wantsID, text)
			}
		})
	}
}
