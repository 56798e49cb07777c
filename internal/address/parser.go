package address

import (
	"fmt"
	"strings"

	"github.com/smtpsend/smtpsend/internal/lazyregexp"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/mimetext"
)

// addressParser reads an address list (RFC 5322 3.4, with the obsolete forms of
// 4.4 where it is not strict). Octets above 127 count as letters, as in RFC 6532.
// A reason of "" means success; the position is then after what was read.
type addressParser struct {
	s     string
	pos   int
	start int // of the address being read, for the error
	count int // addresses that were read

	strict bool // refuses a local part that needs quotes and has none, and semicolons where no group ends
	author bool // see ParseAuthors

	last    form   // of the address before, when no comma is between
	comment string // among the words of the last phrase
}

// form is how an address is written.
type form int

const (
	none  form = iota
	plain      // a@b
	angle      // Name <a@b>
)

// current is the text of the address being read, up to the next comma.
func (p *addressParser) current() string {
	rest := p.s[min(p.start, len(p.s)):]
	if i := strings.IndexByte(rest[min(len(rest), max(p.pos-p.start, 0)):], ','); i >= 0 {
		rest = rest[:i+max(p.pos-p.start, 0)]
	}
	return strings.TrimSpace(rest)
}

func (p *addressParser) peek() byte {
	if p.pos < len(p.s) {
		return p.s[p.pos]
	}
	return 0
}

func (p *addressParser) list() (list []Address, reason string) {
	inGroup, group := false, 0
	for {
		if _, reason := p.blanks(); reason != "" {
			return nil, reason
		}
		p.start = p.pos
		switch c := p.peek(); {
		case c == 0 && inGroup:
			p.start = group
			return nil, "the group has no closing semicolon"
		case c == 0:
			return list, ""
		case c == ',', c == ';' && !inGroup && !p.strict:
			p.pos++
		case c == ';' && inGroup:
			inGroup = false
			p.pos++
			if reason = p.groupEnd(); reason != "" {
				return nil, reason
			}
		default:
			some, isGroup, reason := p.run(inGroup)
			switch {
			case reason != "":
				return nil, reason
			case isGroup && inGroup:
				return nil, "a group within a group"
			case isGroup:
				inGroup, group = true, p.start
			}
			list = append(list, some...)
		}
	}
}

// run reads an address, or the display name and colon of a group. Where it is not
// strict it reads addresses with nothing but blanks between them, as Postfix
// does: "a@b c@d" and "Ann <a@b> Bob <c@d>", but not words that are not wholly
// addresses, which could be a name that lost its brackets.
func (p *addressParser) run(inGroup bool) (list []Address, isGroup bool, reason string) {
	for p.last = none; ; {
		from := p.pos
		a, isGroup, reason := p.mailbox()
		if p.last != none && (reason != "" || isGroup) {
			return nil, false, textAfter
		}
		if n := p.pos - from; reason == "" && n > limits.Address {
			reason = fmt.Sprintf("has %d octets, at most %d", n, limits.Address)
		}
		if reason != "" || isGroup {
			return nil, isGroup, reason
		}
		if p.count++; p.count > limits.Addresses {
			return nil, false, fmt.Sprintf("more than %d addresses", limits.Addresses)
		}
		list = append(list, a)
		if p.last = plain; p.s[p.pos-1] == '>' {
			p.last = angle
		}
		if ended, reason := p.separator(inGroup); ended || reason != "" {
			return list, false, reason
		}
	}
}

const textAfter = "text after the address; addresses are separated by commas"

// separator looks for a comma, the end of the group, or the end of the text.
func (p *addressParser) separator(inGroup bool) (ended bool, reason string) {
	if _, reason := p.blanks(); reason != "" {
		return false, reason
	}
	switch c := p.peek(); {
	case c == 0 || c == ',' || (c == ';' && (inGroup || !p.strict)):
		return true, ""
	case c == ';':
		return false, "addresses are separated by commas, not semicolons"
	case p.strict:
		return false, textAfter
	}
	return false, ""
}

// groupEnd wants a comma after the semicolon of a group, where it is strict.
func (p *addressParser) groupEnd() string {
	ended, reason := p.separator(false)
	if !ended && p.strict && reason == "" {
		return textAfter
	}
	return reason
}

// mailbox reads one mailbox, or the display name and colon of a group.
func (p *addressParser) mailbox() (a Address, isGroup bool, reason string) {
	if name := p.sloppyName(); name != "" {
		p.pos += len(name)
		if !p.author && lostComma.Get().MatchString(name) {
			return a, false, "an address in front of a name; addresses are separated by commas"
		}
		a, reason = p.angle()
		a.Name = mimetext.CleanName(mimetext.DecodeWords(strings.TrimRight(name, " \t<")))
		return a, false, reason
	}
	words, reason := p.phrase()
	if reason != "" {
		return a, false, reason
	}
	switch p.peek() {
	case '<':
		if p.last == plain {
			return a, false, textAfter // "a@b Name <c@d>" has one address, or two
		}
		p.pos++
		a, reason = p.angle()
		a.Name = words.name()
		return a, false, reason
	case ':':
		p.pos++
		return a, true, ""
	case '@':
		local, reason := p.localPart(words, false)
		if reason != "" {
			return a, false, reason
		}
		p.pos++
		return p.afterAt(local)
	case 0, ',', ';':
		return p.localName(words)
	default:
		return a, false, fmt.Sprintf("%q is not allowed here without quotes", p.peek())
	}
}

