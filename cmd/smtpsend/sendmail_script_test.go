package main

import (
	"os"
	"slices"
	"strconv"
	"strings"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/smtpsend/smtpsend/internal/sandbox/inbox"
)

// storedMessage is the Nth message in the script's sandbox.
func storedMessage(ts *testscript.TestScript, number string) inbox.Message {
	n, err := strconv.Atoi(number)
	ts.Check(err)
	all := boxOf(ts).Messages()
	if n > len(all) {
		ts.Fatalf("%d messages are stored, not %d", len(all), n)
	}
	return all[n-1]
}

// cmdRecipients is "recipients N PATH...": the Nth message has these
// forward-paths and no other.
func cmdRecipients(ts *testscript.TestScript, neg bool, args []string) {
	if got := storedMessage(ts, args[0]).To; !slices.Equal(got, args[1:]) {
		ts.Fatalf("forward-paths %q, want %q", got, args[1:])
	}
}

// cmdEnvelope is "envelope N MAILBOX REVERSEPATH".
func cmdEnvelope(ts *testscript.TestScript, neg bool, args []string) {
	if m := storedMessage(ts, args[0]); m.Mailbox != args[1] || m.From != args[2] {
		ts.Fatalf("mailbox %q and reverse-path %q, want %q", m.Mailbox, m.From, args[1:])
	}
}

// cmdNoSender is "nosender FILE": takes MAIL_SENDER out of an env file.
func cmdNoSender(ts *testscript.TestScript, neg bool, args []string) {
	var left []string
	for line := range strings.Lines(ts.ReadFile(args[0])) {
		if !strings.HasPrefix(line, "SMTPSEND_MAIL_SENDER=") {
			left = append(left, line)
		}
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(strings.Join(left, "")), 0o600))
}
