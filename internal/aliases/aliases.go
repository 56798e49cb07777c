// Package aliases reads the file /etc/aliases, as aliases(5) of Postfix and of
// sendmail describe it, and says to whom mail for a local name goes:
//
//	# a comment
//	root:    ops@contoso.example, "second admin"@contoso.example
//	www:     root
//	    # a line that begins with a blank continues the one before
//
// A name is found without regard to case. After the colon come
// addresses and further names. Nothing is ever run, written or included: a
// command (|program), a file (/path) or a list (:include:) is refused when a
// message goes there, and not before, so that a file made for another program
// can stay as it is.
//
// An error names the line and never quotes it: whoever may choose the file must
// not be able to read another one by it.
package aliases

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"strings"

	"github.com/smtpsend/smtpsend/internal/charset"
	"github.com/smtpsend/smtpsend/internal/limits"
)

// Map holds the aliases of a file. It is immutable and safe for concurrent use.
// The zero value has none.
type Map struct {
	entries map[string]entry
	targets int // of all entries
}

type entry struct {
	line    int
	targets []string
}

// Error says what is wrong in the file, or with a name that was looked up.
type Error struct {
	Name   string // that was looked up; "" when the file cannot be read
	Line   int    // in the file, 0 for none
	Reason string // lower case, no full stop
}

// Error names the alias, the line and the reason.
func (e *Error) Error() string {
	switch {
	case e.Name == "":
		return fmt.Sprintf("line %d: %s", e.Line, e.Reason)
	case e.Line == 0:
		return fmt.Sprintf("alias %q: %s", e.Name, e.Reason)
	}
	return fmt.Sprintf("alias %q (line %d): %s", e.Name, e.Line, e.Reason)
}

// errTooLarge is the reason for a file over limits.Aliases.
var errTooLarge = errors.New("larger than allowed")

// Read reads a file within the limits of package limits, in any form that package
// charset knows. What is wrong with its form is
// an *Error, everything else the reader's error. A name that comes twice keeps
// its first meaning, as it does for Postfix.
func Read(r io.Reader) (*Map, error) {
	m := &Map{entries: map[string]entry{}}
	data, err := io.ReadAll(io.LimitReader(r, limits.Aliases+1))
	if err != nil {
		return nil, err
	}
	if len(data) > limits.Aliases {
		return nil, errTooLarge
	}
	text, _ := charset.Guess(string(data)) // names and addresses are ASCII; others are in comments
	lines := bufio.NewScanner(strings.NewReader(text))
	lines.Buffer(nil, len(text)+1)
	var logical strings.Builder // a line may go on in any number of lines
	first := 0
	for n := 1; ; n++ {
		more := lines.Scan()
		line := strings.TrimRight(lines.Text(), " \t\r")
		trimmed := strings.TrimLeft(line, " \t")
		if more && (trimmed == "" || trimmed[0] == '#') {
			continue
		}
		if more && first > 0 && len(trimmed) < len(line) {
			logical.WriteString(" " + trimmed)
			continue
		}
		if first > 0 {
			if err := m.add(logical.String(), first); err != nil {
				return nil, err
			}
		}
		if !more {
			break
		}
		logical.Reset()
		logical.WriteString(trimmed)
		first = n
	}
	return m, lines.Err()
}

// add takes in one logical line.
func (m *Map) add(text string, line int) error {
	colon := indexOutsideQuotes(text, ':')
	if colon <= 0 {
		return &Error{Line: line, Reason: "no name and colon, as in root: admin@contoso.example"}
	}
	name := key(strings.Trim(strings.TrimSpace(text[:colon]), `"`))
	if _, twice := m.entries[name]; twice {
		return nil
	}
	e := entry{line: line}
	for rest := text[colon+1:]; ; {
		i := indexOutsideQuotes(rest, ',')
		target := rest
		if i >= 0 {
			target = rest[:i]
		}
		if target = strings.TrimSpace(target); target != "" {
			e.targets = append(e.targets, target)
		}
		if i < 0 {
			break
		}
		rest = rest[i+1:]
	}
	m.entries[name] = e
	if m.targets += len(e.targets); len(m.entries) > limits.AliasEntries || m.targets > limits.AliasTargets {
		return &Error{Line: line, Reason: fmt.Sprintf("one alias too many: a file may have %d, with %d addresses and names", limits.AliasEntries, limits.AliasTargets)}
	}
	return nil
}

