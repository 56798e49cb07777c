package doctor

import (
	"context"
	"slices"
	"strings"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// conclude names the one cause: that of the first failed check, unless an
// earlier warning explains it.
func (e *examination) conclude(ctx context.Context) {
	r := e.report
	r.Dialogue = e.lines.lines
	i := slices.IndexFunc(r.Checks, func(c Check) bool { return c.Status == Failed })
	r.Healthy = i < 0 && ctx.Err() == nil
	root := ""
	if i >= 0 {
		c := e.root(r.Checks[i])
		root = c.Name
		r.Broken, r.Proof, r.Finding, r.cause = c.Name, c.Seen, c.finding, r.Checks[i].cause
		if c.Name == nameSettings && len(c.Notes) > 0 {
			r.Proof = clean(strings.Join(c.Notes, "; "))
		}
		if r.Finding != nil && entryOf(r.Finding.Code).GivesNoReason() {
			r.Suspects = e.suspects()
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
func (e *examination) root(c Check) Check {
	if e.skewed() && e.clockExplains(c) {
		return e.check(nameClock)
	}
	if greeting := e.check(nameGreeting); greeting.Code == string(smtp.FaultNotExchange) && needsExchange(c) {
		greeting.Seen += "; " + c.Name + ": " + c.Seen
		return greeting
	}
	if c.Name == nameAuth && e.claims != nil {
		c.Seen = strings.Join(append([]string{c.Seen}, e.oddClaims(*e.claims)...), "; ")
	}
	return c
}

func (e *examination) check(name string) Check {
	i := slices.IndexFunc(e.report.Checks, func(c Check) bool { return c.Name == name })
	if i < 0 {
		return Check{}
	}
	return e.report.Checks[i]
}

// clockExplains reports a failure that a wrong clock causes: a certificate out
// of its time, an assertion out of its time, or a refused token that by this
// machine's clock is not valid now. (A token that was fetched with a client
// secret and looks right does not depend on the clock here.)
func (e *examination) clockExplains(c Check) bool {
	entry := entryOf(c.Code)
	if entry.GivesNoReason() {
		return e.tokenLooksInvalid()
	}
	return entry.Clock
}

// tokenLooksInvalid reports whether by this machine's clock the token was not yet or no
// longer valid when the endpoint's date came.
func (e *examination) tokenLooksInvalid() bool {
	if e.claims == nil || e.dateAt.IsZero() {
		return false
	}
	return e.dateAt.Before(e.claims.NotBefore) || e.dateAt.After(e.claims.Expires)
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
