package headerfield

import (
	"cmp"
	"encoding/hex"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/mimetext"
)

// Parameter is a parameter of a MIME field (RFC 2045 5.1), or a piece of one (RFC 2231
// 3).
type Parameter struct {
	name  string // as it is written
	value string // without quotes
	raw   string // name and value as they are written there
}

// ParseParameters takes a field such as Content-Type apart, also one that RFC 2045
// does not allow: what is not understood stays in raw.
func ParseParameters(value string) (main string, params []Parameter) {
	pieces := splitParameters(value)
	for _, piece := range pieces[1:] {
		raw := strings.Trim(piece, " \t")
		if raw == "" {
			continue
		}
		name, text, _ := strings.Cut(raw, "=")
		text = strings.TrimLeft(text, " \t")
		if strings.HasPrefix(text, `"`) {
			text = text[:closing(text, '"', 0)]
			text = unescape(strings.TrimSuffix(text[1:], `"`))
		} else {
			text, _, _ = strings.Cut(text, "(")
			text = strings.TrimRight(text, " \t")
		}
		params = append(params, Parameter{strings.TrimRight(name, " \t"), text, raw})
	}
	return strings.Trim(uncommented(pieces[0]), " \t"), params
}

// uncommented is s without its comments (RFC 5322 3.2.2).
func uncommented(s string) string {
	var b strings.Builder
	for {
		i := strings.IndexByte(s, '(')
		if i < 0 {
			break
		}
		b.WriteString(s[:i])
		s = s[i+closing(s[i:], ')', '('):]
	}
	b.WriteString(s)
	return b.String()
}

// MediaType is the media type that a field says, in lower case.
func MediaType(main string) string {
	return strings.ToLower(strings.Map(func(r rune) rune {
		if r == ' ' || r == '\t' || r == '"' {
			return -1
		}
		return r
	}, main))
}

// splitParameters cuts at semicolons outside of quoted strings. There is one piece
// at least.
func splitParameters(value string) (pieces []string) {
	start := 0
	for i := 0; i < len(value); i++ {
		switch value[i] {
		case '"':
			i += closing(value[i:], '"', 0) - 1
		case ';':
			pieces = append(pieces, value[start:i])
			start = i + 1
		}
	}
	return append(pieces, value[start:])
}

// split takes the name of a parameter apart (RFC 2231 3, 4): the name of all its
// pieces, in lower case, and the number of this one; -1 = it is the whole. percent
// tells that octets are written as %XX.
func (p Parameter) split() (base string, section int, percent bool) {
	name := strings.ToLower(p.name)
	base, rest, found := strings.Cut(name, "*")
	switch number, isPercent := strings.CutSuffix(rest, "*"); {
	case !found:
		return name, -1, false
	case rest == "":
		return base, 0, true
	default:
		section, err := strconv.Atoi(number)
		if err != nil || section < 0 {
			return name, -1, false
		}
		return base, section, isPercent
	}
}

// said is what the parameters of one name say, of which there is one at least: the
// pieces of RFC 2231 together, else the first that is the whole.
func said(group []Parameter, raw Charset) string {
	var pieces []Parameter
	whole := ""
	for _, p := range group {
		if _, section, _ := p.split(); section >= 0 {
			pieces = append(pieces, p)
		} else if whole == "" {
			whole = p.value
		}
	}
	slices.SortStableFunc(pieces, func(a, b Parameter) int {
		_, i, _ := a.split()
		_, j, _ := b.split()
		return cmp.Compare(i, j)
	})
	charset, last := "", -1
	var octets strings.Builder
	for i, p := range pieces {
		value := p.value
		_, section, percent := p.split()
		if section == last {
			continue
		}
		if last = section; percent {
			if parts := strings.SplitN(value, "'", 3); i == 0 && len(parts) == 3 {
				charset, value = parts[0], parts[2]
			}
			value = unpercent(value)
		}
		octets.WriteString(value)
	}
	if octets.Len() == 0 {
		return raw.text(whole)
	}
	return NewCharset(charset).Or(raw).text(octets.String())
}

// unpercent undoes percent-encoding (RFC 2231 4).
func unpercent(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		if s[i] == '%' && i+2 < len(s) {
			if octet, err := hex.DecodeString(s[i+1 : i+3]); err == nil {
				b.Write(octet)
				i += 2
				continue
			}
		}
		b.WriteByte(s[i])
	}
	return b.String()
}

// Find returns the value of the parameter of that name, and whether there is one.
func Find(params []Parameter, name string) (string, bool) {
	var pieces []Parameter
	for _, p := range params {
		switch base, section, _ := p.split(); {
		case base != name:
		case section < 0:
			return p.value, true
		default:
			pieces = append(pieces, p)
		}
	}
	if len(pieces) == 0 {
		return "", false
	}
	return said(pieces, Charset{}), true
}

// parameterField writes the field again, each parameter on a line of its own; those
// that are not ASCII, or too long for a line, percent-encoded (RFC 2231), once for
// all that have the same name.
func parameterField(name, main string, params []Parameter, raw Charset) string {
	groups := map[string][]Parameter{}
	again := map[string]bool{}
	for _, p := range params {
		base, _, _ := p.split()
		groups[base] = append(groups[base], p)
		again[base] = again[base] || !mimetext.IsASCII(p.raw) || len(p.raw) >= limits.Line-2 || strings.Contains(p.raw, "\x00")
	}
	var b strings.Builder
	b.WriteString(name + ": " + raw.ascii(main))
	for _, p := range params {
		base, section, _ := p.split()
		switch group := groups[base]; {
		case !again[base] || base == "":
			b.WriteString(";\r\n " + raw.ascii(p.raw))
		case group != nil:
			spelled := p.name
			if section >= 0 {
				spelled, _, _ = strings.Cut(p.name, "*")
			}
			b.WriteString(mimetext.Parameter(raw.ascii(spelled), strings.ToValidUTF8(said(group, raw), "?")))
			groups[base] = nil
		}
	}
	b.WriteString("\r\n")
	return b.String()
}

// ascii puts a question mark in the place of each character that is not ASCII,
// where nothing can encode one.
func (c Charset) ascii(s string) string {
	if mimetext.IsASCII(s) {
		return s
	}
	return strings.Map(func(r rune) rune {
		if r >= utf8.RuneSelf {
			return '?'
		}
		return r
	}, c.text(s))
}

// WithCharset is a raw Content-Type with another charset, folded.
func WithCharset(raw, charset string, c Charset) string {
	main, params := ParseParameters(c.whole(Value(raw)))
	if !strings.Contains(main, "/") || len(main) > mimetext.MaxWord {
		main = "text/plain"
	}
	text := Name(raw) + ": " + c.ascii(main) + "; charset=" + charset + "\r\n"
	kept := []Parameter{{"charset", charset, "charset=" + charset}}
	for _, p := range params {
		if base, _, _ := p.split(); base != "charset" {
			kept = append(kept, p)
		}
	}
	if len(kept) == 1 {
		return text
	}
	if all, ok := Fold(parameterField(Name(raw), main, kept, c), true); ok {
		return all
	}
	return text // a name that no line has room for is not read either
}
