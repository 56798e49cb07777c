package message

import (
	"fmt"
	"strings"

	"github.com/smtpsend/smtpsend/internal/lazyregexp"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/mimetext"
)

// Address is one mailbox (RFC 5322 3.4) with its parts decoded.
type Address struct {
	Name   string // display name, may be empty
	Local  string // local part without quotes
	Domain string // A-labels or an address literal; empty for a local name such as root
}

// IsZero reports whether there is no address.
func (a Address) IsZero() bool { return a.Local == "" && a.Domain == "" }

// Addr returns the addr-spec as MAIL and RCPT take it: local part quoted when
// it must be, no display name, no angle brackets.
func (a Address) Addr() string {
	local := a.Local
	if !isDotAtom(local) {
		local = `"` + local + `"`
	}
	if a.Domain == "" {
		return local
	}
	return local + "@" + a.Domain
}

// String returns the address as a header field has it, the display name quoted
// or encoded (RFC 2047). Parsing it gives the address again.
func (a Address) String() string {
	if a.Name == "" {
		return a.Addr()
	}
	return mimetext.DisplayName(a.Name) + " <" + a.Addr() + ">"
}

// addressField renders a field of addresses, folded between words.
func addressField(name string, list []Address) string {
	texts := make([]string, len(list))
	for i, a := range list {
		a.Name = mimetext.CleanName(a.Name)
		texts[i] = a.String()
	}
	return mimetext.Fold(name, strings.Join(texts, ", "), true)
}

// key is equal for addresses that are one forward-path. Only the domain is
// without case (RFC 5321 2.4).
func (a Address) key() string { return a.Local + "@" + strings.ToLower(a.Domain) }

// ParseAddress parses one address as people write it: "a@b.example" or
// "Name <a@b.example>". A domain in any script is converted to A-labels. The
// error is *FieldError with the given field name.
func ParseAddress(field, s string) (Address, error) {
	list, err := ParseAddressList(field, s)
	if err != nil {
		return Address{}, err
	}
	if len(list) != 1 {
		return Address{}, &FieldError{field, s, fmt.Sprintf("must be one address, not %d", len(list))}
	}
	return list[0], nil
}

// ParseAddressList parses addresses separated by commas, groups included (RFC
// 5322 3.4). An empty text is an empty list. The error is *FieldError with the
// given field name, the address that is wrong, and why.
func ParseAddressList(field, s string) ([]Address, error) {
	list, err := parse(field, s, true)
	if err != nil {
		return nil, err
	}
	for _, a := range list {
		if a.Domain == "" {
			return nil, &FieldError{field, a.Local, noDomain(s)}
		}
	}
	return list, nil
}

// noDomain is the reason for an address without @ in text. A display name with a
// comma is cut into such addresses.
func noDomain(text string) string {
	if strings.Contains(text, ",") {
		return "no @ and domain; a display name that contains a comma needs quotes"
	}
	return "no @ and domain"
}

// ParseMailboxes is ParseAddressList that lets local names pass, which have no
// Domain: "sendmail root" means somebody, once there are aliases.
func ParseMailboxes(field, s string) ([]Address, error) { return parseMailboxes(field, s) }

// parseMailboxes is ParseAddressList that lets local names pass: the header of
// a message from cron says "To: root". It takes misplaced dots too, for which
// some real mailboxes are known, and, as Postfix does, semicolons between
// addresses and an @ or brackets in a display name without quotes.
func parseMailboxes(field, s string) ([]Address, error) { return parse(field, s, false) }

// parse reads a list; strict refuses a local part that could only be sent in
// quotes which nobody wrote, and semicolons where no group ends.
func parse(field, s string, strict bool) ([]Address, error) {
	if reason := badControl(s); reason != "" {
		return nil, &FieldError{field, s, reason}
	}
	if len(s) > limits.AddressList {
		return nil, &FieldError{field, s, fmt.Sprintf("%d octets of addresses, at most %d", len(s), limits.AddressList)}
	}
	p := &addressParser{s: s, strict: strict, author: strings.HasSuffix(field, "From")}
	list, reason := p.list()
	if reason != "" {
		return nil, &FieldError{field, p.current(), reason}
	}
	return list, nil
}

// addressParser reads an address list (RFC 5322 3.4, with the obsolete route of
// 4.4). Octets above 127 count as letters, as in RFC 6532. A reason of "" means
// success; the position then stands behind what was read.
type addressParser struct {
	s     string
	pos   int
	start int // of the address being read, for the error

	strict bool
	author bool // of the message: nobody is left out, whatever is taken for a name

	comment string // among the words of the last phrase
}

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
			if reason = p.separator(false); reason != "" {
				return nil, reason
			}
		default:
			a, isGroup, reason := p.mailbox()
			if reason != "" {
				return nil, reason
			}
			if n := p.pos - p.start; n > limits.Address {
				return nil, fmt.Sprintf("has %d octets, at most %d", n, limits.Address)
			}
			if isGroup && inGroup {
				return nil, "a group within a group"
			}
			if isGroup {
				inGroup, group = true, p.start
				continue
			}
			if reason = p.separator(inGroup); reason != "" {
				return nil, reason
			}
			if list = append(list, a); len(list) > limits.Addresses {
				return nil, fmt.Sprintf("more than %d addresses", limits.Addresses)
			}
		}
	}
}

