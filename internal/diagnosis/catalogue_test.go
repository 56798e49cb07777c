package diagnosis_test

import (
	"regexp"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

var stages = []smtp.Stage{
	smtp.StageConfig, smtp.StageToken, smtp.StageDial, smtp.StageGreeting,
	smtp.StageEHLO, smtp.StageStartTLS, smtp.StageAuth, smtp.StageMail,
	smtp.StageRcpt, smtp.StageData, smtp.StageContent, smtp.StageQuit, smtp.StageRelay,
}

var classes = []diagnosis.Class{
	diagnosis.ClassTransient, diagnosis.ClassThrottled, diagnosis.ClassPermanent,
	diagnosis.ClassConfiguration, diagnosis.ClassBlocked,
}

// TestEntryForm keeps every entry complete.
func TestEntryForm(t *testing.T) {
	kebab := regexp.MustCompile(`^[a-z0-9]+(-[a-z0-9]+)*$`)
	seen := map[string]bool{}
	for _, e := range diagnosis.Entries() {
		t.Run(e.Code, func(t *testing.T) {
			checks := map[string]bool{
				"code is kebab case and unique":                 kebab.MatchString(e.Code) && !seen[e.Code],
				"class is known":                                slices.Contains(classes, e.Class),
				"has a stage":                                   len(e.Stages) > 0,
				"title is short":                                len(e.Title) > 0 && len(e.Title) <= 80,
				"title ends without a period":                   !strings.HasSuffix(e.Title, "."),
				"cause is a sentence":                           strings.HasSuffix(e.Cause, ".") || strings.HasSuffix(e.Cause, ")"),
				"has a fix":                                     len(e.Fixes) > 0,
				"says what the client does":                     strings.HasSuffix(e.ClientDoes, "."),
				"has a page to read on":                         len(e.ReadOn) > 0,
				"sample, or why not":                            (e.Sample == "") != (e.NoSample == ""),
				"says how sure it is":                           slices.Contains([]diagnosis.Sure{diagnosis.SureDocumented, diagnosis.SureSeen, diagnosis.SureSecondHand, diagnosis.SureUnproven}, e.Sure),
				"server's entry has a sample or is a behaviour": !e.ServerCan || e.Sample != "" || e.Fault != "",
				"token entry has a description":                 e.Token == nil || strings.HasPrefix(e.Sample, "AADSTS"+strconv.Itoa(e.Token.AADSTS)),
			}
			for what, ok := range checks {
				if !ok {
					t.Errorf("%s: does not hold", what)
				}
			}
			for _, s := range e.Stages {
				if !slices.Contains(stages, s) {
					t.Errorf("stage %q is not known", s)
				}
			}
			for _, u := range e.ReadOn {
				if !strings.HasPrefix(u, "https://") {
					t.Errorf("read %q is no https URL", u)
				}
			}
			checkFixes(t, e.Fixes)
		})
		seen[e.Code] = true
	}
	if len(seen) < 120 {
		t.Errorf("%d entries, want the whole catalogue", len(seen))
	}
}

// TestProperties keeps what stands beside the words of an entry meaningful: each
// property is some entry's, and names what exists.
func TestProperties(t *testing.T) {
	has := map[string]int{}
	for _, e := range diagnosis.Entries() {
		for property, set := range map[string]bool{
			"noreason": e.GivesNoReason(), "holds": e.Holds != "", "clock": e.Clock, "after": e.After != "", "vague": e.Vague,
			"online": e.OnlineOnly, "presented": e.Presented, "local": e.Local != "", "inspected": e.Inspected != "",
		} {
			if set {
				has[property]++
			}
		}
		if e.Holds != "" && (e.Class != diagnosis.ClassConfiguration || !slices.Contains([]diagnosis.Scope{diagnosis.ScopeSender, diagnosis.ScopeMessage}, e.Holds)) {
			t.Errorf("%s: it is of class %s and holds %q", e.Code, e.Class, e.Holds)
		}
		if e.After != "" && !slices.Contains(stages, e.After) {
			t.Errorf("%s: it follows stage %q, which is not known", e.Code, e.After)
		}
		for _, code := range []string{e.Local, e.Inspected} {
			if _, known := diagnosis.Lookup(code); code != "" && !known {
				t.Errorf("%s: code %q is not known", e.Code, code)
			}
		}
		if e.Vague && slices.ContainsFunc(e.Rules, func(r diagnosis.Rule) bool { return !r.Network }) {
			t.Errorf("%s: it is vague, and a rule is not of the network", e.Code)
		}
	}
	for _, property := range []string{"noreason", "holds", "clock", "after", "vague", "online", "presented", "local", "inspected"} {
		if has[property] == 0 {
			t.Errorf("no entry has the property %q: take it out of parse.go", property)
		}
	}
}

var placeholders = regexp.MustCompile(`\{[^}]*\}`)

func checkFixes(t *testing.T, fixes []diagnosis.Fix) {
	t.Helper()
	known := []string{"{client-id}", "{object-id}", "{tenant-id}", "{mailbox}", "{from}", "{recipient}", "{server}", "{token-url}", "{message-id}"}
	for _, f := range fixes {
		if f.Text == "" || !strings.HasSuffix(f.Text, ".") && !strings.HasSuffix(f.Text, ")") {
			t.Errorf("fix %q is no sentence", f.Text)
		}
		for _, c := range f.Commands {
			for _, p := range placeholders.FindAllString(c, -1) {
				if !slices.Contains(known, p) && !strings.Contains(c, "--query") {
					t.Errorf("command %q: placeholder %s is not known", c, p)
				}
			}
			// A value in single quotes would end up inside the others.
			if m := inQuotes(c); m != "" {
				t.Errorf("command %q: placeholder within quotes", c)
			}
		}
	}
}

// inQuotes returns the first quoted part that holds a placeholder.
func inQuotes(command string) string {
	for _, q := range regexp.MustCompile(`"[^"]*"`).FindAllString(command, -1) {
		if strings.Contains(q, "{") && !strings.Contains(command, "--query") {
			return q
		}
	}
	return ""
}

// Parameters as in Microsoft's Exchange PowerShell reference; a cmdlet or
// parameter that is not here has not been looked up.
var cmdlets = map[string][]string{
	"Connect-ExchangeOnline":             {"Organization"},
	"New-AzADAppCredential":              {"ApplicationId", "CertValue"},
	"New-AzADAppFederatedCredential":     {"ApplicationObjectId", "Name", "Issuer", "Subject", "Audience"},
	"Get-AzADApplication":                {"ApplicationId"},
	"Get-AzVM":                           {"ResourceGroupName", "Name"},
	"Update-AzVM":                        {"ResourceGroupName", "VM", "IdentityType"},
	"Set-CASMailbox":                     {"Identity", "SmtpClientAuthenticationDisabled"},
	"Get-CASMailbox":                     {"Identity"},
	"Get-TransportConfig":                {},
	"Get-MessageTraceV2":                 {"MessageId", "SenderAddress"},
	"Get-ApplicationAccessPolicy":        {},
	"Install-Module":                     {"Name"},
	"Set-TransportConfig":                {"AllowLegacyTLSClients"},
	"New-ServicePrincipal":               {"AppId", "ObjectId", "DisplayName"},
	"Get-ServicePrincipal":               {"Identity"},
	"Remove-ServicePrincipal":            {"Identity"},
	"Add-MailboxPermission":              {"Identity", "User", "AccessRights"},
	"Add-RecipientPermission":            {"Identity", "Trustee", "AccessRights"},
	"New-DistributionGroup":              {"Name", "Type", "Members"},
	"Set-DistributionGroup":              {"Identity", "RequireSenderAuthenticationEnabled"},
	"Add-DistributionGroupMember":        {"Identity", "Member"},
	"New-ManagementRoleAssignment":       {"Name", "App", "Role", "RecipientGroupScope"},
	"Test-ServicePrincipalAuthorization": {"Identity", "Resource"},
	"Get-EXOMailbox":                     {"Identity"},
	"Get-EXOMailboxStatistics":           {"Identity"},
	"Get-Mailbox":                        {"Identity"},
	"Set-Mailbox":                        {"Identity", "MessageCopyForSMTPClientSubmissionEnabled", "RecipientLimits", "MaxSendSize", "Type"},
	"Get-Recipient":                      {"Identity"},
	"Get-BlockedSenderAddress":           {"SenderAddress"},
	"Remove-BlockedSenderAddress":        {"SenderAddress"},
	"Get-AuthenticationPolicy":           {},
	"Get-TransportRule":                  {},
	"Get-TenantAllowBlockListItems":      {"ListType", "Block"},
	"Get-DkimSigningConfig":              {},
	"Get-HostedOutboundSpamFilterPolicy": {},
	"Get-AcceptedDomain":                 {},
	"Get-OutboundConnector":              {},
	"Get-InboundConnector":               {},
	"Get-OrganizationConfig":             {},
	"Get-ReceiveConnector":               {},
	"Add-HVEAppAccess":                   {"Identity", "AppIds"},
	"Set-HVEAccountSettings":             {"Identity", "ReplyTo"},
	"Get-MailUser":                       {"HVEAccount"},
	"New-MailUser":                       {"HVEAccount", "Name", "PrimarySmtpAddress", "Password", "AsSecureString"},
}

// TestCommandsUseKnownParameters is the guard against invented parameters.
func TestCommandsUseKnownParameters(t *testing.T) {
	cmdlet := regexp.MustCompile(`^(?:\$\w+ = )?([A-Z][A-Za-z]*-[A-Z][A-Za-z]+[0-9]?)(.*)$`)
	parameter := regexp.MustCompile(` -([A-Za-z]+)`)
	quoted := regexp.MustCompile(`"[^"]*"`)
	for _, e := range diagnosis.Entries() {
		for _, f := range e.Fixes {
			for _, c := range f.Commands {
				m := cmdlet.FindStringSubmatch(c)
				if m == nil {
					continue
				}
				allowed, ok := cmdlets[m[1]]
				if !ok {
					t.Errorf("%s: cmdlet %s has not been looked up", e.Code, m[1])
				}
				first, _, _ := strings.Cut(quoted.ReplaceAllString(m[2], ""), " | ")
				for _, p := range parameter.FindAllStringSubmatch(first, -1) {
					if !slices.Contains(allowed, p[1]) {
						t.Errorf("%s: %s -%s has not been looked up", e.Code, m[1], p[1])
					}
				}
			}
		}
	}
}
