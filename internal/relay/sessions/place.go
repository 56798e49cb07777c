package sessions

import (
	"fmt"
	"net/netip"
	"strconv"
	"strings"
)

// Place is where clients are: a network, an address, or a local user. The zero value
// is everywhere.
type Place struct {
	network netip.Prefix
	user    string
}

// ParsePlace reads an address, a network such as 192.0.2.0/24, or "uid 33". The error
// says what is wrong as a predicate of the text.
func ParsePlace(text string) (Place, error) {
	if n, ok := strings.CutPrefix(text, "uid "); ok {
		_, err := strconv.ParseUint(n, 10, 32)
		if err != nil {
			return Place{}, fmt.Errorf("has a user that is not a number: %q", n)
		}
		return Place{user: text}, nil
	}
	if a, err := netip.ParseAddr(text); err == nil {
		a = a.Unmap().WithZone("")
		return Place{network: netip.PrefixFrom(a, a.BitLen())}, nil
	}
	p, err := netip.ParsePrefix(text)
	if err != nil {
		return Place{}, fmt.Errorf("is not an address, a network such as 192.0.2.0/24, or \"uid 33\": %q", text)
	}
	return Place{network: p.Masked()}, nil
}

func (p Place) everywhere() bool { return p.user == "" && !p.network.IsValid() }

// contains reports whether an address, or a user, is there.
func (p Place) contains(text string) bool {
	if p.everywhere() || isUser(text) {
		return p.everywhere() || p.user == text
	}
	a, err := netip.ParseAddr(text)
	return err == nil && p.network.Contains(a.Unmap().WithZone(""))
}

// overlaps reports whether some of a network, or of "" for all, may be there.
func (p Place) overlaps(text string) bool {
	n, err := netip.ParsePrefix(text)
	if err != nil {
		return p.everywhere() || text == "" || p.user == text
	}
	return p.everywhere() || p.network.Overlaps(n)
}