// separator wants a comma, the end of the group, or the end of the text next.
func (p *addressParser) separator(inGroup bool) string {
	if _, reason := p.blanks(); reason != "" {
		return reason
	}
	switch c := p.peek(); {
	case c == 0 || c == ',' || (c == ';' && (inGroup || !p.strict)):
		return ""
	case c == ';':
		return "addresses are separated by commas, not semicolons"
	default:
		return "text after the address; addresses are separated by commas"
	}
}

// mailbox reads one mailbox, or the display name and colon of a group.
func (p *addressParser) mailbox() (a Address, isGroup bool, reason string) {
	if name := p.sloppyName(); name != "" {
		p.pos += len(name)
		if !p.author && lostComma().MatchString(name) {
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
		p.pos++
		if a, reason = p.angle(); reason != "" {
			return a, false, reason
		}
		a.Name = words.name()
		return a, false, ""
	case ':':
		p.pos++
		return a, true, ""
	case '@':
		if len(words) == 0 {
			return a, false, "nothing before the @"
		}
		if len(words) > 1 {
			return a, false, "a name before an address needs angle brackets: Name <user@domain>"
		}
		if reason = p.misplacedDot(words[0]); reason != "" {
			return a, false, reason
		}
		p.pos++
		return p.afterAt(words[0].text)
	case 0, ',', ';':
		return p.localName(words)
	default:
		return a, false, fmt.Sprintf("%q is not allowed here without quotes", p.peek())
	}
}

// sloppyName is the display name before a "<", where it lacks quotes that only a
// strict reader asks for.
func (p *addressParser) sloppyName() string {
	if p.strict {
		return ""
	}
	return sloppyName().FindString(p.s[p.pos:])
}

// afterAt reads the domain of an address without angle brackets; a comment
// behind it is the display name in the oldest form, a@b (Name).
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
	if len(words) == 0 {
		return a, false, "no address"
	}
	if len(words) > 1 {
		return a, false, noDomain(p.s)
	}
	a.Local = words[0].text
	a.Name = mimetext.CleanName(p.comment) // "root (Cron Daemon)"
	return a, false, checkLocal(a.Local)
}

// misplacedDot refuses "a..b" before an @ where it is somebody's slip of the
// finger: sent in quotes it would be another address than the one that is meant.
func (p *addressParser) misplacedDot(w word) string {
	if p.strict && !w.quoted && strings.Contains("."+w.text+".", "..") {
		return "a dot too many before the @; where it belongs there, write the part in quotes"
	}
	return ""
}

// angle reads what stands after "<", the closing ">" included.
func (p *addressParser) angle() (a Address, reason string) {
	if p.skipSpace(); p.peek() == '@' { // obsolete source route, to be ignored (RFC 5321 3.3)
		i := strings.IndexByte(p.s[p.pos:], ':')
		if i < 0 {
			return a, "nothing before the @"
		}
		p.pos += i + 1
	}
	words, reason := p.phrase()
	if reason != "" {
		return a, reason
	}
	if len(words) != 1 {
		if len(words) == 0 && p.peek() == '>' {
			return a, "empty angle brackets"
		}
		return a, "no address in the angle brackets"
	}
	domain := ""
	if p.peek() == '@' {
		if reason = p.misplacedDot(words[0]); reason != "" {
			return a, reason
		}
		p.pos++
		if domain, reason = p.domain(); reason != "" {
			return a, reason
		}
		if _, reason = p.blanks(); reason != "" {
			return a, reason
		}
	}
	if p.peek() != '>' {
		return a, "no closing >"
	}
	p.pos++
	if domain == "" {
		return Address{Local: words[0].text}, checkLocal(words[0].text)
	}
	return newAddress(words[0].text, domain)
}

func (p *addressParser) domain() (domain, reason string) {
	p.skipSpace()
	from := p.pos
	if p.peek() == '[' {
		end := strings.IndexByte(p.s[from:], ']')
		if end < 0 {
			return "", "the address literal has no closing ]"
		}
		p.pos += end + 1
		return p.s[from:p.pos], ""
	}
	for isAtomByte(p.peek()) {
		p.pos++
	}
	if p.pos == from {
		return "", "no domain after the @"
	}
	return p.s[from:p.pos], ""
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
}

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
		comment, reason := p.blanks()
		if reason != "" {
			return nil, reason
		}
		if comment != "" {
			p.comment = comment
		}
		c := p.peek()
		switch {
		case c == '"':
			text, reason := p.quotedString()
			if reason != "" {
				return nil, reason
			}
			words = append(words, word{text, true})
		case c == '=' && encodedWord().MatchString(p.s[p.pos:]):
			text := encodedWord().FindString(p.s[p.pos:])
			p.pos += len(text)
			words = append(words, word{text, false})
		case isAtomByte(c):
			from := p.pos
			for isAtomByte(p.peek()) {
				p.pos++
			}
			words = append(words, word{p.s[from:p.pos], false})
		default:
			return words, ""
		}
	}
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
