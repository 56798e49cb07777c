package address_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/badinput"
)

func TestParseListReadsWhatPeopleWrite(t *testing.T) {
	for in, want := range map[string]string{
		"a@b.example":                                          `["" "a" "b.example"]`,
		" a@b.example , c@d.example,":                          `["" "a" "b.example"] ["" "c" "d.example"]`,
		"Ann Lee <a@b.example>":                                `["Ann Lee" "a" "b.example"]`,
		"Jörg Müller <j@b.example>":                            `["Jörg Müller" "j" "b.example"]`,
		`"Müller, Jörg" <j@b.example>`:                         `["Müller, Jörg" "j" "b.example"]`,
		`"O\"x\\y" <j@b.example>`:                              `["O\"x\\y" "j" "b.example"]`,
		"John Q. Public <j@b.example>":                         `["John Q. Public" "j" "b.example"]`,
		"=?utf-8?q?J=C3=B6rg?= =?utf-8?b?w5g=?= <j@b.example>": `["JörgØ" "j" "b.example"]`,
		"=?iso-8859-15?q?=A4?= <j@b.example>":                  `["€" "j" "b.example"]`,
		"=?no-such?q?=A4?= <j@b.example>":                      `["=?no-such?q?=A4?=" "j" "b.example"]`,
		"a@b.example (Ann (the) Lee)":                          `["Ann (the) Lee" "a" "b.example"]`,
		"(x) Ann (y) <a@b.example> (z), c@d.example":           `["Ann" "a" "b.example"] ["" "c" "d.example"]`,
		"Team: a@b.example, Cy <c@d.example>;":                 `["" "a" "b.example"] ["Cy" "c" "d.example"]`,
		"undisclosed-recipients:;":                             ``,
		"A: a@b.example;, B:;, c@d.example":                    `["" "a" "b.example"] ["" "c" "d.example"]`,
		"<@relay.example,@x.example:a@b.example>":              `["" "a" "b.example"]`,
		"< a@b.example >":                                      `["" "a" "b.example"]`,
		`"a..b"@b.example`:                                     `["" "a..b" "b.example"]`,
		`"plain"@b.example`:                                    `["" "plain" "b.example"]`,
		"c@(Chris's host.)b.example (Chris)":                   `["Chris" "c" "b.example"]`,
		"Pete(A nice \\) chap) <p(x)@b.example(y)>":            `["Pete" "p" "b.example"]`,
		"x@[192.0.2.1]":                                        `["" "x" "[192.0.2.1]"]`,
		"x@[IPv6:2001:db8::1]":                                 `["" "x" "[IPv6:2001:db8::1]"]`,
		"x@localhost":                                          `["" "x" "localhost"]`,
		"x@my_host.example":                                    `["" "x" "my_host.example"]`,
		"info@bücher.example":                                  `["" "info" "xn--bcher-kva.example"]`,
		"info@例え。テスト":                                          `["" "info" "xn--r8jz45g.xn--zckzah"]`,
		strings.Repeat("x", 488) + "@b.example":                fmt.Sprintf(`["" %q "b.example"]`, strings.Repeat("x", 488)),
		"почта@пример.example":                                 `["" "почта" "xn--e1afmkfd.example"]`,
		"":                                                     ``,
	} {
		list, err := address.ParseList("To", in)
		var got []string
		for _, a := range list {
			got = append(got, fmt.Sprintf("%q", []string{a.Name, a.Local(), a.Domain()}))
		}
		if s := strings.Join(got, " "); err != nil || s != want {
			t.Errorf("ParseList(%q) = %s, %v, want %s", in, s, err, want)
		}
	}
}

