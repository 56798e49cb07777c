package diagnosis

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/exchange"
	"github.com/smtpsend/smtpsend/internal/lazyregexp"
	"github.com/smtpsend/smtpsend/internal/presented"
	"github.com/smtpsend/smtpsend/internal/redact"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// MaxText is how much of a reply or description is looked at, in octets.
const MaxText = 64 << 10

// Find names what the symptom shows. It never fails: what the catalogue does
// not know gets an entry of last resort, whose cause says what
// the first digit or the HTTP status means.
func Find(s Symptom, f Facts) Finding {
	if len(s.Text) > MaxText {
		s.Text = s.Text[:MaxText]
	}
	// smtp.Read does not believe an enhanced code whose class contradicts the
	// reply code, and Exchange sends some (451 5.7.3), so the text counts too.
	if m := enhancedStart.Get().FindString(s.Text); m != "" && s.Enhanced == "" {
		s.Enhanced = m
	}
	e, weight := Match(s)
	if weight == 0 {
		e = Unknown(s)
	}
	return Describe(e, s, f)
}

var enhancedStart = lazyregexp.New(`^[245]\.\d{1,3}\.\d{1,3}\b`)

// Match returns the entry of the rule that weighs most and holds, and its weight:
// 0 when no rule holds. An entry for the symptom's fault goes before all rules.
func Match(s Symptom) (e Entry, weight int) {
	if s.Fault != "" {
		for _, e := range theCatalogue().entries {
			if e.Fault == s.Fault {
				return e, Ordinary
			}
		}
	}
	text := Squeeze(s.Text)
	best, most := -1, 0
	for i, e := range theCatalogue().entries {
		if e.ofRelay() != s.Relay {
			continue
		}
		for _, r := range e.Rules {
			if n := r.Weight(); n > most && r.holds(s, text) {
				best, most = i, n
			}
		}
	}
	if best < 0 {
		return Entry{}, 0
	}
	return theCatalogue().entries[best], most
}

// ofRelay reports an entry of what our own relay says. Its rules are for pasted text, because
// others may say the same, and for who knows that a relay said it.
func (e *Entry) ofRelay() bool { return e.Stages[0] == smtp.StageRelay }

// lastResort is a kind of failure that no rule names.
type lastResort string

// The kinds, and all of them.
const (
	otherTransient  lastResort = "4yz"           // a reply that defers
	otherPermanent  lastResort = "5yz"           // a reply that refuses
	otherReply      lastResort = "reply"         // one that does neither
	endpointTrouble lastResort = "token-trouble" // the token endpoint's own
	endpointRefusal lastResort = "token-refusal"
	withoutReply    lastResort = "no-reply"
)

var lastResorts = []lastResort{otherTransient, otherPermanent, otherReply, endpointTrouble, endpointRefusal, withoutReply}

// Unknown returns the entry of last resort, for a symptom of which no rule holds.
func Unknown(s Symptom) Entry {
	e, _ := Lookup(theCatalogue().otherwise[kindOf(s)])
	return e
}

func kindOf(s Symptom) lastResort {
	switch {
	case s.HTTPStatus == 408 || s.HTTPStatus == 429 || s.HTTPStatus >= 500,
		s.OAuthError == "temporarily_unavailable", s.OAuthError == "server_error":
		return endpointTrouble
	case s.HTTPStatus != 0 || s.OAuthError != "" || len(s.AADSTS) > 0:
		return endpointRefusal
	case s.Code/100 == 4:
		return otherTransient
	case s.Code/100 == 5:
		return otherPermanent
	case s.Code != 0:
		return otherReply
	}
	return withoutReply
}

// Describe turns an entry into a finding about this symptom. What f does not have
// is taken from the token's claims and the server's words.
func Describe(e Entry, s Symptom, f Facts) Finding {
	f = completeFacts(f, s)
	out := Finding{
		Code: e.Code, Class: classOf(e, s), Title: e.Title, Cause: f.Fill(e.Cause),
		Fixes: f.fillFixes(orderFixes(e, s)), ClientDoes: e.ClientDoes,
		ReadOn: slices.Clone(e.ReadOn), Sure: e.Sure, Matched: matchedBy(e, s), Text: redact.Text(s.Text),
	}
	if note := clockNote(s); note != "" {
		out.Cause += " " + note
	}
	if note := proxyNote(e, s); note != "" {
		out.Cause += " " + note
	}
	if note := claimsNote(e, s.Claims); note != "" {
		out.Cause += " " + note
	}
	if e.Presented {
		out.present(s, f, e.MatchSecond)
	}
	return out
}