// sloppyName is the display name before a "<", where it lacks quotes that only a
// strict reader asks for.
func (p *addressParser) sloppyName() string {
	if p.strict || p.last == plain {
		return ""
	}
	return sloppyName.Get().FindString(p.s[p.pos:])
}

// afterAt reads the domain of an address without angle brackets; a comment
// after it is the display name in the oldest form, a@b (Name).
func (p *addressParser) afterAt(local string) (a Address, isGroup bool, reason string) {
	domain, reason := p.domain()
	if reason != "" {
		return a, false, reason
	}
	comment, reason := p.blanks()
	if reason != "" {
		return a, false, reason
	}
	a, reason = newAddress(local, domain)
	a.Name = mimetext.CleanName(comment)
	return a, false, reason
}

func (p *addressParser) localName(words phrase) (a Address, isGroup bool, reason string) {
	switch {
	case p.last != none:
		return a, false, textAfter
	case len(words) == 0:
		return a, false, "no address"
	case len(words) > 1:
		return a, false, noDomain(p.s)
	}
	a.local = words[0].text
	a.Name = mimetext.CleanName(p.comment) // "root (Cron Daemon)"
	return a, false, checkLocal(a.local)
}

// localPart joins the words before an @: RFC 5322 4.4 once allowed blanks and
// comments around the dots of a local part. Without angle brackets a dot must be
// apart from both words, or from none: "Dr. bob@b.example" is a name that lost its
// brackets.
func (p *addressParser) localPart(words phrase, inBrackets bool) (local, reason string) {
	if len(words) == 0 {
		return "", "nothing before the @"
	}
	var joined strings.Builder
	joined.WriteString(words[0].text)
	for i, w := range words[1:] {
		before := words[i]
		dotted := before.isDot(len(before.text)-1) || w.isDot(0)
		loose := w.apart && !inBrackets && before.text != "." && w.text != "."
		if p.strict || !dotted || loose {
			if inBrackets {
				return "", "no address in the angle brackets"
			}
			return "", "a name before an address needs angle brackets: Name <user@domain>"
		}
		joined.WriteString(w.text)
	}
	local = joined.String()
	// Sent in quotes, "a..b" would be another address than the one that is meant.
	if p.strict && !words[0].quoted && strings.Contains("."+local+".", "..") {
		return "", "a dot in the wrong place before the @; if it is right, put the part before the @ in quotes"
	}
	return local, ""
}

// route finds the obsolete source route, which is ignored (RFC 5321 3.3).
var route = lazyregexp.New(`^@[^<>:;"\\]*:`)

// angle reads what is after "<", the closing ">" included.
func (p *addressParser) angle() (a Address, reason string) {
	p.skipSpace()
	p.pos += len(route.Get().FindString(p.s[p.pos:]))
	words, reason := p.phrase()
	if reason != "" {
		return a, reason
	}
	domain := ""
	switch {
	case p.peek() == '@':
		if a.local, reason = p.localPart(words, true); reason != "" {
			return Address{}, reason
		}
		p.pos++
		if domain, reason = p.domain(); reason != "" {
			return Address{}, reason
		}
		if _, reason = p.blanks(); reason != "" {
			return Address{}, reason
		}
	case len(words) == 0 && p.peek() == '>':
		return a, "empty angle brackets"
	case len(words) != 1:
		return a, "no address in the angle brackets"
	default:
		a.local = words[0].text
	}
	if p.peek() != '>' {
		return Address{}, "no closing >"
	}
	p.pos++
	if domain == "" {
		return a, checkLocal(a.local)
	}
	return newAddress(a.local, domain)
}

// domain reads a domain or an address literal. Where it is not strict there may
// be blanks and comments around its dots, and a dot at its end, as in DNS, is
// left out.
func (p *addressParser) domain() (domain, reason string) {
	if _, reason = p.blanks(); reason != "" {
		return "", reason
	}
	if p.peek() == '[' {
		end := strings.IndexByte(p.s[p.pos:], ']')
		if end < 0 {
			return "", "the address literal has no closing ]"
		}
		domain = p.s[p.pos : p.pos+end+1]
		p.pos += len(domain)
		return domain, ""
	}
	if domain = p.atom(); domain == "" {
		return "", "no domain after the @"
	}
	for !p.strict && len(domain) <= maxAddr {
		end := p.pos
		if _, reason = p.blanks(); reason != "" {
			return "", reason
		}
		more := ""
		if strings.HasSuffix(domain, ".") || p.peek() == '.' {
			more = p.atom()
		}
		if domain += more; more == "" {
			p.pos = end // a comment there is a name
			break
		}
	}
	if rest, ok := strings.CutSuffix(domain, "."); ok && rest != "" && !p.strict {
		domain = rest
	}
	return domain, ""
}

