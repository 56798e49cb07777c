package doctor

import (
	"context"
	"slices"
	"strings"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// verdict is what the checks mean together.
type verdict struct {
	o      Options
	record *record
	clock  *clock
	graph  []string // roles of the application in Microsoft Graph
}

// conclude names the one cause: that of the first failed check, unless an
// earlier warning explains it.
func (v verdict) conclude(ctx context.Context) {
	r := v.record.report
	i := slices.IndexFunc(r.Checks, func(c Check) bool { return c.Status == Failed })
	r.Healthy = i < 0 && ctx.Err() == nil
	root := ""
	if i >= 0 {
		c := v.root(r.Checks[i])
		root = c.Name
		r.Broken, r.Proof, r.Finding, r.cause = c.Name, c.Seen, c.finding, r.Checks[i].cause
		if c.Name == nameSettings && len(c.Notes) > 0 {
			r.Proof = clean(strings.Join(c.Notes, "; "))
		}
		if r.Finding != nil && entryOf(r.Finding.Code).GivesNoReason() {
			r.Suspects = v.suspects()
		}
	}
	for _, c := range r.Checks {
		if c.Status == Warn && c.finding != nil && c.Name != root {
			r.Warnings = append(r.Warnings, *c.finding)
		}
	}
}

// entryOf is the catalogue's entry for a code, empty for one that it does not have.
func entryOf(code string) diagnosis.Entry {
	entry, _ := diagnosis.Lookup(code)
	return entry
}

// root is the check to explain when c failed: c itself, or one before it whose
// warning is the reason.
func (v verdict) root(c Check) Check {
	if v.clock.skewed() && v.clockExplains(c) {
		return v.record.check(nameClock)
	}
	if greeting := v.record.check(nameGreeting); greeting.Code == string(smtp.FaultNotExchange) && needsExchange(c) {
		greeting.Seen += "; " + c.Name + ": " + c.Seen
		return greeting
	}
	if c.Name == nameAuth && v.record.claims != nil {
		c.Seen = strings.Join(append([]string{c.Seen}, oddClaims(v.o, *v.record.claims)...), "; ")
	}
	return c
}

// clockExplains reports a failure that a wrong clock causes: a certificate out
// of its time, an assertion out of its time, or a refused token that by this
// machine's clock is not valid now. (A token that was fetched with a client
// secret and looks right does not depend on the clock here.)
func (v verdict) clockExplains(c Check) bool {
	entry := entryOf(c.Code)
	if entry.GivesNoReason() {
		return v.tokenLooksInvalid()
	}
	return entry.Clock
}

// tokenLooksInvalid reports whether by this machine's clock the token was not yet or no
// longer valid when the endpoint's date came.
func (v verdict) tokenLooksInvalid() bool {
	if v.record.claims == nil || v.clock.at.IsZero() {
		return false
	}
	return v.clock.at.Before(v.record.claims.NotBefore) || v.clock.at.After(v.record.claims.Expires)
}

// needsExchange reports a refusal for which another server than Exchange is
// reason enough. A failure with a name that says more keeps it, as send gives
// it; that the server is another is said beside it.
func needsExchange(c Check) bool {
	if c.cause == nil || !c.cause.Reply.Permanent() {
		return false
	}
	switch c.Name {
	case nameEHLO:
		return true
	case nameTLSSMTP, nameEHLOTLS, nameAuth:
		return !c.finding.Known()
	}
	return false
}
