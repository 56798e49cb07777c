package message

import (
	"net/textproto"
	"slices"
	"strings"

	"github.com/smtpsend/smtpsend/internal/headerfield"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/mimetext"
)

// authorFields say who a message is from, and who gets the answers.
var authorFields = []string{"from", "sender", "reply-to", "resent-from", "resent-sender", "resent-reply-to"}

// RepairAddressField returns value, the unfolded value of a From, Sender or
// Reply-To field or of the Resent- field of that name, as every reader of RFC 5322
// takes it. A comma, semicolon or colon in a display name without quotes cuts it
// into addresses that do not exist: of
//
//	Example, Inc. <shop@contoso.example>
//
// some make an author "Example". Where there is one address in angle brackets and
// no @ in the words before it, these words are its name, and get quotes or become
// encoded words (RFC 2047); the brackets and what is after them stay. A value that
// can be read is returned as it is. The error is *FieldError with the given name:
// nobody can tell who is meant.
func RepairAddressField(name, value string) (string, error) {
	list, err := ParseMailboxes(name, value)
	if err == nil && !torn(list) {
		return value, nil
	}
	if repaired, ok := quotedName(value); ok {
		return repaired, nil
	}
	if err == nil {
		err = &FieldError{name, value, noDomain(",")}
	}
	return "", err
}

// torn reports whether a list of authors holds a local name beside others: then
// it is a piece of a display name more often than somebody.
func torn(list []Address) bool {
	return len(list) > 1 && slices.ContainsFunc(list, func(a Address) bool { return a.Domain == "" })
}

// quotedName is value with its display name written as RFC 5322 has it; false
// when it is not words with one address in angle brackets after them.
func quotedName(value string) (repaired string, ok bool) {
	words, _, _ := strings.Cut(value, "<")
	p := &addressParser{s: value, pos: len(words)}
	if badControl(value) != "" || len(words) > limits.Address || strings.Count(value, "<") != 1 || strings.ContainsRune(words, '@') {
		return "", false
	}
	p.pos++
	a, reason := p.angle()
	if reason != "" || a.Domain == "" {
		return "", false
	}
	if _, reason = p.blanks(); reason != "" || strings.Trim(value[p.pos:], ", \t") != "" {
		return "", false
	}
	name, ok := unquoted(words)
	name = mimetext.CleanName(mimetext.DecodeWords(name))
	if !ok || name == "" {
		return "", false
	}
	rest := strings.ReplaceAll(value[len(words):], "\t", " ") // where it can be folded
	return mimetext.DisplayName(name) + " " + strings.TrimRight(rest, ", "), true
}

// unquoted is s without the marks of its quoted strings; false when one is not
// closed.
func unquoted(s string) (text string, ok bool) {
	var b strings.Builder
	quoted := false
	for i := 0; i < len(s); i++ {
		switch {
		case s[i] == '"':
			quoted = !quoted
			continue
		case quoted && s[i] == '\\' && i+1 < len(s):
			i++
		}
		b.WriteByte(s[i])
	}
	return b.String(), !quoted
}

// repairs are the changes to the fields of authors that need them and stay. What is
// in 8 bits of such a field is re-encoded here, if anything is.
func (r *Raw) repairs(m *Mail, c RawChanges) (edits []edit) {
	if r.signed() {
		return nil
	}
	for _, f := range r.fields {
		if !slices.Contains(authorFields, f.name) || dropped(f.name, c) {
			continue
		}
		name := textproto.CanonicalMIMEHeaderKey(f.name)
		repaired, err := RepairAddressField(name, f.value)
		if err != nil || repaired == f.value {
			continue
		}
		text := mimetext.Fold(name, repaired, true)
		if utf8 := false; r.how == ReencodeAlways && !mimetext.IsASCII(repaired) {
			text, utf8 = headerfield.Addresses(name, repaired)
			m.utf8Header = m.utf8Header || utf8
		}
		edits = append(edits, edit{f.from, f.to, literal(text)})
	}
	return edits
}

// signed reports a signature over the header section, which a repair would break.
func (r *Raw) signed() bool {
	return slices.ContainsFunc(r.fields, func(f rawField) bool {
		return f.name == "dkim-signature" || f.name == "arc-message-signature"
	})
}

// authors reads a field of authors as it goes out.
func (r *Raw) authors(name, value string) ([]Address, error) {
	repaired, err := RepairAddressField(name, value)
	switch {
	case err != nil:
		return nil, err
	case repaired != value && r.signed():
		return nil, &FieldError{name, value, "the display name needs quotes, and the message is signed"}
	}
	return ParseMailboxes(name, repaired)
}
