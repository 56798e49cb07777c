package doctor

import (
	"slices"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/session"
)

// record is what the checks have found so far.
type record struct {
	each   func(Check)       // Options.Each
	facts  diagnosis.Facts   // for the commands; checks add to it
	claims *diagnosis.Claims // of the token, nil as long as it is not read

	report *Report
	state  map[string]Status // by name; a check that a failure blocks counts as failed
}

// add ends a check: it goes into the report and to whoever listens.
func (r *record) add(c Check) {
	c.Seen = clean(c.Seen)
	r.state[c.Name] = c.Status
	if c.Needs != "" {
		r.state[c.Name] = Failed // for those that need it
	}
	r.report.Checks = append(r.report.Checks, c)
	if r.each != nil {
		r.each(c)
	}
}

// blocked skips the check when one of those that it needs failed, and says so.
func (r *record) blocked(name string, needs ...string) bool {
	for _, need := range needs {
		if r.state[need] == Failed {
			r.add(Check{Name: name, Status: Skipped, Seen: "needs " + need, Needs: need})
			return true
		}
	}
	return false
}

// broke is a failed check with the cause's name in the catalogue.
func (r *record) broke(c Check, cause *session.Error) Check {
	c.Status, c.cause, c.symptom = Failed, cause, cause.Symptom()
	c.symptom.Claims = r.claims
	finding := diagnosis.Find(c.symptom, r.facts)
	c.finding, c.Code = &finding, finding.Code
	if c.Seen == "" {
		c.Seen = said(cause)
	}
	return c
}

// warned gives a check a warning by its name in the catalogue.
func (r *record) warned(c Check, s diagnosis.Symptom) Check {
	finding := diagnosis.Find(s, r.facts)
	c.Status, c.symptom, c.finding, c.Code = Warn, s, &finding, finding.Code
	return c
}

// failed reports that a check failed, or that a failure blocked it.
func (r *record) failed(name string) bool { return r.state[name] == Failed }

// check is the one of that name, zero when it is not in the report.
func (r *record) check(name string) Check {
	i := slices.IndexFunc(r.report.Checks, func(c Check) bool { return c.Name == name })
	if i < 0 {
		return Check{}
	}
	return r.report.Checks[i]
}