// encodedWord finds an encoded word as a whole: many programs leave commas and
// other characters in it that RFC 2047 5 forbids there.
var encodedWord = lazyregexp.New(`^=\?[^? ]+\?[bBqQ]\?[^? "<>]*\?=`)

// sloppyName finds a display name that should be in quotes, for an @ or a bracket
// in it, up to its "<": "ops@b.example <ops@b.example>" and "[Ops] <ops@b.example>"
// are what many programs write.
var sloppyName = lazyregexp.New(`^[^<>(),;:"\\]*[@\[\]][^<>(),;:"\\]*<`)

// lostComma finds an address before the words of a sloppyName, which would get
// nothing: "a@b.example Bob <c@b.example>".
var lostComma = lazyregexp.New(`^[^ \t@\[\]]+@[^ \t@\[\]]+[ \t]+[^ \t<]`)

// word is an atom (dots included) or the content of a quoted string.
type word struct {
	text   string
	quoted bool
	apart  bool // a blank is before it
}

// isDot reports whether the octet at i is a dot that is not quoted.
func (w word) isDot(i int) bool { return !w.quoted && w.text[i] == '.' }

type phrase []word

// name joins a phrase to a display name. Encoded words (RFC 2047) are decoded
// in atoms only; a charset that is not known leaves them as they are.
func (ph phrase) name() string {
	var parts, atoms []string
	flush := func() {
		if len(atoms) > 0 {
			parts = append(parts, mimetext.DecodeWords(strings.Join(atoms, " ")))
			atoms = nil
		}
	}
	for _, w := range ph {
		if w.quoted {
			flush()
			parts = append(parts, w.text)
			continue
		}
		atoms = append(atoms, w.text)
	}
	flush()
	return mimetext.CleanName(strings.Join(parts, " "))
}

// phrase reads words and comments up to something else.
func (p *addressParser) phrase() (words phrase, reason string) {
	p.comment = ""
	for {
		from := p.pos
		comment, reason := p.blanks()
		if reason != "" {
			return nil, reason
		}
		if comment != "" {
			p.comment = comment
		}
		skipped := p.s[from:p.pos]
		apart := strings.Trim(skipped, " \t") != skipped // comments alone do not part words
		c := p.peek()
		switch {
		case c == '"':
			text, reason := p.quotedString()
			if reason != "" {
				return nil, reason
			}
			words = append(words, word{text, true, apart})
		case c == '=' && encodedWord.Get().MatchString(p.s[p.pos:]):
			text := encodedWord.Get().FindString(p.s[p.pos:])
			p.pos += len(text)
			words = append(words, word{text, false, apart})
		case isAtomByte(c):
			words = append(words, word{p.atom(), false, apart})
		default:
			return words, ""
		}
	}
}

// atom reads an atom, dots included; "" when there is none.
func (p *addressParser) atom() string {
	from := p.pos
	for isAtomByte(p.peek()) {
		p.pos++
	}
	return p.s[from:p.pos]
}

func (p *addressParser) quotedString() (text, reason string) {
	var b strings.Builder
	for p.pos++; p.pos < len(p.s); p.pos++ {
		switch c := p.s[p.pos]; c {
		case '"':
			p.pos++
			return b.String(), ""
		case '\\':
			if p.pos++; p.pos < len(p.s) {
				b.WriteByte(p.s[p.pos])
			}
		default:
			b.WriteByte(c)
		}
	}
	return "", "a quote is not closed"
}

func (p *addressParser) skipSpace() {
	for c := p.peek(); c == ' ' || c == '\t'; c = p.peek() {
		p.pos++
	}
}

// blanks skips white space and comments, and returns the last comment's text.
func (p *addressParser) blanks() (comment, reason string) {
	for {
		p.skipSpace()
		if p.peek() != '(' {
			return comment, ""
		}
		from, depth := p.pos+1, 0
	scan:
		for {
			switch p.peek() {
			case 0:
				return "", "a parenthesis is not closed"
			case '\\':
				p.pos++
			case '(':
				depth++
			case ')':
				if depth--; depth == 0 {
					break scan
				}
			}
			p.pos++
		}
		comment = mimetext.DecodeWords(p.s[from:p.pos])
		p.pos++
	}
}

// isAtomByte accepts atext (RFC 5322 3.2.3), the dot, and octets above 127.
func isAtomByte(c byte) bool {
	return c > ' ' && c != 0x7f && !strings.ContainsRune(`()<>[]:;@\,"`, rune(c))
}
