package program

import (
	"errors"
	"strings"
)

// Split splits a program and its arguments at blanks. Single quotes take everything as it is; in
// double quotes \" and \\ are " and \. A backslash elsewhere is itself,
// so that a Windows path needs no care. Its error is a predicate of s, and does not
// quote it.
func Split(s string) ([]string, error) {
	var words []string
	var word strings.Builder
	inWord := false
	for i := 0; i < len(s); i++ {
		switch c := s[i]; c {
		case ' ', '\t':
			if inWord {
				words = append(words, word.String())
				word.Reset()
			}
			inWord = false
		case '\'', '"':
			part, length, ok := quotedPart(s[i:])
			if !ok {
				return nil, errors.New("has an opening quote without a closing one")
			}
			word.WriteString(part)
			inWord = true
			i += length - 1
		default:
			word.WriteByte(c)
			inWord = true
		}
	}
	if inWord {
		words = append(words, word.String())
	}
	if len(words) == 0 || words[0] == "" {
		return nil, errors.New("does not name a program")
	}
	return words, nil
}

// quotedPart reads a quoted part at the start of s; length counts its quotes.
func quotedPart(s string) (part string, length int, ok bool) {
	quote := s[0]
	var b strings.Builder
	for i := 1; i < len(s); i++ {
		if s[i] == quote {
			return b.String(), i + 1, true
		}
		isEscaped := i+1 < len(s) && (s[i+1] == '"' || s[i+1] == '\\')
		if isEscaped && quote == '"' && s[i] == '\\' {
			i++
		}
		b.WriteByte(s[i])
	}
	return "", 0, false
}

// Masked is a program as it may be shown: its arguments may hold a secret.
func Masked(s string) string {
	switch words, err := Split(s); {
	case err != nil:
		return "[not shown]"
	case len(words) > 1:
		return words[0] + " [arguments not shown]"
	default:
		return words[0]
	}
}
