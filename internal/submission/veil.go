package submission

import (
	"encoding/base64"
	"strings"

	"github.com/smtpsend/smtpsend/internal/reply"
	"github.com/smtpsend/smtpsend/internal/secret"
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
type veil struct{ credentials []string } // folded

// newVeil hides token and response, the latter as it goes over the wire.
func newVeil(token string, response []byte) *veil {
	v := &veil{}
	for _, c := range []string{base64.StdEncoding.EncodeToString(response), token} {
		if len(c) >= shortestCredential {
			v.credentials = append(v.credentials, fold(c))
		}
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
	for _, c := range v.credentials {
		text = withoutRuns(text, c, shortest)
	}
	return text
}

// hideReply hides in the lines of a reply. A challenge is looked at behind its
// base64 alone, and goes on as base64, because the mechanism reads it: in base64
// an error result and a token share runs such as that of ":"https://.
func (v *veil) hideReply(r reply.Reply) reply.Reply {
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

// withoutRuns replaces the runs of credential in text. Every run of 2n octets
// covers a whole one of the blocks of n octets into which text is cut, so only
// those are searched for.
func withoutRuns(text, credential string, shortest int) string {
	shortest = min(shortest, len(credential))
	block := shortest / 2
	folded := fold(text)
	var b strings.Builder
	kept := 0 // what stands before it is in b
	for at := 0; at+block <= len(folded); {
		from, to := runAround(folded, credential, kept, at, at+block)
		if to-from < shortest {
			at += block
			continue
		}
		b.WriteString(text[kept:from])
		b.WriteString(secret.Redacted)
		kept, at = to, to
	}
	b.WriteString(text[kept:])
	return b.String()
}

// runAround returns the part of text that every run around text[from:to] lies
// in; it is empty when that is none itself. Nothing before floor belongs to it.
func runAround(text, credential string, floor, from, to int) (start, end int) {
	if !strings.Contains(credential, text[from:to]) {
		return from, from
	}
	start, end = from, to
	for start > floor && strings.Contains(credential, text[start-1:to]) {
		start--
	}
	for end < len(text) && strings.Contains(credential, text[from:end+1]) {
		end++
	}
	return start, end
}

// fold makes ASCII letters small and leaves every octet in its place.
func fold(s string) string {
	b := []byte(s)
	for i, c := range b {
		if c >= 'A' && c <= 'Z' {
			b[i] = c + 'a' - 'A'
		}
	}
	return string(b)
}