func TestParseListSaysWhichAddressAndWhy(t *testing.T) {
	long := strings.Repeat("x", 488)
	for in, want := range map[string]string{
		"ok@b.example, foo, c@d.example": `--to "foo": no @ and domain; a display name that contains a comma needs quotes`,
		"Müller, Jörg <j@b.example>":     `--to "Müller": no @ and domain; a display name that contains a comma needs quotes`,
		"Lee Ann, <j@b.example>":         `--to "Lee Ann": no @ and domain; a display name that contains a comma needs quotes`,
		"a@b.example; c@d.example":       `--to "a@b.example; c@d.example": addresses are separated by commas, not semicolons`,
		"a@b.example c@d.example":        `--to "a@b.example c@d.example": text after the address; addresses are separated by commas`,
		"Ann a@b.example":                `--to "Ann a@b.example": a name before an address needs angle brackets: Name <user@domain>`,
		"@b.example":                     `--to "@b.example": nothing before the @`,
		"a@":                             `--to "a@": no domain after the @`,
		"a..b@b.example":                 `--to "a..b@b.example": a dot in the wrong place before the @; if it is right, put the part before the @ in quotes`,
		"Ann <a.@b.example>":             `--to "Ann <a.@b.example>": a dot in the wrong place before the @; if it is right, put the part before the @ in quotes`,
		".a@b.example":                   `--to ".a@b.example": a dot in the wrong place before the @; if it is right, put the part before the @ in quotes`,
		"a@b..example":                   `--to "a@b..example": a part of the domain is empty, as between two dots`,
		"a@b.example.":                   `--to "a@b.example.": a part of the domain is empty, as between two dots`,
		"a@-b.example":                   `--to "a@-b.example": a label of the domain begins or ends with a hyphen`,
		"a@b!c.example":                  `--to "a@b!c.example": '!' cannot be used in a domain`,
		"a@b@c":                          `--to "a@b@c": text after the address; addresses are separated by commas`,
		"<a@b.example":                   `--to "<a@b.example": no closing >`,
		"<>":                             `--to "<>": empty angle brackets`,
		"Ann <>":                         `--to "Ann <>": empty angle brackets`,
		`"Ann <a@b.example>`:             `--to "\"Ann <a@b.example>": a quote is not closed`,
		"Ann (x <a@b.example>":           `--to "Ann (x <a@b.example>": a parenthesis is not closed`,
		"[Team] <a@b.example>":           `--to "[Team] <a@b.example>": '[' is not allowed here without quotes`,
		"Team: a@b.example":              `--to "Team: a@b.example": the group has no closing semicolon`,
		"A: B: a@b.example;;":            `--to "B: a@b.example;;": a group within a group`,
		"a@[300.1.1.1]":                  `--to "a@[300.1.1.1]": the address literal is not valid; write it as [192.0.2.1] or [IPv6:2001:db8::1]`,
		"a@[fe80::1]":                    `--to "a@[fe80::1]": the address literal is not valid; write it as [192.0.2.1] or [IPv6:2001:db8::1]`,
		"a@[1.2.3.4":                     `--to "a@[1.2.3.4": the address literal has no closing ]`,
		`"a b"@b.example`:                `--to "\"a b\"@b.example": ' ' cannot be used before the @`,
		`"y> NOTIFY=NEVER"@b.example`:    `--to "\"y> NOTIFY=NEVER\"@b.example": '>' cannot be used before the @`,
		"a\u202eb@b.example":             `--to "a\u202eb@b.example": '\u202e' cannot be used before the @`,
		"x" + long + "x@b.example":       `--to "` + long[:1] + long[:119] + `...": 500 octets, at most 498 (RFC 5321 4.5.3.1.4)`,
		"a@" + strings.Repeat("y", 64):   `--to "a@` + strings.Repeat("y", 64) + `": a label of 64 octets in the domain, at most 63`,
		"a@b.example\r\nBcc: x@y":        `--to "a@b.example\r\nBcc: x@y": a carriage return at octet 12: a field is one line`,
		"a@b.example\x00":                `--to "a@b.example\x00": a NUL at octet 12: a field is one line`,
	} {
		_, err := address.ParseList("--to", in)
		var fe *badinput.FieldError
		if !errors.As(err, &fe) || err.Error() != want {
			t.Errorf("ParseList(%q): %v, want %s", in, err, want)
		}
	}
}

// What the header of a message, and arguments of sendmail, may have: the obsolete
// syntax of RFC 5322 4.4, and what Postfix takes beyond it.
func TestParseLenientReadsWhatPostfixReads(t *testing.T) {
	for in, want := range map[string]string{
		"john.q . public @ b . example (c)":                             `["c" "john.q.public" "b.example"]`,
		"Joe <john . q.public@ b. example>":                             `["Joe" "john.q.public" "b.example"]`,
		"Joe <john. q . public(c) @(d)b(e).\t c .example (f)>":          `["Joe" "john.q.public" "b.c.example"]`,
		"John <j@machine(comment).  example>":                           `["John" "j" "machine.example"]`,
		`"a" . b@b.example, a."b"@b.example, <"a". "b"@b.example>`:      `["" "a.b" "b.example"] ["" "a.b" "b.example"] ["" "a.b" "b.example"]`,
		"a (x) @ (y) b.example":                                         `["" "a" "b.example"]`,
		"a@b.example., <c@d.example.>, e@f.example. (g)":                `["" "a" "b.example"] ["" "c" "d.example"] ["g" "e" "f.example"]`,
		"a@b.example c@d.example\te@f.example, g@h.example":             `["" "a" "b.example"] ["" "c" "d.example"] ["" "e" "f.example"] ["" "g" "h.example"]`,
		"Ann <a@b.example> c@d.example <e@f.example> Bob <g@h.example>": `["Ann" "a" "b.example"] ["c@d.example" "e" "f.example"] ["Bob" "g" "h.example"]`,
		"<a@b.example><root>c@d.example":                                `["" "a" "b.example"] ["" "root" ""] ["" "c" "d.example"]`,
		"A: a@b.example c@d.example; e@f.example (g)":                   `["" "a" "b.example"] ["" "c" "d.example"] ["g" "e" "f.example"]`,
		"(Empty list)(start)Hidden recipients  :(nobody)  ;":            ``,
	} {
		if got, err := mailboxes(in); err != nil || got != want {
			t.Errorf("ParseLenient(%q) = %s, %v, want %s", in, got, err, want)
		}
	}
}

