package message

import (
	"strings"

	"github.com/smtpsend/smtpsend/internal/lazyregexp"
	"github.com/smtpsend/smtpsend/internal/mimetext"
)

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
