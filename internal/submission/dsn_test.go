package submission_test

import (
	"slices"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/submission"
)

// A wish for notifications reaches a server that offers DSN, and no other.
func TestDSNOnlyWhereOffered(t *testing.T) {
	wish := mailobject.DSN{Notify: "SUCCESS,DELAY", Return: "HDRS", EnvelopeID: "a+b = c"}
	for _, tt := range []struct {
		offered    string
		mail, rcpt string // how the commands end
	}{
		{"DSN", " RET=HDRS ENVID=a+2Bb+20+3D+20c", "RCPT TO:<a@contoso.example> NOTIFY=SUCCESS,DELAY"},
		{"X-NOTHING", "", "RCPT TO:<a@contoso.example>"},
	} {
		for _, stepwise := range []bool{false, true} {
			s := &server{extTLS: []string{"SIZE 1000000", "PIPELINING", "AUTH XOAUTH2", tt.offered}}
			o := setup(t, s)
			o.NoPipelining = stepwise
			m := compose(t, "a@contoso.example")
			m.Envelope.DSN = wish
			if r := submission.Submit(t.Context(), o, m, once); !r.AllAccepted() {
				t.Fatalf("%s: %v", tt.offered, r.Err())
			}
			commands := s.commands()
			if !slices.ContainsFunc(commands, func(l string) bool {
				_, after, ok := strings.Cut(l, " SIZE=")
				return ok && strings.TrimLeft(after, "0123456789") == tt.mail
			}) || !slices.Contains(commands, tt.rcpt) {
				t.Errorf("%s: commands %q", tt.offered, commands)
			}
		}
	}
}