func mailboxes(s string) (string, error) {
	list, err := address.ParseLenient("To", s)
	var got []string
	for _, a := range list {
		got = append(got, fmt.Sprintf("%q", []string{a.Name, a.Local(), a.Domain()}))
	}
	return strings.Join(got, " "), err
}

// No address is made of a name, and none is left out.
func TestParseLenientRefusesWhatMayBeAName(t *testing.T) {
	const brackets, after = "a name before an address needs angle brackets: Name <user@domain>", "text after the address; addresses are separated by commas"
	for in, want := range map[string]string{
		"Dr. bob@b.example":                      brackets,
		"Bob .lee@b.example":                     brackets,
		"Bob a@b.example":                        brackets,
		`"Bob"a@b.example`:                       brackets,
		"Ann Lee":                                "no @ and domain",
		"a@b.example Ann":                        after,
		"a@b.example and c@d.example":            after,
		"a@b.example / c@d.example":              after,
		"a@b.example. c@d.example":               after,
		"a@b.example @c.example":                 after,
		"<a@b.example> root":                     after,
		"a@b.example c@":                         after,
		"a@b.example Team: c@d.example;":         after,
		"a@b.example (x) Ann <c@d.example>":      after,
		"a@b.example Ann <c@d.example>":          "an address in front of a name; addresses are separated by commas",
		"<a@b.example> c@d.example Ann <e@f>":    after,
		"<a b@c.example>":                        "no address in the angle brackets",
		"<a@b.example c@d.example>":              "no closing >",
		"Ann <a@b.example, c@d.example>":         "no closing >",
		"<@a.example> , c:d@e.example":           "nothing before the @",
		"a@b.example..":                          "a part of the domain is empty, as between two dots",
		"a@ . b.example":                         "a part of the domain is empty, as between two dots",
		"a@.":                                    "a part of the domain is empty, as between two dots",
		"a@b.example (":                          "a parenthesis is not closed",
		"Jane, Doe <a@b.example> x, c@d.example": after,
	} {
		got, err := mailboxes(in)
		var fe *badinput.FieldError
		if !errors.As(err, &fe) || fe.Reason != want {
			t.Errorf("ParseLenient(%q) = %s, %v, want %s", in, got, err, want)
		}
	}
}

func TestParseWantsExactlyOne(t *testing.T) {
	for in, want := range map[string]string{
		"":                         `--from: must be one address, not 0`,
		"a@b.example, c@d.example": `--from "a@b.example, c@d.example": must be one address, not 2`,
	} {
		if _, err := address.Parse("--from", in); err == nil || err.Error() != want {
			t.Errorf("Parse(%q): %v, want %s", in, err, want)
		}
	}
}

// nameRunes are the characters that have ever broken an address header.
var nameRunes = []rune(`aZ09 .,;:<>()[]@\"'=?_-!#` + "äßЖשع日😀\u200d")

func genAddress() *rapid.Generator[address.Address] {
	return rapid.Custom(func(t *rapid.T) address.Address {
		name := rapid.StringOfN(rapid.RuneFrom(nameRunes), 0, 40, -1).Draw(t, "name")
		local := rapid.StringOfN(rapid.RuneFrom([]rune("ab.,@()[];:!#$%&'*+/=?^_`{|}~-äЖ")), 1, 20, 64).Draw(t, "local")
		domain := rapid.StringMatching(`[a-z0-9]([a-z0-9-]{0,8}[a-z0-9])?(\.[a-z]{2,8}){0,3}`).Draw(t, "domain")
		a, err := address.Parse("To", `"`+local+`"@`+domain)
		if err != nil || a.Local() != local || a.Domain() != domain {
			t.Fatalf("%q, %q: %v, %v", local, domain, a, err)
		}
		a.Name = strings.Join(strings.Fields(name), " ")
		return a
	})
}

func TestAddressSurvivesFormatAndParse(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		want := rapid.SliceOfN(genAddress(), 1, 5).Draw(t, "addresses")
		var texts []string
		for _, a := range want {
			texts = append(texts, a.String())
		}
		got, err := address.ParseList("To", strings.Join(texts, ", "))
		if err != nil || fmt.Sprintf("%q", got) != fmt.Sprintf("%q", want) {
			t.Errorf("%q became %q, %v", want, got, err)
		}
	})
}

