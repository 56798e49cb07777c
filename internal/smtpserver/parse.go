package smtpserver

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// parseMail reads the argument of MAIL (RFC 5321 4.1.1.2).
func parseMail(arg string) (m Mail, refusal string) {
	path, rest, ok := cutPath(arg, "FROM:")
	if !ok {
		return Mail{}, invalidArguments
	}
	m.ReversePath = path
	for word := range strings.FieldsSeq(rest) {
		if refusal := m.set(word); refusal != "" {
			return Mail{}, refusal
		}
	}
	if !validPath(path, m.UTF8) {
		return Mail{}, invalidAddress
	}
	return m, ""
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
func parseRcpt(arg string, allowUTF8 bool) (r Rcpt, refusal string) {
	path, rest, ok := cutPath(arg, "TO:")
	if !ok {
		return Rcpt{}, invalidArguments
	}
	r.ForwardPath = path
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
	(*params)[name] = value
	return ""
}

// cutPath takes "FROM:<path> rest" apart. A blank after the colon is not part of
// the grammar, but Exchange and nearly all others take it. A source route is
// dropped (RFC 5321 appendix C).
func cutPath(arg, prefix string) (path, rest string, ok bool) {
	if len(arg) < len(prefix) || !strings.EqualFold(arg[:len(prefix)], prefix) {
		return "", "", false
	}
	arg, ok = strings.CutPrefix(strings.TrimLeft(arg[len(prefix):], " "), "<")
	if !ok {
		return "", "", false
	}
	end := pathEnd(arg)
	if end < 0 {
		return "", "", false
	}
	path, rest = arg[:end], arg[end+1:]
	if rest != "" && rest[0] != ' ' {
		return "", "", false
	}
	if strings.HasPrefix(path, "@") {
		if _, path, ok = strings.Cut(path, ":"); !ok {
			return "", "", false
		}
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
