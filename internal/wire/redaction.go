package wire

import (
	"encoding/base64"
	"strings"

	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// shortestRun is how many octets in a row of a credential are taken out of a
// server's words. Shorter ones are of no use to an attacker and may be chance.
const shortestRun = 16

// longestChance is how many octets of base64 an error result and a token may
// share by chance, which URLs in both make longer than one would think.
const longestChance = 64

// shortestCredential is the length below which a credential is not looked for:
// it would tear other words apart. Real tokens are far longer.
const shortestCredential = 8

// credential is that of AUTH, to be taken out of what the server says from then
// on. Servers quote the command that they do not like, whole or, where a limit of
// theirs split our line, in parts, and some write it in capitals.
type credential struct{ words secret.Words }

// newCredential is token and response, the latter as it goes over the wire. What
// response has in base64, its token has too, but a short one has no run of its own there.
func newCredential(token string, response []byte) *credential {
	c := &credential{}
	if len(token) >= shortestCredential {
		words := append(secret.Quoted(token), secret.Encoded(string(response))...)
		if len(token) <= shortestRun {
			words = append(words, secret.Encoded(token)...)
		}
		c.words = secret.NewWords(words...)
	}
	return c
}

// hide returns text with [redacted] in the place of every run of a credential.
// A nil credential hides nothing.
func (c *credential) hide(text string) string {
	return c.hideFrom(text, shortestRun)
}

// hideFrom is hide for runs of at least shortest octets.
func (c *credential) hideFrom(text string, shortest int) string {
	if c == nil {
		return text
	}
	return c.words.Hide(text, shortest)
}

// hideReply hides in the lines of a reply. A challenge is looked at decoded
// and goes on as base64, because the mechanism reads it: in base64
// an error result and a token share runs such as that of ":"https://.
func (c *credential) hideReply(r smtp.Reply) smtp.Reply {
	if c == nil {
		return r
	}
	lines := make([]string, len(r.Lines))
	for i, line := range r.Lines {
		challenge, err := base64.StdEncoding.DecodeString(strings.TrimSpace(line))
		if r.Code != 334 || err != nil {
			lines[i] = c.hide(line)
			continue
		}
		if hidden := c.hide(string(challenge)); hidden != string(challenge) {
			line = base64.StdEncoding.EncodeToString([]byte(hidden))
		}
		lines[i] = c.hideFrom(line, longestChance)
	}
	r.Lines = lines
	return r
}