func FuzzParseList(f *testing.F) {
	for _, s := range []string{"a@b", "x: a@b;", `"q" <a@b> (c), d@e`, "<@r:a@b>", "=?utf-8?q?=41?= <a@[1.2.3.4]>", "((()", `"\`, "(\\", "a@b;;,,:<"} {
		f.Add(s)
	}
	for _, s := range []string{"a@b c@d. , <e . f@(x)g>", "a@b.(c)", "<a@b> <c>d@e", `"a" . b@c`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		list, err := address.ParseList("To", s)
		checkAddresses(t, s, list, err)
		loose, err := address.ParseLenient("To", s)
		checkAddresses(t, s, loose, err)
		if list != nil && fmt.Sprint(list) != fmt.Sprint(loose) {
			t.Errorf("%q is %q, and read less strictly %q", s, list, loose)
		}
	})
}

// checkAddresses asserts what holds for all addresses that are read.
func checkAddresses(t *testing.T, s string, list []address.Address, err error) {
	if err != nil {
		return
	}
	for _, a := range list {
		if strings.ContainsAny(a.Addr()+a.String(), "\r\n\x00") || strings.ContainsAny(a.Addr(), "<> ") || len(a.Addr()) > 498 {
			t.Errorf("%q gave the address %q", s, a)
		}
		if a.Domain() == "" {
			continue
		}
		if again, err := address.Parse("To", a.String()); err != nil || again != a {
			t.Errorf("%q gave %q, which parses as %q, %v", s, a, again, err)
		}
	}
}

func TestAtTakesADomainInAnyScriptAndKeepsTheName(t *testing.T) {
	list, err := address.ParseLenient("To", "root (Cron Daemon)")
	if err != nil {
		t.Fatal(err)
	}
	got, err := list[0].At("To", "bücher.example")
	if want := `"Cron Daemon" <root@xn--bcher-kva.example>`; err != nil || got.String() != want && got.String() != "Cron Daemon <root@xn--bcher-kva.example>" {
		t.Errorf("%v, %v, want %s", got, err, want)
	}
	for domain, want := range map[string]string{
		"":                 `To "root@": a part of the domain is empty, as between two dots`,
		"x\r\nRCPT TO:<y>": `To "root@x\r\nRCPT TO:<y>": '\r' cannot be used in a domain`,
		"x y":              `To "root@x y": ' ' cannot be used in a domain`,
	} {
		if a, err := list[0].At("To", domain); err == nil || err.Error() != want || !a.IsZero() {
			t.Errorf("%q: %v, %v, want %s", domain, a, err, want)
		}
	}
}

func TestCheckGlobalRefusesWhatOnlyThisHostKnows(t *testing.T) {
	list, err := address.ParseLenient("To", "root, a@x.example")
	if err != nil {
		t.Fatal(err)
	}
	named := list[1]
	named.Name = "a\nBcc: b@c"
	for want, a := range map[string]address.Address{
		`To "root": no @ and domain`: list[0],
		`To: no @ and domain`:        {},
		`To "a\nBcc: b@c": a line feed at octet 2: a field is one line`: named,
	} {
		if err := a.CheckGlobal("To"); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
	if err := list[1].CheckGlobal("To"); err != nil {
		t.Error(err)
	}
}

func TestLocalNamesMeanNothingOnAnotherHost(t *testing.T) {
	list, err := address.ParseLenient("From", "root, root@LocalHost, root@localhost.localdomain, root@nas, root@b.example, root@[192.0.2.1]")
	if err != nil {
		t.Fatal(err)
	}
	for i, want := range []bool{true, true, true, false, false, false} {
		if list[i].IsLocalName() != want {
			t.Errorf("%s: %v", list[i], !want)
		}
		if list[i].HasPublicDomain() != (i == 4) {
			t.Errorf("%s: the domain is public: %v", list[i], i != 4)
		}
	}
	for _, domain := range []string{"192.168.1.17", "10.1", "my_printer.local", "nas.LAN", "nas.office.internal", "nas.home.arpa", "host.localdomain", "nas.invalid"} {
		list, err := address.ParseLenient("From", "root@"+domain)
		if err != nil || list[0].HasPublicDomain() {
			t.Errorf("%s: the domain is public (%v)", domain, err)
		}
	}
	for _, domain := range []string{"local.example", "1.example", "x.arpa", "127.0.0.1.nip.io"} {
		if !address.MustParse("root@" + domain).HasPublicDomain() {
			t.Errorf("%s: the domain is not public", domain)
		}
	}
	if (address.Address{}).IsLocalName() || (address.Address{}).HasPublicDomain() {
		t.Error("no address is taken for one")
	}
}
