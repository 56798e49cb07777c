package doctor

import (
	"cmp"
	"strings"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
)

// suspects are the causes that remain for a sign-in that Exchange refuses
// without a reason, the likeliest first. The token's claims give the order: the
// role SMTP.SendAsApp belongs to the classic way, its absence to App RBAC, or
// to a classic way without consent. Of High Volume Email the
// catalogue has the causes.
func (v verdict) suspects() []Suspect {
	var c diagnosis.Claims
	var list []Suspect
	if v.record.claims != nil {
		c = *v.record.claims
		for _, odd := range oddClaims(v.o, c) {
			list = append(list, oddToken(odd))
		}
	}
	s := suspicion{client: cmp.Or(v.o.Token.ClientID, c.AppID), object: c.ObjectID, tenant: cmp.Or(v.o.TenantID, c.TenantID), mailbox: v.o.Session.Mailbox, graph: v.graph}
	switch {
	case v.o.HVE:
		return list
	case c.HasRole("SMTP.SendAsApp"):
		return append(list, s.pointer(), s.noRight(), s.roleInTheWay(), s.mailboxName(), s.tooSoon())
	case len(c.Roles) > 0, len(v.graph) > 0:
		return append(list, s.consent(), s.pointer(), s.scope(), s.mailboxName(), s.tooSoon())
	}
	return append(list, s.pointer(), s.scope(), s.consent(), s.mailboxName(), s.tooSoon())
}

// oddToken is what the token itself shows and the settings do not ask for.
func oddToken(odd string) Suspect {
	return Suspect{
		Cause: odd,
		Tell:  "The token shows it: fix this first.",
		Fix: diagnosis.Fix{
			Text:     "Get the token from the tenant of the settings and for their application; an endpoint without #TenantID# names its own tenant.",
			Commands: []string{"smtpsend config show"}, Who: "you",
		},
	}
}

// suspicion fills the suspects' commands.
type suspicion struct {
	client, object, tenant, mailbox string
	graph                           []string // the application's roles in Microsoft Graph
}

const exchangeAdmin = "Exchange administrator"

func (s suspicion) pointer() Suspect {
	object := s.object
	if object == "" {
		object = "the enterprise application's object id"
	}
	return Suspect{
		Cause: "Exchange does not know the application, or knows it with another object id",
		Look:  s.commands("Connect-ExchangeOnline -Organization {tenant-id}", "Get-ServicePrincipal -Identity {client-id} | Format-List AppId,ObjectId"),
		Tell: "Nothing found: it was never registered. An ObjectId that is not " + object +
			": it was registered with the id of the page App registrations; remove it first (Remove-ServicePrincipal). The same ObjectId: this is not the cause.",
		Fix: diagnosis.Fix{
			Text:     "Register the application with the object id of the enterprise application.",
			Commands: s.commands("Remove-ServicePrincipal -Identity {client-id}   # only if another ObjectId is shown", `New-ServicePrincipal -AppId {client-id} -ObjectId {object-id} -DisplayName "smtpsend"`),
			Who:      exchangeAdmin,
		},
	}
}

func (s suspicion) noRight() Suspect {
	return Suspect{
		Cause: "the application has no right on the mailbox (classic way)",
		Look:  s.commands("$sp = Get-ServicePrincipal -Identity {client-id}", "Get-MailboxPermission -Identity {mailbox} -User $sp.Identity | Format-List AccessRights"),
		Tell:  "No FullAccess: this is the cause.",
		Fix: diagnosis.Fix{
			Text:     "Give the application FullAccess on the mailbox.",
			Commands: s.commands("$sp = Get-ServicePrincipal -Identity {client-id}", "Add-MailboxPermission -Identity {mailbox} -User $sp.Identity -AccessRights FullAccess"),
			Who:      exchangeAdmin,
		},
	}
}

func (s suspicion) roleInTheWay() Suspect {
	return Suspect{
		Cause: "you use App RBAC, and the role SMTP.SendAsApp in Entra prevents it",
		Look:  s.commands("Test-ServicePrincipalAuthorization -Identity {client-id} -Resource {mailbox} | Format-Table RoleName,InScope"),
		Tell:  "Application SMTP.SendAsApp with InScope True: App RBAC is right, but the role makes Exchange ask for FullAccess as well.",
		Fix: diagnosis.Fix{
			Text: "Remove SMTP.SendAsApp from the application in Entra: Enterprise applications, the application, Permissions, and in App registrations, API permissions. Then fetch a new token.",
			Who:  "Application administrator in Entra",
		},
	}
}

