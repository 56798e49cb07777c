package stricttemplate

import (
	"fmt"
	"strings"
	"unicode"

	"github.com/smtpsend/smtpsend/internal/limits"
)

// source counts what the texts of one template have together, before they are
// parsed: an octet within an action becomes up to a hundred octets of memory, and
// each level of nesting a call of the parser.
type source struct {
	actions   int // octets
	defines   int
	variables int
	parts     int // that hold an action
}

// scan counts the actions of one text and refuses too many of them. It reads them
// as the parser does (text/template/parse/lex.go), up to what that refuses.
func (s *source) scan(text string) error {
	var blocks []int // of each open block, how many it is: "else if" opens another one
	depth := 0
	for first := true; ; first = false {
		_, rest, found := strings.Cut(text, "{{")
		if !found {
			break
		}
		if first {
			s.parts++
		}
		action, after := cutAction(rest)
		s.actions += len(action)
		word, more := firstWord(action)
		switch word {
		case "if", "range", "with", "block", "define":
			blocks = append(blocks, 1)
			depth++
		case "else":
			if next, _ := firstWord(more); len(blocks) > 0 && (next == "if" || next == "with") {
				blocks[len(blocks)-1]++
				depth++
			}
		case "end":
			if n := len(blocks); n > 0 {
				depth -= blocks[n-1]
				blocks = blocks[:n-1]
			}
		}
		if word == "define" || word == "block" {
			s.defines++
		}
		if depth+s.expression(action) > limits.TemplateNesting {
			return fmt.Errorf("has blocks or parentheses more than %d deep", limits.TemplateNesting)
		}
		text = after
	}
	return s.tooMuch()
}

func (s *source) tooMuch() error {
	for _, count := range []struct {
		n, most int
		what    string
	}{
		{s.actions, limits.TemplateActions, "octets between {{ and }}"},
		{s.defines, limits.TemplateDefines, "templates of define and block"},
		{s.variables, limits.TemplateVariables, "variables"},
		{s.parts, limits.TemplateParts, "fields with {{ and }}"},
	} {
		if count.n > count.most {
			return fmt.Errorf("has more than %d %s", count.most, count.what)
		}
	}
	return nil
}

// expression counts the variables that an action declares, and returns how deep
// its parentheses are.
func (s *source) expression(action string) (depth int) {
	open := 0
	for i := 0; i < len(action); i++ {
		switch c := action[i]; c {
		case '"', '\'', '`':
			i = endOfQuote(action, i)
		case '(':
			open++
			depth = max(depth, open)
		case ')':
			open--
		case '$':
			rest := strings.TrimLeft(strings.TrimLeftFunc(action[i+1:], isName), " \t\r\n")
			if strings.HasPrefix(rest, ":=") || strings.HasPrefix(rest, ",") {
				s.variables++
			}
		}
	}
	return depth
}

func isName(r rune) bool { return r == '_' || unicode.IsLetter(r) || unicode.IsDigit(r) }

// firstWord is the word that an action begins with.
func firstWord(action string) (word, rest string) {
	action = strings.TrimLeft(action, " \t\r\n")
	rest = strings.TrimLeftFunc(action, isName)
	return action[:len(action)-len(rest)], rest
}

// cutAction returns an action without its braces, "" for a comment, and what
// is after it. Where the parser would find no end, nothing is after it.
func cutAction(s string) (action, after string) {
	if len(s) >= 2 && s[0] == '-' && strings.IndexByte(" \t\r\n", s[1]) >= 0 {
		s = s[2:]
	}
	if comment, ok := strings.CutPrefix(s, "/*"); ok {
		_, after, _ = strings.Cut(comment, "*/")
		return "", after
	}
	for i := 0; i < len(s); i++ {
		switch s[i] {
		case '"', '\'', '`':
			i = endOfQuote(s, i)
		case '}':
			if strings.HasPrefix(s[i:], "}}") {
				return s[:i], s[i+2:]
			}
		}
	}
	return s, ""
}

// endOfQuote is the place of the quote that ends the one at i, or the end of what
// the parser reads.
func endOfQuote(s string, i int) int {
	quote := s[i]
	if quote == '`' {
		n := strings.IndexByte(s[i+1:], quote)
		if n < 0 {
			return len(s)
		}
		return i + 1 + n
	}
	for i++; i < len(s); i++ {
		switch s[i] {
		case '\\':
			i++
		case '\n':
			return len(s)
		case quote:
			return i
		}
	}
	return len(s)
}
