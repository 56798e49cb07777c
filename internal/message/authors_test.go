package message_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/message"
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
		got, err := message.RepairAddressField("From", in)
		if want == "" {
			want = in
		}
		if err != nil || got != want {
			t.Errorf("%q became %q, %v, want %q", in, got, err, want)
		}
		if again, err := message.RepairAddressField("From", got); err != nil || again != got {
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
		got, err := message.RepairAddressField("From", in)
		var fe *message.FieldError
		if !errors.As(err, &fe) || fe.Reason != want || fe.Field != "From" || got != "" {
			t.Errorf("%q became %q, %v, want %s", in, got, err, want)
		}
	}
}

func TestRepairedFieldsAreWhatGoesOut(t *testing.T) {
	rest := "Date: x\r\nMessage-ID: <1@b.example>\r\n\r\nFrom: Example, Inc. <s@x.example>\r\n"
	long := strings.TrimSuffix(strings.Repeat("Example, ", 20), ", ")
	for name, tt := range map[string]struct{ in, want, author string }{
		"From":      {"From: Example, Inc. <s@x.example>\r\n", "From: \"Example, Inc.\" <s@x.example>\r\n", "s@x.example"},
		"folded":    {"FROM :Example,\r\n\tInc.\r\n <s@x.example>\r\nX: y\r\n", "From: \"Example, Inc.\" <s@x.example>\r\nX: y\r\n", "s@x.example"},
		"long":      {"From: " + long + " <s@x.example>\r\n", "From: \"" + strings.Join([]string{strings.TrimSuffix(strings.Repeat("Example, ", 7), " "), strings.TrimSuffix(strings.Repeat("Example, ", 8), " "), "Example, Example, Example, Example, Example\" <s@x.example>"}, "\r\n ") + "\r\n", "s@x.example"},
		"others":    {"From: a@x.example\r\nSender: Foo: Bar <b@x.example>\r\nReply-To: A, B <c@x.example>\r\nTo: A, B <c@x.example>\r\n", "From: a@x.example\r\nSender: \"Foo: Bar\" <b@x.example>\r\nReply-To: \"A, B\" <c@x.example>\r\nTo: A, B <c@x.example>\r\n", "a@x.example"},
		"beyond it": {"From: a@x.example\r\nReply-To: a, b@x.example\r\nSender: ??@@\r\n", "From: a@x.example\r\nReply-To: a, b@x.example\r\nSender: ??@@\r\n", "a@x.example"},
		"resent":    {"Resent-From: A, B <r@x.example>\r\nFrom: A, B <s@x.example>\r\n", "Resent-From: \"A, B\" <r@x.example>\r\nFrom: \"A, B\" <s@x.example>\r\n", "r@x.example"},
		"8 bits":    {"From: Müller, J <s@bücher.example> (für alle)\r\n", "From: =?utf-8?q?M=C3=BCller=2C_J?= <s@xn--bcher-kva.example>\r\n (=?utf-8?b?ZsO8ciBhbGxl?=)\r\n", "s@xn--bcher-kva.example"},
		"tabs":      {"From: A, B <s@x.example> (c" + strings.Repeat("\r\n\tabcdefg", 120) + ")\r\n", "From: \"A, B\" <s@x.example> (c" + strings.Repeat(" abcdefg", 5) + strings.Repeat("\r\n"+strings.Repeat(" abcdefg", 9), 12) + "\r\n" + strings.Repeat(" abcdefg", 7) + ")\r\n", "s@x.example"},
		"sloppy":    {"From: a@x.example via [List] <s@x.example>\r\n", "From: a@x.example via [List] <s@x.example>\r\n", "s@x.example"},
	} {
		raw := readRaw(t, tt.in+rest, message.RawOptions{})
		if list, err := raw.From(); err != nil || len(list) == 0 || list[0].Addr() != tt.author {
			t.Errorf("%s: from %v, %v, want %s", name, list, err, tt.author)
		}
		if got := octets(t, rawMail(t, raw, atNoon)); got != tt.want+rest {
			t.Errorf("%s:\n%q\nwant:\n%q", name, got, tt.want+rest)
		}
	}
	signed := "DKIM-Signature: x\r\nFrom: Example, Inc. <s@x.example>\r\nReply-To: A, B <c@x.example>\r\n" + rest
	raw := readRaw(t, signed, message.RawOptions{})
	if list, err := raw.From(); err == nil || err.Error() != `From "Example, Inc. <s@x.example>": the display name needs quotes, and the message is signed` {
		t.Errorf("signed: from %v, %v", list, err)
	}
	if got := octets(t, rawMail(t, raw, atNoon)); got != signed {
		t.Errorf("signed: %q", got)
	}
	c := atNoon
	c.ForceFrom = true
	if got := octets(t, rawMail(t, readRaw(t, "From: Example, Inc. <s@x.example>\r\n"+rest, message.RawOptions{}), c)); got != "From: Cron <cron@contoso.example>\r\n"+rest {
		t.Errorf("another From was asked for: %q", got)
	}
}

// FuzzAuthors: what is repaired has one author, the one in angle brackets.
func FuzzAuthors(f *testing.F) {
	for _, s := range []string{"Example, Inc. <s@x>", `"a", b\ <c@d> (e)`, "a: b (c <d@e>", "=?utf-8?q?a?=, b <c@d>,", "x, (y@z) <a@b>"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		repaired, err := message.RepairAddressField("From", s)
		if err != nil || repaired == s {
			return
		}
		list, err := message.ParseMailboxes("From", repaired)
		if err != nil || len(list) != 1 || list[0].Domain == "" {
			t.Fatalf("%q became %q, which is %v, %v", s, repaired, list, err)
		}
		_, inBrackets, _ := strings.Cut(s, "<")
		if only, err := message.ParseMailboxes("From", "<"+inBrackets); err != nil || only[0].Addr() != list[0].Addr() {
			t.Fatalf("%q became %q, with the address %q, not %v (%v)", s, repaired, list[0], only, err)
		}
		if again, err := message.RepairAddressField("From", repaired); err != nil || again != repaired {
			t.Fatalf("%q became %q, and that %q, %v", s, repaired, again, err)
		}
	})
}
