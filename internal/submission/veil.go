package submission

import (
	"encoding/base64"
	"strings"

	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// shortestRun is how many octets in a row of a credential are taken out of a
// server's words. Shorter ones are of no use to anybody and may be chance.
const shortestRun = 16

// longestChance is how many octets of base64 an error result and a token may
// share by chance, which URLs in both make longer than one would think.
const longestChance = 64

// shortestCredential is the length below which a credential is not looked for:
// it would tear other words apart. Real tokens are far longer.
const shortestCredential = 8

// veil takes the credential of AUTH out of what the server says from then on.
// Servers quote the command that they do not like, whole or, where a limit of
// theirs split our line, in parts, and some write it in capitals.
type veil struct{ credentials secret.Words }

// newVeil hides token and response, the latter as it goes over the wire.
func newVeil(token string, response []byte) *veil {
	v := &veil{}
	if len(token) >= shortestCredential {
		v.credentials = secret.NewWords(append([]string{base64.StdEncoding.EncodeToString(response)}, secret.Writings(token)...)...)
	}
	return v
}

// hide returns text with [redacted] in the place of every run of a credential.
// A nil veil hides nothing.
func (v *veil) hide(text string) string {
	return v.hideFrom(text, shortestRun)
}

// hideFrom is hide for runs of at least shortest octets.
func (v *veil) hideFrom(text string, shortest int) string {
	if v == nil {
		return text
	}
	return v.credentials.Hide(text, shortest)
}

// hideReply hides in the lines of a reply. A challenge is looked at behind its
// base64 alone, and goes on as base64, because the mechanism reads it: in base64
// an error result and a token share runs such as that of ":"https://.
func (v *veil) hideReply(r smtp.Reply) smtp.Reply {
	if v == nil {
		return r
	}
	lines := make([]string, len(r.Lines))
	for i, line := range r.Lines {
		challenge, err := base64.StdEncoding.DecodeString(strings.TrimSpace(line))
		if r.Code != 334 || err != nil {
			lines[i] = v.hide(line)
			continue
		}
		if hidden := v.hide(string(challenge)); hidden != string(challenge) {
			line = base64.StdEncoding.EncodeToString([]byte(hidden))
		}
		lines[i] = v.hideFrom(line, longestChance)
	}
	r.Lines = lines
	return r
}
