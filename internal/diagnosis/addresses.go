package diagnosis

import (
	"net/netip"

	"github.com/smtpsend/smtpsend/internal/lazyregexp"
)

// Where a connection fails, programs often print the address alone. These are
// the ranges that Microsoft publishes for Exchange Online's clients
// (https://learn.microsoft.com/microsoft-365/enterprise/urls-and-ip-address-ranges,
// rows 1 and 10). Those of its servers for incoming mail are left out, because
// they also stand in other servers' logs as clients.
var (
	exchangeIPv4 = []string{
		"40.96.0.0/13", "40.104.0.0/15", "52.96.0.0/14", "132.245.0.0/16", "150.171.32.0/22", "23.103.160.0/20",
		"13.107.6.152/31", "13.107.18.10/31", "13.107.128.0/22", "204.79.197.215/32",
	}
	exchangeIPv6 = lazyregexp.New(`(?i)\b2603:10[0-5]6:[0-9a-f:]+`)
	ipv4Shape    = lazyregexp.New(`\b(?:\d{1,3}\.){3}\d{1,3}\b`)
)

// exchangeAddresses are the addresses of Exchange Online in a text.
func exchangeAddresses(text string) []mark {
	var ranges []netip.Prefix
	for _, r := range exchangeIPv4 {
		ranges = append(ranges, netip.MustParsePrefix(r))
	}
	var out []mark
	for _, m := range ipv4Shape().FindAllStringIndex(text, maxMarks) {
		addr, err := netip.ParseAddr(text[m[0]:m[1]])
		for _, r := range ranges {
			if err == nil && r.Contains(addr) {
				out = append(out, mark{start: m[0], end: m[1], microsoft: true})
			}
		}
	}
	for _, m := range exchangeIPv6().FindAllStringIndex(text, maxMarks) {
		out = append(out, mark{start: m[0], end: m[1], microsoft: true})
	}
	return out
}