// present adds what the client presented, and the commands that make Entra ID know it.
func (f *Finding) present(s Symptom, facts Facts, second bool) {
	proof := presented.InText(s.Text)
	if s.Proof != nil {
		proof = *s.Proof
	}
	if note := proof.Note(); note != "" {
		f.Cause += " " + note
	}
	if commands := proof.Commands(facts.ClientID); commands != nil {
		place := 0
		if second && len(f.Fixes) > 0 {
			place = 1 // a message shows two
		}
		f.Fixes = slices.Insert(f.Fixes, place, Fix{
			Text:     "If this is the workload that you trust, make the federated credential that matches it. It takes effect after some minutes.",
			Commands: commands, Who: "owner of the application, or Application administrator in Entra",
		})
	}
}

// classOf is the entry's class, except that an endpoint which answers 429 or
// 5xx is in trouble whatever it says, and that an unknown refusal goes by
// its first digit.
func classOf(e Entry, s Symptom) Class {
	if s.HTTPStatus == 429 {
		return ClassThrottled
	}
	if s.HTTPStatus >= 500 && e.Class != ClassThrottled {
		return ClassTransient
	}
	return e.Class
}

func matchedBy(e Entry, s Symptom) []string {
	var out []string
	if s.Fault != "" && e.Fault == s.Fault {
		return []string{string(s.Fault)}
	}
	if s.Code != 0 {
		out = append(out, strings.TrimSpace(strconv.Itoa(s.Code)+" "+s.Enhanced))
	}
	if e.Token != nil && slices.Contains(s.AADSTS, e.Token.AADSTS) {
		out = append(out, fmt.Sprintf("AADSTS%d", e.Token.AADSTS))
	} else if len(s.AADSTS) > 0 {
		out = append(out, fmt.Sprintf("AADSTS%d", s.AADSTS[0]))
	}
	if s.OAuthError != "" {
		out = append(out, s.OAuthError)
	}
	return out
}

// conditions on the claims of a token, for "claim:" and "when:", and on a proxy,
// for "when:".
var conditions = []string{"proxy-without-basic", "wrong-audience", "other-cloud", "expired", "user-token", "smtp-role", "no-role", "other-role", "hve", "hve-without-role"}

// conditionHolds is false without claims: what is not known decides nothing.
func conditionHolds(name string, c *Claims) bool {
	if c == nil {
		return false
	}
	smtp := c.HasRole("SMTP.SendAsApp")
	switch name {
	case "wrong-audience":
		return !c.ForExchange()
	case "other-cloud":
		return c.OtherCloud()
	case "expired":
		return !c.Expires.IsZero() && !time.Now().Before(c.Expires)
	case "user-token":
		return c.Scopes != ""
	case "hve":
		return c.HVE && c.fitsService() && c.HasRole(exchange.HVERole)
	case "hve-without-role":
		return c.HVE && c.fitsService() && !c.HasRole(exchange.HVERole)
	case "smtp-role":
		return smtp
	case "no-role":
		return len(c.Roles) == 0
	case "other-role":
		return len(c.Roles) > 0 && !smtp
	}
	return false
}

// fitsService reports that nothing else of the token tells why it is refused.
func (c Claims) fitsService() bool {
	others := []string{"wrong-audience", "other-cloud", "expired", "user-token"}
	return !slices.ContainsFunc(others, func(name string) bool { return conditionHolds(name, &c) })
}

// orderFixes brings those fixes to the front that the claims, or a proxy's words,
// make likelier.
func orderFixes(e Entry, s Symptom) []Fix {
	fixes := slices.Clone(e.Fixes)
	for _, o := range e.orders {
		if !conditionHolds(o.condition, s.Claims) && !(o.condition == "proxy-without-basic" && withoutBasic(s)) {
			continue
		}
		slices.SortStableFunc(fixes, func(a, b Fix) int { return place(o.fixes, a.Text) - place(o.fixes, b.Text) })
		break
	}
	return fixes
}

func place(order []string, text string) int {
	if i := slices.Index(order, text); i >= 0 {
		return i
	}
	return len(order)
}

// claimsNote says what the token tells about a refusal that gives no reason.
func claimsNote(e Entry, c *Claims) string {
	if c == nil || len(e.orders) == 0 {
		return ""
	}
	switch {
	case conditionHolds("smtp-role", c):
		return "The token has the role SMTP.SendAsApp: this is the classic way, in which Exchange also asks for a right on the mailbox."
	case conditionHolds("no-role", c):
		return "The token has no roles: that is right for App RBAC and wrong for the classic way."
	case conditionHolds("other-role", c):
		return "The token has roles (" + strings.Join(c.Roles, ", ") + ") but not SMTP.SendAsApp."
	}
	return ""
}
