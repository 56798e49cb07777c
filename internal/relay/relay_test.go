package relay_test

import (
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/sandbox"
)

func TestMailGoesFromADeviceToExchange(t *testing.T) {
	l := newLab(t, local(anyone), with{})
	l.dial(localhost).dialogue(`
		S: 220 relay.contoso.example ESMTP smtpsend
		C: EHLO printer
		S: 250-relay.contoso.example|250-PIPELINING|250-SIZE 36700160|
		C: MAIL FROM:<reports@contoso.example>
		S: 250 2.1.0
		C: RCPT TO:<x@contoso.example>
		S: 250 2.1.5
		C: DATA
		S: 354
		C: Subject: scan
		C:
		C: a page
		C: .
		S: 250 2.0.0 queued as
		C: QUIT
		S: 221
	`).closed()
	e := newExchange(t, sandbox.Options{})
	l.courier(e)
	messages := e.Messages()
	if len(messages) != 1 || messages[0].Subject != "scan" {
		t.Fatalf("%d messages arrived: %v", len(messages), messages)
	}
	raw, _ := e.Raw(messages[0].ID)
	if !strings.Contains(string(raw), "\r\n\r\na page\r\n") || !strings.Contains(string(raw), "From: reports@contoso.example\r\n") {
		t.Errorf("arrived as:\n%s", raw)
	}
}
