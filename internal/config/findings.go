package config

import (
	"slices"
	"strings"

	"github.com/smtpsend/smtpsend/internal/setting"
)

// findings are the values that the settings have, and all that is wrong with them.
type findings struct {
	values   map[string]entry // by the setting's name; absent = unset
	bad      map[string]bool  // settings whose value is wrong by itself
	problems []Problem
}

func newFindings() *findings {
	return &findings{values: map[string]entry{}, bad: map[string]bool{}}
}

// add notes a problem that is not with the value of one setting.
func (f *findings) add(p Problem) { f.problems = append(f.problems, p) }

// problem notes a problem with a setting and the source of its value.
func (f *findings) problem(severity Severity, setting, text string) {
	if severity == SeverityError {
		f.bad[setting] = true
	}
	f.add(Problem{Variable: Prefix + setting, Text: text, Severity: severity, Source: f.values[setting].origin})
}

// failed reports that an error was found.
func (f *findings) failed() bool {
	return slices.ContainsFunc(f.problems, func(p Problem) bool { return p.Severity == SeverityError })
}

// good reports that a setting has a value and nothing was found wrong with it.
func (f *findings) good(setting string) bool {
	_, ok := f.values[setting]
	return ok && !f.bad[setting]
}

// sort puts problems into the order of the table, those about no
// setting first, and errors before warnings.
func (f *findings) sort() {
	if len(f.problems) < 2 {
		return
	}
	place := map[string]int{}
	for i, s := range setting.All() {
		place[s.Variable()] = i + 1
	}
	slices.SortStableFunc(f.problems, func(a, b Problem) int {
		if a.Severity != b.Severity {
			return strings.Compare(string(a.Severity), string(b.Severity)) // "error" < "warning"
		}
		return place[a.Variable] - place[b.Variable]
	})
}
