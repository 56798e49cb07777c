//go:build linux

package interop_test

import (
	"maps"
	"slices"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/sandbox"
)

// form is one way to write a message or its recipients, tried with the sendmail
// of Postfix and with that of smtpsend. Both take it, for the same recipients and
// with the same body, unless it says otherwise.
type form struct {
	input   string   // whole; a header alone gets From and a body
	args    []string // nil = -t
	refused string   // what smtpsend says that refuses it: "" = it does not
}

// toForms are values of To.
var toForms = map[string]string{ // and why smtpsend refuses what Postfix takes
	"a@x.example b@x.example":                                    "",
	"a@x.example\tb@x.example,c@x.example":                       "",
	"a@x.example\n b@x.example":                                  "",
	"a@x.example <b@x.example>":                                  "",
	"Bob <b@x.example> c@x.example":                              "",
	"Bob <b@x.example> Al <c@x.example>":                         "",
	"Bob <b@x.example> (c) Al <c@x.example>":                     "",
	"Bob <b@x.example> c@x.example <d@x.example>":                "",
	"<a@x.example> <b@x.example>":                                "",
	"<a@x.example><root>c@x.example":                             "",
	"a@x.example (x) b@x.example":                                "",
	"a@x.example(x)b@x.example":                                  "",
	"john.q . public @ x . example (c)":                          "",
	"Joe <john. q . public(c) @(d)x(e).\tc .example (f)>":        "",
	"a @x.example, b@ x.example, c@x .example, d@x. example":     "",
	"a@x.\n example":                                             "",
	"a(c)@x.example, b@(c)x.example, c@x.(c)example":             "",
	"a@x.example., <b@x.example.>":                               "",
	"<@a.example,@b.example:c@x.example>":                        "",
	"<@a.example:c@x.example>":                                   "",
	`"a" . b@x.example, a."b"@x.example`:                         "",
	"x@[192.0.2.1], x@ [192.0.2.1]":                              "",
	"Team: a@x.example, b@x.example; c@x.example":                "",
	"A: a@x.example b@x.example; c@x.example (g)":                "",
	"a@x.example; b@x.example;":                                  "",
	",a@x.example,, b@x.example,":                                "",
	"a@x.example (b@x.example)":                                  "",
	"Bob (c) <b@x.example> (d)":                                  "",
	"Bob@Work <b@x.example>, Foo [Bar] <c@x.example>":            "",
	"J. R. Doe <j@x.example>":                                    "",
	"a . b <c@x.example>":                                        "",
	"root, \"root\", <root>, Bob <root>":                         "",
	"a@x_y.example, a*b@x.example":                               "",
	"Mary Smith <@node.test:mary@x.example>, , jdoe@x . example": "",
	"Chris Jones <c@(Chris's host.)x.example>, joe@x.example,\n John <jdoe@x.example> (my dear friend); (the end)": "",
	strings.Repeat("a", 180) + "@x.example": "",
	// A report about them comes from Postfix later, or somebody gets it who was not meant.
	"Doe Ann, Jane <jane@x.example>":    "a display name that contains a comma needs quotes",
	"Bob a@x.example":                   "a name before an address needs angle brackets",
	"Dr. bob@x.example":                 "a name before an address needs angle brackets",
	"root admin":                        "no @ and domain",
	"a@x.example and b@x.example":       "text after the address",
	"a@x.example. b@x.example":          "text after the address",
	"a@x.example Bob <b@x.example>":     "an address in front of a name",
	"a@x.example (x) Bob <b@x.example>": "text after the address",
	"Foo <a b@x.example>":               "no address in the angle brackets",
	"<>, a@x.example":                   "empty angle brackets",
	`a@x.example "b`:                    "text after the address",
	"a@x.example (b":                    "a parenthesis is not closed",
	"a@x.example..":                     "a part of the domain is empty",
	"a@b@x.example":                     "text after the address",
}

