// Package redact takes tokens and secrets out of a text that came from elsewhere.
package redact

import "github.com/smtpsend/smtpsend/internal/lazyregexp"

// What looks like a credential in text that is shown or kept again: tokens,
// SASL initial responses (base64 of "user=" or of a blank authorization
// identity before a password is not told from other base64, hence by the verb),
// and secrets in forms and URLs.
var (
	jwtShape    = lazyregexp.New(`eyJ[A-Za-z0-9_-]{8,}\.[A-Za-z0-9_-]{8,}(?:\.[A-Za-z0-9_-]*)?`)
	authShape   = lazyregexp.New(`(?i)(AUTH\s+(?:XOAUTH2|OAUTHBEARER|PLAIN|LOGIN|NTLM)\s+)[A-Za-z0-9+/=]{8,}`)
	saslShape   = lazyregexp.New(`dXNlcj[A-Za-z0-9+/=]{8,}`)
	bearerShape = lazyregexp.New(`(?i)(bearer\s+)[A-Za-z0-9._~+/=-]{20,}`)
	formShape   = lazyregexp.New(`(?i)((?:client_secret|client_assertion|refresh_token|access_token|password)["']?\s*[=:]\s*["']?)[^&\s"']{3,}`)
)

// Text is text without tokens and secrets; "[redacted]" is in their place.
func Text(text string) string {
	text = authShape.Get().ReplaceAllString(text, "${1}[redacted]")
	text = jwtShape.Get().ReplaceAllString(text, "[redacted]")
	text = saslShape.Get().ReplaceAllString(text, "[redacted]")
	text = bearerShape.Get().ReplaceAllString(text, "${1}[redacted]")
	return formShape.Get().ReplaceAllString(text, "${1}[redacted]")
}

// Tokens takes the JSON web tokens (RFC 7519) out of a text and leaves a blank for
// each. It returns the first n of them.
func Tokens(text string, n int) (rest string, tokens []string) {
	return jwtShape.Get().ReplaceAllString(text, " "), jwtShape.Get().FindAllString(text, n)
}
