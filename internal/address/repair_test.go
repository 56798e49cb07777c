package address_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/limits"
)

// The names that programs write without quotes. "" is a value that can be read as
// it is.
func TestNamesOfAuthorsGetTheirQuotes(t *testing.T) {
	for in, want := range map[string]string{
		"Example, Inc. <s@x.example>":                  `"Example, Inc." <s@x.example>`,
		"Müller, Jörg <j@x.example> (Vertrieb)":        `=?utf-8?b?TcO8bGxlciwgSsO2cmc=?= <j@x.example> (Vertrieb)`,
		"M\xfcller, J\xf6rg <j@x.example>":             `=?utf-8?b?TcO8bGxlciwgSsO2cmc=?= <j@x.example>`,
		"=?utf-8?q?M=C3=BCller?=, Jörg <j@x.example>":  `=?utf-8?b?TcO8bGxlciwgSsO2cmc=?= <j@x.example>`,
		"Firma GmbH & Co. KG, Abt. (IT) <x@y.example>": `"Firma GmbH & Co. KG, Abt. (IT)" <x@y.example>`,
		"Firma, Abt. (IT <x@y.example>":                `"Firma, Abt. (IT" <x@y.example>`,
		"Support: Team <x@y.example>":                  `"Support: Team" <x@y.example>`,
		"Sales; Support <x@y.example>":                 `"Sales; Support" <x@y.example>`,
		`"Example", Inc. <s@x.example>,`:               `"Example, Inc." <s@x.example>`,
		`"Ex\"ample, Inc." & Co, Ltd <s@x.example>`:    `"Ex\"ample, Inc. & Co, Ltd" <s@x.example>`,
		`Back\slash, Inc. <s@x.example>`:               `"Back\\slash, Inc." <s@x.example>`,
		"a,b,c,d <s@x.example>":                        `"a,b,c,d" <s@x.example>`,
		"Foo -> Bar, Baz <s@x.example>":                `"Foo -> Bar, Baz" <s@x.example>`,
		"Example,\t  Inc.  <s@x.example>":              `"Example, Inc." <s@x.example>`,
		"Example, Inc. <s (x) @ x.example.>":           `"Example, Inc." <s (x) @ x.example.>`,
		`"A, B" <s@x.example>`:                         "",
		"J. R. Doe <j@x.example>":                      "",
		"=?utf-8?q?M=C3=BCller,_J?= <j@x.example>":     "",
		"Support: Team <x@y.example>;":                 "",
		"Foo [Bar] <x@y.example>":                      "",
		"<a@x.example> (name)":                         "",
		"x@y.example (Name, Inc.)":                     "",
		"John@Work <j@x.example>":                      "",
		"ops@x.example <ops@x.example>":                "",
		"a@x.example, b@x.example":                     "",
		"A <a@x.example>, B <b@x.example>":             "",
		"a@x.example, B <b@x.example>":                 "",
		"root":                                         "",
		"root (Cron Daemon)":                           "",
		`"(Cron Daemon)" <root>`:                       "",
		"":                                             "",
	} {
		got, err := address.RepairField("From", in)
		if want == "" {
			want = in
		}
		if err != nil || got != want {
			t.Errorf("%q became %q, %v, want %q", in, got, err, want)
		}
		if again, err := address.RepairField("From", got); err != nil || again != got {
			t.Errorf("%q, repaired again, became %q, %v", got, again, err)
		}
	}
}

func TestWhoeverMayBeMeantIsRefused(t *testing.T) {
	const comma = "no @ and domain; a display name that contains a comma needs quotes"
	for in, want := range map[string]string{
		"a, b@x.example":            comma,
		"b@x.example, a":            comma,
		"Example, Inc. s@x.example": "a name before an address needs angle brackets: Name <user@domain>",
		"Example, Inc.":             comma,
		"root, Ann <ann>":           comma,
		"Example, Inc. <s@x.example>, A <a@x.example>":              comma,
		"boss@x.example, Example, Inc. <s@x.example>":               comma,
		"Ann, (boss@x.example) <s@x.example>":                       comma,
		"Ann, Lee <s@x.example> more":                               "text after the address; addresses are separated by commas",
		"Ann, <s@x.example":                                         "no closing >",
		`"Ann, Lee <s@x.example>`:                                   "a quote is not closed",
		"Ann, Lee <>":                                               "empty angle brackets",
		strings.Repeat("a, ", limits.Address/3+1) + "<s@x.example>": comma,
		"MAILER DAEMON <>":                                          "empty angle brackets",
		"Ann, Lee <s@x.example>\r\nBcc: b@x":                        "a carriage return at octet 23: a field is one line",
	} {
		got, err := address.RepairField("From", in)
		var fe *badinput.FieldError
		if !errors.As(err, &fe) || fe.Reason != want || fe.Field != "From" || got != "" {
			t.Errorf("%q became %q, %v, want %s", in, got, err, want)
		}
	}
}

// FuzzAuthors: what is repaired has one author, the one in angle brackets.
func FuzzAuthors(f *testing.F) {
	for _, s := range []string{"Example, Inc. <s@x>", `"a", b\ <c@d> (e)`, "a: b (c <d@e>", "=?utf-8?q?a?=, b <c@d>,", "x, (y@z) <a@b>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		repaired, err := address.RepairField("From", s)
		if err != nil || repaired == s {
			return
		}
		list, err := address.ParseAuthors("From", repaired)
		if err != nil || len(list) != 1 || list[0].Domain() == "" {
			t.Fatalf("%q became %q, which is %v, %v", s, repaired, list, err)
		}
		_, inBrackets, _ := strings.Cut(s, "<")
		if only, err := address.ParseAuthors("From", "<"+inBrackets); err != nil || only[0].Addr() != list[0].Addr() {
			t.Fatalf("%q became %q, with the address %q, not %v (%v)", s, repaired, list[0], only, err)
		}
		if again, err := address.RepairField("From", repaired); err != nil || again != repaired {
			t.Fatalf("%q became %q, and that %q, %v", s, repaired, again, err)
		}
	})
}

func TestANameAloneIsNotAnAddress(t *testing.T) {
	for value, want := range map[string]string{
		"Backup Server": "Backup Server", `"Backup Server"`: "Backup Server", "=?utf-8?q?J=C3=B6rg?=": "Jörg", "": "",
		"Ann <a@b.example>": "", "a@b.example": "", "Backup (nightly)": "", "Team: x;": "",
	} {
		if got := address.NameAlone(value); got != want {
			t.Errorf("%q: %q", value, got)
		}
	}
}
