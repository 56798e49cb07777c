package readymessage_test

import (
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/mailobject/mailtest"
	"github.com/smtpsend/smtpsend/internal/readymessage"
)

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
		raw := readRaw(t, tt.in+rest, readymessage.Options{})
		if list, err := raw.From(); err != nil || len(list) == 0 || list[0].Addr() != tt.author {
			t.Errorf("%s: from %v, %v, want %s", name, list, err, tt.author)
		}
		if got := mailtest.Octets(t, rawMail(t, raw, atNoon)); got != tt.want+rest {
			t.Errorf("%s:\n%q\nwant:\n%q", name, got, tt.want+rest)
		}
	}
	signed := "DKIM-Signature: x\r\nFrom: Example, Inc. <s@x.example>\r\nReply-To: A, B <c@x.example>\r\n" + rest
	raw := readRaw(t, signed, readymessage.Options{})
	if list, err := raw.From(); err == nil || err.Error() != `From "Example, Inc. <s@x.example>": the display name needs quotes, and the message is signed` {
		t.Errorf("signed: from %v, %v", list, err)
	}
	if got := mailtest.Octets(t, rawMail(t, raw, atNoon)); got != signed {
		t.Errorf("signed: %q", got)
	}
	c := atNoon
	c.ForceFrom = true
	if got := mailtest.Octets(t, rawMail(t, readRaw(t, "From: Example, Inc. <s@x.example>\r\n"+rest, readymessage.Options{}), c)); got != "From: Cron <cron@contoso.example>\r\n"+rest {
		t.Errorf("another From was asked for: %q", got)
	}
}
