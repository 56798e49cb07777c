package relayfile

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/limits"
)

// Problem is one thing that is wrong, or unwise, in a settings file.
type Problem struct {
	Line   int    `json:"line"`            // from 1; 0 when it is about no line
	Key    string `json:"key,omitempty"`   // such as "clients[1].networks[0]", counted from 0; "" when it is about the whole file
	Value  string `json:"value,omitempty"` // as it is written, where it is the value that is wrong
	Reason string `json:"reason"`          // what is wrong, and what to write, lower case, no full stop
}

// String is the problem in a line. The value is quoted, and cut at 120 octets.
func (p Problem) String() string {
	text := p.Reason
	if p.Key != "" {
		text = (&badinput.FieldError{Field: p.Key, Value: p.Value, Reason: p.Reason}).Error()
	}
	if p.Line == 0 {
		return text
	}
	return fmt.Sprintf("line %d: %s", p.Line, text)
}

// Problems is why a settings file is not taken: all that is wrong with it, by line.
type Problems struct {
	List     []Problem // at least one; at most limits.RelayProblems, of which the last says that there are more
	Warnings []Problem // what would be unwise, as far as it was read
}

// Error returns the problems, one after the other.
func (p *Problems) Error() string {
	texts := make([]string, len(p.List))
	for i, problem := range p.List {
		texts[i] = problem.String()
	}
	return strings.Join(texts, "; ")
}

// findings collect what is wrong and unwise while a file is read and checked.
type findings struct {
	all   Problems
	lines map[string]int  // of what is written, by its key
	bad   map[string]bool // the keys with a problem in them or below them
}

// problem notes what is wrong with the value of an entry.
func (f *findings) problem(e entry, value, reason string) {
	f.all.List = append(f.all.List, Problem{Line: e.line, Key: e.key, Value: value, Reason: reason})
	for key := e.key; key != "" && !f.bad[key]; key = key[:max(0, strings.LastIndexAny(key, ".["))] {
		f.bad[key] = true
	}
}

// has reports that a key is written.
func (f *findings) has(key string) bool {
	_, ok := f.lines[key]
	return ok
}

// refuse notes what is wrong with what is written at key, or with that value of a list.
func (f *findings) refuse(key, value, format string, args ...any) {
	f.problem(entry{key: key, line: f.lines[key]}, value, fmt.Sprintf(format, args...))
}

// warn notes what is unwise about it.
func (f *findings) warn(key, value, format string, args ...any) {
	f.all.Warnings = append(f.all.Warnings, Problem{Line: f.lines[key], Key: key, Value: value, Reason: fmt.Sprintf(format, args...)})
}

// sort puts problems and warnings into the order of the file.
func (p *Problems) sort() {
	byLine := func(a, b Problem) int { return cmp.Compare(a.Line, b.Line) }
	slices.SortStableFunc(p.List, byLine)
	slices.SortStableFunc(p.Warnings, byLine)
	if over := len(p.List) - limits.RelayProblems; over > 0 {
		p.List = append(p.List[:limits.RelayProblems-1], Problem{Reason: fmt.Sprintf("%d more problems", over+1)})
	}
	p.Warnings = p.Warnings[:min(len(p.Warnings), limits.RelayProblems)]
}
