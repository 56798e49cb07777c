package paste

import (
	"strings"

	"github.com/smtpsend/smtpsend/internal/escapes"
	"github.com/smtpsend/smtpsend/internal/lazyregexp"
	"github.com/smtpsend/smtpsend/internal/redact"
)

// clean undoes what tools do to a server's words. Tokens are taken out before base64
// is opened, which would tell what is in them, and again after it.
func clean(text string) (cleaned string, tokens []string) {
	text = escapes.Undo(text)
	text = guesses.Get().ReplaceAllString(text, "")
	if strings.Contains(text, ".\n") || strings.Contains(text, ". \n") {
		text = brokenNumber.Get().ReplaceAllString(text, "$1$2")
	}
	text, tokens = redact.Tokens(text, maxTokens)
	text, more := redact.Tokens(escapes.OpenBase64(text), maxTokens)
	return text, append(tokens, more...)
}

// maxTokens is how many tokens of a text are looked into.
const maxTokens = 8

var (
	// guesses is what MailKit and .NET say might be the cause, whatever it was.
	guesses = lazyregexp.New(`(?s)One possibility is that you are trying to connect to a port which does not support.{0,600}?is expired or invalid\.?`)
	// brokenNumber is an enhanced status code that was wrapped at a dot.
	brokenNumber = lazyregexp.New(`(\b[245]\.(?:\d{1,3}\.)?)[ \t]*\n[ \t>]*(\d{1,3}\b)`)
)
