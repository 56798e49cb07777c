// Package hostname tells names of hosts from other texts.
package hostname

import (
	"net/netip"
	"strings"

	"github.com/smtpsend/smtpsend/internal/ascii"
)

// maxName is the longest name in octets (RFC 1035 2.3.4).
const maxName = 253

// IsHost reports an address, or a name of at most 253 octets.
func IsHost(text string) bool {
	_, err := netip.ParseAddr(text)
	isName := len(text) <= maxName && IsName(text)
	return err == nil || isName
}

// IsName reports labels of letters, digits, hyphens within and underscores. It is no
// regular expression, because every start of a program would compile it.
func IsName(text string) bool {
	for label := range strings.SplitSeq(strings.TrimSuffix(text, "."), ".") {
		hyphenAtEnd := strings.HasPrefix(label, "-") || strings.HasSuffix(label, "-")
		if label == "" || len(label) > 63 || hyphenAtEnd || strings.ContainsFunc(label, isOther) {
			return false
		}
	}
	return true
}

func isOther(r rune) bool { return !ascii.IsAlnum(r) && r != '-' && r != '_' }