// messages are headers and whole messages.
var messages = map[string]form{
	"CR in a field":             {input: "To: a@x.example\nSubject: x\rBcc: evil@x.example\rX: y\n"},
	"CR CR LF":                  {input: strings.ReplaceAll("From: s@contoso.example\nTo: a@x.example\nBcc: b@x.example\n\none\ntwo\n", "\n", "\r\r\n")},
	"CR CR LF, an argument":     {input: strings.ReplaceAll("From: s@contoso.example\nBcc: b@x.example\n\none\ntwo\n", "\n", "\r\r\n"), args: []string{"a@x.example"}},
	"From_ lines":               {input: "From a Mon\n>From b\n>>From c\nFrom : d@x.example\nFrom: s@contoso.example\nTo: a@x.example\n\nFrom here\n>From there\n"},
	"From_ lines, an argument":  {input: "From a Mon\n>From b\nFrom: s@contoso.example\nTo: a@x.example\n\nFrom here\n", args: []string{"b@x.example"}},
	"From_ line in the header":  {input: "From: s@contoso.example\nTo: a@x.example\nFrom b Mon\nX: y\n\nhere\n"},
	"block cut":                 {input: "Resent-From: s@contoso.example\nReceived: by x\nResent-To: a@x.example\nReceived: by y\nResent-Cc: b@x.example\nTo: o@x.example\n"},
	"date alone":                {input: "Resent-Date: x\nDate: Mon, 30 Nov 2026 00:00:00 +0000\nTo: o@x.example\nResent-To: a@x.example\nResent-From: s@contoso.example\n"},
	"resent, to nobody":         {input: "Resent-Date: x\nResent-From: s@contoso.example\nResent-Sender: s@contoso.example\nTo: a@x.example\nBcc: b@x.example\n"},
	"several blocks":            {input: "Resent-From: s@contoso.example\nResent-To: a@x.example\nReceived: y\nResent-From: t@contoso.example\nResent-To: b@x.example\nTo: o@x.example\n"},
	"blocks without Received":   {input: "Resent-To: a@x.example\nResent-From: s@contoso.example\nResent-To: b@x.example\nTo: o@x.example\n"},
	"Resent-Bcc":                {input: "Resent-From: s@contoso.example\nResent-Bcc: a@x.example\nTo: o@x.example\nBcc: b@x.example\n"},
	"Resent-To empty":           {input: "Resent-To:\nTo: o@x.example\n", refused: "no recipient"},
	"Resent-To empty, a Cc":     {input: "Resent-To:\nResent-Cc: a@x.example\nTo: o@x.example\n"},
	"Resent-Reply-To":           {input: "Resent-Reply-To: r@x.example\nTo: a@x.example\n"},
	"unknown Resent- field":     {input: "Resent-Foo: x\nTo: a@x.example\n"},
	"resent, an argument too":   {input: "Resent-To: a@x.example\nTo: o@x.example\n", args: []string{"-t", "b@x.example"}},
	"blank before the colon":    {input: "To : a@x.example\nBcc\t: b@x.example\n"},
	"no recipient":              {input: "Subject: x\nApparently-To: a@x.example\nErrors-To: b@x.example\n", refused: "no recipient"},
	"one argument, two":         {input: "Subject: x\n", args: []string{"a@x.example  b@x.example"}},
	"one argument, local name":  {input: "Subject: x\n", args: []string{"root b@x.example"}},
	"one argument, with blanks": {input: "Subject: x\n", args: []string{"a . b @ x . example"}},
	"one argument, a list":      {input: "Subject: x\n", args: []string{"A <a@x.example>, b@x.example; c@x.example."}},
	"null reverse-path":         {input: "To: a@x.example\n", args: []string{"-t", "-f", "<>"}},
	"empty reverse-path":        {input: "To: a@x.example\n", args: []string{"-t", "-r", ""}},
}

// whole is the input as a message.
func (f form) whole() string {
	if strings.Contains(f.input, "\n\n") || strings.Contains(f.input, "\r\r\n") {
		return f.input
	}
	return "From: s@contoso.example\n" + f.input + "\nbody\n..\n"
}

// TestSendmailBesidePostfix gives each form to both.
func TestSendmailBesidePostfix(t *testing.T) {
	theirs, box := startSinkRelay(t), start(t, sandbox.Options{})
	ours := newClient(t, box, "DEFAULT_DOMAIN=contoso.example", "ALIASES_FILE=/dev/null", "DEAD_LETTER_DIR="+t.TempDir())
	forms := maps.Clone(messages)
	for to, refused := range toForms {
		forms[to] = form{input: "To: " + to + "\n", refused: refused}
	}
	for name, f := range forms {
		args := f.args
		if args == nil {
			args = []string{"-t"}
		}
		args = append([]string{"-i"}, args...)
		want, taken := theirs.submit(t, f.whole(), args)
		got, r := ours.submitted(t, box, f.whole(), args)
		switch {
		case f.refused != "":
			if r.code != 65 || !strings.Contains(r.stderr, f.refused) {
				t.Errorf("%s: %v, want exit code 65 and %q (Postfix: %q)", name, r, f.refused, want.recipients)
			}
		case !taken || r.code != 0:
			t.Errorf("%s: Postfix takes it: %v; smtpsend: %v", name, taken, r)
		case !slices.Equal(got.recipients, want.recipients):
			t.Errorf("%s: recipients %q, Postfix's %q", name, got.recipients, want.recipients)
		case got.body() != want.body():
			t.Errorf("%s: body %q, Postfix's %q", name, got.body(), want.body())
		case got.sender != "s@contoso.example":
			t.Errorf("%s: reverse-path %q", name, got.sender)
		}
	}
}
