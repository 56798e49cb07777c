package address_test

import (
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/smtpsend/smtpsend/internal/address"
)

func TestPatternsMatchAnAddressOrADomain(t *testing.T) {
	for pattern, addresses := range map[string]map[string]bool{
		"Scanner@Contoso.com": {"scanner@contoso.com": true, "SCANNER@CONTOSO.COM": true, "scanner2@contoso.com": false, "scanner@mail.contoso.com": false},
		"*@contoso.com":       {"a@contoso.com": true, `"a b"@contoso.com`: true, "a@CONTOSO.COM": true, "a@mail.contoso.com": false, "a@notcontoso.com": false},
		"*@bücher.example":    {"a@bücher.example": true, "a@XN--bcher-kva.example": true, "a@bucher.example": false},
		"K@contoso.com":       {"k@contoso.com": true, "\u212a@contoso.com": false},
		"x@[192.0.2.1]":       {"x@[192.0.2.1]": true},
	} {
		p, err := address.ParsePattern("senders", pattern)
		if err != nil {
			t.Error(err)
			continue
		}
		for text, want := range addresses {
			a, err := address.Parse("", text)
			if err != nil && strings.Contains(text, " ") {
				continue // not an address here
			}
			if err != nil || p.Matches(a) != want {
				t.Errorf("%s matches %s: %v, %v", pattern, text, !want, err)
			}
		}
		if again, err := address.ParsePattern("senders", p.String()); again != p || err != nil {
			t.Errorf("%s reads as %v, %v", p, again, err)
		}
	}
	if (address.Pattern{}).Matches(address.Address{}) {
		t.Error("no pattern matches no address")
	}
}

func TestPatternsThatCouldMeanMoreAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"":                         `senders: must be one address, not 0`,
		"root":                     `senders "root": no @ and domain`,
		"*":                        `senders "*": no @ and domain`,
		"*@":                       `senders: is empty`,
		"*@*":                      `senders "*": '*' cannot be used in a domain`,
		"*@*.contoso.com":          `senders "*.contoso.com": '*' cannot be used in a domain`,
		"*@[192.0.2.1]":            `senders "[192.0.2.1]": is an address literal, not a domain`,
		"scan*@contoso.com":        `senders "scan*@contoso.com": has a * within the address: write a whole address, or *@domain`,
		`"*"@contoso.com`:          `senders "\"*\"@contoso.com": has a * within the address: write a whole address, or *@domain`,
		"Ann <a@contoso.com>":      `senders "Ann <a@contoso.com>": has a name: write the address alone`,
		"a@b.example, c@d.example": `senders "a@b.example, c@d.example": must be one address, not 2`,
	} {
		if p, err := address.ParsePattern("senders", text); err == nil || err.Error() != want {
			t.Errorf("%q: %v, %v, want %s", text, p, err, want)
		}
	}
}

func TestTheAddressOfAPatternMatchesIt(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b := genAddress().Draw(t, "a"), genAddress().Draw(t, "b")
		if !a.Pattern().Matches(a) {
			t.Errorf("%s does not match itself", a)
		}
		same := strings.EqualFold(a.Addr(), b.Addr())
		if a.Pattern().Matches(b) != same {
			t.Errorf("%s matches %s: %v", a, b, !same)
		}
		p, err := address.ParsePattern("senders", "*@"+a.Domain())
		if err != nil || !p.Matches(a) || p.Matches(b) != strings.EqualFold(a.Domain(), b.Domain()) {
			t.Errorf("%s with %s and %s, %v", p, a, b, err)
		}
	})
}
