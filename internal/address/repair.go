package address

import (
	"slices"
	"strings"

	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/mimetext"
)

// RepairField returns value, the unfolded value of a From, Sender or
// Reply-To field or of the Resent- field of that name, as every reader of RFC 5322
// takes it. A comma, semicolon or colon in a display name without quotes cuts it
// into addresses that do not exist: of
//
//	Example, Inc. <shop@contoso.example>
//
// some make an author "Example". Where there is one address in angle brackets and
// no @ in the words before it, these words are its name, and get quotes or become
// encoded words (RFC 2047); the brackets and what is after them stay. A value that
// can be read is returned as it is. The error is *badinput.FieldError with the given
// name: it cannot be told who is meant.
func RepairField(name, value string) (string, error) {
	parse := ParseLenient
	if strings.HasSuffix(name, "From") {
		parse = ParseAuthors
	}
	list, err := parse(name, value)
	if err == nil && !torn(list) {
		return value, nil
	}
	if repaired, ok := quotedName(value); ok {
		return repaired, nil
	}
	if err == nil {
		err = badinput.Field(name, value, noDomain(","))
	}
	return "", err
}

// torn reports whether a list of authors holds a local name beside others: then
// it is a piece of a display name more often than an author.
func torn(list []Address) bool {
	return len(list) > 1 && slices.ContainsFunc(list, func(a Address) bool { return a.domain == "" })
}

// quotedName is value with its display name written as RFC 5322 has it; false
// when it is not words with one address in angle brackets after them.
func quotedName(value string) (repaired string, ok bool) {
	words, _, _ := strings.Cut(value, "<")
	p := &addressParser{s: value, pos: len(words)}
	if badinput.NotOneLine(value) != "" || len(words) > limits.Address || strings.Count(value, "<") != 1 || strings.ContainsRune(words, '@') {
		return "", false
	}
	p.pos++
	a, reason := p.angle()
	if reason != "" || a.domain == "" {
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

// NameAlone is a From that has a display name and no address, as scripts write "From:
// Backup Server"; "" for another From.
func NameAlone(value string) string {
	value = strings.Trim(value, `" `)
	if strings.ContainsAny(value, "@<>\"():") {
		return ""
	}
	return mimetext.CleanName(mimetext.DecodeWords(value))
}