// key makes names comparable. Only ASCII letters lose their case: what Unicode
// folds together, such as the Kelvin sign and k, are different names.
func key(name string) string {
	return strings.Map(func(r rune) rune {
		if r >= 'A' && r <= 'Z' {
			return r + 'a' - 'A'
		}
		return r
	}, name)
}

// indexOutsideQuotes finds c where it is not within double quotes.
func indexOutsideQuotes(s string, c byte) int {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == c && !quoted:
			return i
		}
	}
	return -1
}

// Expand returns what mail for a local name goes to: addresses, and names that
// have no alias, each once and in the order of the file. A name that leads back
// to itself stands for itself, as "root: root, admin@contoso.example" has it.
// The error is *Error.
func (m *Map) Expand(name string) ([]string, error) {
	x := &expansion{m: m, asked: name, seen: map[string]bool{}, have: map[string]bool{}}
	if err := x.follow(name, 0); err != nil {
		return nil, err
	}
	return x.results, nil
}

// expansion is one Expand under way.
type expansion struct {
	m          *Map
	asked      string
	seen, have map[string]bool // names followed, results found
	results    []string
}

func (x *expansion) follow(target string, depth int) error {
	literal := strings.HasPrefix(target, `\`) // "\root" is root and no alias
	name := strings.TrimPrefix(target, `\`)
	e, ok := x.m.lookup(name)
	if literal || !ok || x.seen[key(name)] {
		return x.keep(name)
	}
	if depth > limits.AliasDepth {
		return &Error{x.asked, e.line, fmt.Sprintf("more than %d aliases lead from one to the next", limits.AliasDepth)}
	}
	x.seen[key(name)] = true
	for _, t := range e.targets {
		if reason := refused(t); reason != "" {
			return &Error{x.asked, e.line, reason}
		}
		if key(strings.TrimPrefix(t, `\`)) != key(name) && x.seen[key(t)] {
			continue // a loop, or a name that was followed already: nothing new there
		}
		if err := x.follow(t, depth+1); err != nil {
			return err
		}
	}
	if len(x.results) == 0 && depth == 0 {
		return &Error{x.asked, e.line, "leads to no address"}
	}
	return nil
}

func (x *expansion) keep(result string) error {
	if k := key(result); !x.have[k] {
		x.have[k] = true
		x.results = append(x.results, result)
	}
	if len(x.results) > limits.AliasResults {
		return &Error{Name: x.asked, Reason: fmt.Sprintf("leads to more than %d addresses", limits.AliasResults)}
	}
	return nil
}

func (m *Map) lookup(name string) (entry, bool) {
	e, ok := m.entries[key(name)]
	return e, ok
}

// Has reports whether a name has an alias.
func (m *Map) Has(name string) bool {
	_, ok := m.lookup(name)
	return ok
}

// refused says why a target of the other kinds is not served, or "".
func refused(target string) string {
	bare := strings.TrimSpace(strings.Trim(target, `"`))
	switch {
	case strings.HasPrefix(bare, "|"):
		return "leads to a command, which smtpsend does not run: it only submits mail to addresses"
	case strings.HasPrefix(bare, "/"):
		return "leads to a file, which smtpsend does not write: it only submits mail to addresses"
	case strings.HasPrefix(strings.ToLower(bare), ":include:"):
		return "leads to a list of :include:, which is not read: put the addresses into the alias"
	}
	return ""
}
