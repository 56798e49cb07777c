package config

import (
	"slices"
	"strings"
	"unicode"
	"unicode/utf8"

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

// wellFormed checks a value by itself, as text, before it is parsed. Numbers
// are brought into the form without leading zeros.
func (f *findings) wellFormed(s setting.Setting, e *entry) bool {
	text := e.text.Reveal()
	reason := ""
	switch {
	case strings.TrimSpace(text) != text:
		reason = "begins or ends with a blank or line end"
	case s.Name != setting.NotifyCommand && inQuotes(text): // whose words may be in quotes
		reason = "is in quotes that were taken for part of the value: write it without them"
	case strings.ContainsFunc(text, unicode.IsControl) || !utf8.ValidString(text):
		reason = "holds a control character or is not UTF-8"
	case wholeNumber.Get()[s.Name]:
		reason = e.decimal()
	}
	if reason == "" {
		return true
	}
	f.values[s.Name] = *e
	f.problem(SeverityError, s.Name, reason)
	return false
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
