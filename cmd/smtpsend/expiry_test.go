package main

import (
	"bytes"
	"context"
	"os"
	"strings"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/keypair"
	"github.com/smtpsend/smtpsend/internal/view/expiryview"
)

// clockVariable sets, in tests, the clock by which it is judged what ends.
const clockVariable = "SMTPSEND_TEST_CLOCK"

// clockAhead is how far the clock of this process is moved.
func clockAhead() time.Duration {
	text := os.Getenv(clockVariable)
	if text == "" {
		return 0
	}
	os.Unsetenv(clockVariable)
	t, err := time.Parse(time.RFC3339, text)
	if err != nil {
		panic(err)
	}
	return time.Until(t)
}

// cmdPair is "pair FILE TIME": a certificate with its key that ends then.
func cmdPair(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) != 2 {
		ts.Fatalf("usage: pair FILE TIME")
	}
	ends, err := time.Parse(time.RFC3339, args[1])
	ts.Check(err)
	pair, err := keypair.New(keypair.Template{Bits: 2048, Life: time.Hour, Now: func() time.Time { return ends.Add(-time.Hour) }})
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(pair.PEM().Reveal()), 0o600))
}

func TestWithinTakesDaysAndDurations(t *testing.T) {
	for text, want := range map[string]string{
		"30d": "30d", "1d": "1d", "36h": "36h0m0s", "48h": "2d", "90m": "1h30m0s",
		"0d": "", "-1d": "", "d": "", "1.5d": "", "40000d": "", "99999999d": "", "30": "", "": "", "soon": "",
	} {
		var s expiryview.Span
		err := s.Set(text)
		if (want == "") != (err != nil) || (want != "" && s.String() != want) {
			t.Errorf("%q: %s, %v", text, &s, err)
		}
	}
}

// TestInterruptedWhileItLooksWhatEnds: nothing is said to be right that was not looked at.
func TestInterruptedWhileItLooksWhatEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel() // the certificate's file is not read then
	for _, args := range [][]string{{"config", "check"}, {"expiry"}} {
		var out, errs bytes.Buffer
		p := &process{stdin: strings.NewReader(""), stdout: &out, stderr: &errs, environ: []string{
			"SMTPSEND_MAIL_SENDER=a@contoso.example", "SMTPSEND_OFFICE_CLIENT_ID=11111111-2222-3333-4444-555555555555",
			"SMTPSEND_OFFICE_TENANT_ID=contoso.example", "SMTPSEND_OFFICE_CLIENT_CERTIFICATE_FILE=/client.pem",
		}}
		if code := run(ctx, p, args); code != exit.Interrupted || out.Len() > 0 || errs.String() != "smtpsend: error: interrupted\n" {
			t.Errorf("%v: exit code %d, output %s, errors %s", args, code, &out, &errs)
		}
	}
}
