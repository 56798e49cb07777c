package mailobject

import (
	"crypto/rand"
	"strings"

	"github.com/smtpsend/smtpsend/internal/mimetext"
)

// NewMessageID makes a Message-ID of 130 random bits, with its angle brackets. The
// domain is that of From, never the name of this host, which would tell strangers
// about the network.
func NewMessageID(domain string) string {
	return "<" + strings.ToLower(rand.Text()) + "@" + domain + ">"
}

// CheckMessageID returns why id, without its angle brackets, is not a Message-ID
// (RFC 5322 3.6.4), or "".
func CheckMessageID(id string) string {
	left, right, ok := strings.Cut(id, "@")
	if !ok || left == "" || right == "" || strings.Contains(right, "@") {
		return "must look like <left@right>"
	}
	if len(id) > mimetext.MaxWord {
		return "too long"
	}
	for i := 0; i < len(id); i++ {
		if c := id[i]; c <= ' ' || c > '~' || strings.IndexByte(`<>()[],;\"`, c) >= 0 {
			return "holds a character that is not allowed in it"
		}
	}
	return ""
}
