package smtpserver

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// parseMail reads the argument of MAIL (RFC 5321 4.1.1.2).
func (g *grammar) parseMail(arg string) (m Mail, refusal string) {
	path, rest, ok := g.cutPath(arg, "FROM:")
	if !ok {
		return Mail{}, invalidArguments
	}
	m.ReversePath = strings.Clone(path) // the rest of the line may be long
	noSize := false                     // the word before was "SIZE="
	for word := range strings.FieldsSeq(rest) {
		size, isSize := cutSize(word)
		switch {
		case isSize && !isNumber(size) && g.allow(QuirkSize):
			noSize = size == ""
			continue
		case noSize && isNumber(word): // "SIZE= 1234"
			noSize = false
			continue
		}
		if refusal := m.set(word); refusal != "" {
			return Mail{}, refusal
		}
	}
	if !validPath(path, m.UTF8) {
		return Mail{}, invalidAddress
	}
	return m, ""
}

// cutSize is the value of a SIZE parameter.
func cutSize(word string) (value string, ok bool) {
	name, value, _ := strings.Cut(word, "=")
	return value, strings.EqualFold(name, "SIZE")
}

// isNumber reports what m.set takes for a size (RFC 1870 5).
func isNumber(text string) bool {
	_, err := strconv.ParseUint(text, 10, 62)
	return err == nil
}

func (m *Mail) set(word string) (refusal string) {
	name, value, hasValue := strings.Cut(word, "=")
	switch name = strings.ToUpper(name); name {
	case "SIZE":
		n, err := strconv.ParseUint(value, 10, 62)
		if err != nil {
			return invalidArguments
		}
		m.Size = int64(n)
	case "BODY":
		switch m.Body = strings.ToUpper(value); m.Body {
		case "7BIT", "8BITMIME", "BINARYMIME":
		default:
			return invalidArguments
		}
	case "SMTPUTF8":
		if hasValue {
			return invalidArguments
		}
		m.UTF8 = true
	case "AUTH", "RET", "ENVID":
		return setParam(&m.Params, name, value)
	default:
		return unknownParameter
	}
	return ""
}

// parseRcpt reads the argument of RCPT (RFC 5321 4.1.1.3).
func (g *grammar) parseRcpt(arg string, allowUTF8 bool) (r Rcpt, refusal string) {
	path, rest, ok := g.cutPath(arg, "TO:")
	if !ok {
		return Rcpt{}, invalidArguments
	}
	r.ForwardPath = strings.Clone(path)
	for word := range strings.FieldsSeq(rest) {
		name, value, _ := strings.Cut(word, "=")
		switch name = strings.ToUpper(name); name {
		case "NOTIFY", "ORCPT":
			if refusal := setParam(&r.Params, name, value); refusal != "" {
				return Rcpt{}, refusal
			}
		default:
			return Rcpt{}, unknownParameter
		}
	}
	if path == "" || !validPath(path, allowUTF8) {
		return Rcpt{}, invalidRecipient
	}
	return r, ""
}

func setParam(params *map[string]string, name, value string) (refusal string) {
	if _, twice := (*params)[name]; twice || value == "" {
		return invalidArguments
	}
	if *params == nil {
		*params = map[string]string{}
	}
	(*params)[name] = strings.Clone(value)
	return ""
}

// cutPath takes "FROM:<path> rest" apart. A blank after the colon is not part of
// the grammar, but Exchange and nearly all others take it. A source route is
// dropped (RFC 5321 appendix C).
func (g *grammar) cutPath(arg, prefix string) (path, rest string, ok bool) {
	if len(arg) < len(prefix) || !strings.EqualFold(arg[:len(prefix)], prefix) {
		return "", "", false
	}
	arg = arg[len(prefix):]
	if trimmed := strings.TrimLeft(arg, " "); trimmed != arg {
		g.quirks |= QuirkPathBlanks
		arg = trimmed
	}
	if path, rest, ok = g.cutBrackets(arg); !ok {
		return "", "", false
	}
	if strings.HasPrefix(path, "@") {
		if _, path, ok = strings.Cut(path, ":"); !ok {
			return "", "", false
		}
	}
	return path, rest, true
}

// cutBrackets takes "<path> rest" apart, or "path rest".
func (g *grammar) cutBrackets(arg string) (path, rest string, ok bool) {
	inner, brackets := strings.CutPrefix(arg, "<")
	if !brackets {
		path, rest, _ = strings.Cut(arg, " ")
		closes := strings.Contains(path, ">") // half a pair
		if path == "" || closes || !g.allow(QuirkNoBrackets) {
			return "", "", false
		}
		return path, rest, true
	}
	end := pathEnd(inner)
	if end < 0 {
		return "", "", false
	}
	path, rest = inner[:end], inner[end+1:]
	if after, semicolon := strings.CutPrefix(rest, ";"); semicolon && g.allow(QuirkSemicolon) {
		rest = after
	}
	if rest != "" && rest[0] != ' ' {
		return "", "", false
	}
	if trimmed := strings.Trim(path, " "); trimmed != path && g.allow(QuirkPathBlanks) {
		path = trimmed
	}
	return path, rest, true
}

// pathEnd finds the ">" outside quotes.
func pathEnd(s string) int {
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case quoted && s[i] == '\\':
			i++
		case s[i] == '"':
			quoted = !quoted
		case s[i] == '>' && !quoted:
			return i
		}
	}
	return -1
}

// validPath refuses what could not be written into a command again: control
// characters, blanks and brackets outside quotes, and octets above ASCII that
// were not asked for by SMTPUTF8 or are not UTF-8. Whether it is an address of
// someone is the session's question.
func validPath(path string, allowUTF8 bool) bool {
	if !utf8.ValidString(path) || strings.HasPrefix(path, "@") || strings.HasSuffix(path, "@") {
		return false
	}
	quoted := false
	for i := 0; i < len(path); i++ {
		switch b := path[i]; {
		case b < ' ' || b == 0x7f || (b >= 0x80 && !allowUTF8):
			return false
		case quoted && b == '\\':
			if i++; i >= len(path) || path[i] < ' ' || path[i] >= 0x7f {
				return false
			}
		case b == '"':
			quoted = !quoted
		case !quoted && strings.IndexByte(" <>()\\", b) >= 0:
			return false
		}
	}
	return !quoted
}
