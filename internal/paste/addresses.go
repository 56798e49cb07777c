package paste

import (
	"net/netip"
	"strings"
	"sync"

	"github.com/smtpsend/smtpsend/internal/lazyregexp"
)

// Where a connection fails, programs often print the address alone. These are
// the ranges that Microsoft publishes for Exchange Online's clients
// (https://learn.microsoft.com/microsoft-365/enterprise/urls-and-ip-address-ranges,
// rows 1 and 10). Those of its servers for incoming mail are left out, because
// they are also in other servers' logs as clients.
var exchangeRanges = sync.OnceValue(func() []netip.Prefix {
	return []netip.Prefix{
		netip.MustParsePrefix("40.96.0.0/13"), netip.MustParsePrefix("40.104.0.0/15"), netip.MustParsePrefix("52.96.0.0/14"),
		netip.MustParsePrefix("132.245.0.0/16"), netip.MustParsePrefix("150.171.32.0/22"), netip.MustParsePrefix("23.103.160.0/20"),
		netip.MustParsePrefix("13.107.6.152/31"), netip.MustParsePrefix("13.107.18.10/31"), netip.MustParsePrefix("13.107.128.0/22"),
		netip.MustParsePrefix("204.79.197.215/32"),
	}
})

// exchangeIPv4 reports whether a run of letters, digits and dots is an address
// of Exchange Online.
func exchangeIPv4(name string) bool {
	if name[0] < '0' || name[0] > '9' {
		return false
	}
	addr, err := netip.ParseAddr(name)
	if err != nil {
		return false
	}
	for _, r := range exchangeRanges() {
		if r.Contains(addr) {
			return true
		}
	}
	return false
}

// dialled reports whether the address at this place is one that was connected
// to: a port of mail or of HTTPS follows it, and no word for a client is
// before it.
func dialled(text string, at region) bool {
	after, before := text[at.end:min(len(text), at.end+12)], text[max(0, at.start-20):at.start]
	return mailPortAfter.Get().MatchString(after) && !clientBefore.Get().MatchString(before)
}

var (
	mailPortAfter = lazyregexp.New(`^\]?(?: ?: ?|,? port )(?:25|465|587|110|143|443|993|995)\b`)
	clientBefore  = lazyregexp.New(`(?i)(?:client|from|addr|source|src|peer)[:=]? ?\[?$`)
)

// inIPv6 is wider than the form of IPv6 addresses: it has capitals beyond F.
func inIPv6(r rune) bool {
	if r == ':' {
		return true
	}
	return r <= 'f' && letterOrDigit(byte(r))
}

// exchangeIPv6 are the IPv6 addresses of Exchange Online in a text that were
// connected to: 2603:1006 to 2603:1056.
func exchangeIPv6(text string) []mark {
	var out []mark
	for _, start := range wordStarts(text, "2603:10") {
		rest := text[start+len("2603:10"):]
		if len(rest) > 3 && rest[0] >= '0' && rest[0] <= '5' && rest[1] == '6' && rest[2] == ':' {
			length := strings.IndexFunc(rest, func(r rune) bool { return !inIPv6(r) })
			if length < 0 {
				length = len(rest)
			}
			if at := (region{start, start + len("2603:10") + length}); dialled(text, at) {
				out = append(out, mark{start: at.start, end: at.end, microsoft: true, address: true})
			}
		}
	}
	return out
}