func (s suspicion) scope() Suspect {
	return Suspect{
		Cause: "App RBAC does not cover the mailbox",
		Look:  s.commands("Test-ServicePrincipalAuthorization -Identity {client-id} -Resource {mailbox} | Format-Table RoleName,AllowedResourceScope,ScopeType,InScope"),
		Tell:  "No line with Application SMTP.SendAsApp: there is no assignment. InScope False: the mailbox is not a direct member of the group, or it is outside the scope for another reason.",
		Fix: diagnosis.Fix{
			Text: "If there is an assignment, add the mailbox to the group of its scope (the first command). If there is none, create the group and the assignment (the other commands).",
			Commands: s.commands(`Add-DistributionGroupMember -Identity "smtpsend senders" -Member {mailbox}`,
				`New-DistributionGroup -Name "smtpsend senders" -Type Security -Members {mailbox}`,
				`New-ManagementRoleAssignment -Name "smtpsend" -App {client-id} -Role "Application SMTP.SendAsApp" -RecipientGroupScope "smtpsend senders"`),
			Who: exchangeAdmin + " (role group Organization Management)",
		},
	}
}

func (s suspicion) consent() Suspect {
	cause := "you use the classic way, and SMTP.SendAsApp was not granted"
	tell := "SMTP.SendAsApp is not in the list under Office 365 Exchange Online, or has no tick in the column Status: this is the cause. After the grant the mailbox must also allow the application (Add-MailboxPermission)."
	if g := s.graph; len(g) > 0 {
		cause += "; the application has permissions of Microsoft Graph instead (" + strings.Join(g, ", ") + "), which SMTP does not accept"
	}
	return Suspect{
		Cause: cause, Tell: tell,
		Look: s.commands("az ad app permission list --id {client-id}"),
		Fix: diagnosis.Fix{
			Text: "In Entra: App registrations, the application, API permissions, Add a permission, APIs my organization uses, Office 365 Exchange Online, Application permissions, SMTP.SendAsApp; then Grant admin consent.",
			Commands: s.commands("az ad app permission admin-consent --id {client-id}",
				"$sp = Get-ServicePrincipal -Identity {client-id}", "Add-MailboxPermission -Identity {mailbox} -User $sp.Identity -AccessRights FullAccess"),
			Who: "Privileged Role Administrator or Global Administrator, then an " + exchangeAdmin,
		},
	}
}

func (s suspicion) mailboxName() Suspect {
	return Suspect{
		Cause: s.mailbox + " is not a mailbox of this tenant, or not its primary address",
		Look:  s.commands("Get-EXOMailbox -Identity {mailbox} | Format-List PrimarySmtpAddress,RecipientTypeDetails"),
		Tell:  "Nothing found: it is a group, a contact, does not exist, or belongs to another tenant, whose ids the settings then need. Another PrimarySmtpAddress: use that one.",
		Fix:   diagnosis.Fix{Text: "Use the primary address of the mailbox.", Commands: []string{"smtpsend doctor --mailbox ADDRESS"}, Who: "you"},
	}
}

func (s suspicion) tooSoon() Suspect {
	return Suspect{
		Cause: "something was changed less than two hours ago",
		Tell:  "Exchange keeps what it knows of an application for 30 minutes when there are no sign-ins, and for up to two hours when sign-ins continue.",
		Fix:   diagnosis.Fix{Text: "Wait, and let nothing else sign in as the application.", Commands: []string{"smtpsend doctor --wait"}, Who: "you"},
	}
}

// commands fills ids and mailbox in, as the catalogue does in its commands.
func (s suspicion) commands(texts ...string) []string {
	f := diagnosis.Facts{ClientID: s.client, ObjectID: s.object, TenantID: s.tenant, Mailbox: s.mailbox}
	out := make([]string, len(texts))
	for i, text := range texts {
		out[i] = f.FillCommand(text)
	}
	return out
}
