package tenant_test

import (
	"encoding/json"
	"testing"

	"github.com/smtpsend/smtpsend/internal/sandbox/tenant"
)

// FuzzParseScenario: what is accepted can be written and read again.
func FuzzParseScenario(f *testing.F) {
	f.Add([]byte(`{"domain":"fabrikam.example","smtp_auth_disabled":true,"mailboxes":[{"address":"a@b","aliases":["c@d"],"smtp_auth":"on"}]}`))
	f.Add([]byte(`{"applications":[{"roles":["SMTP.SendAsApp"],"full_access":["*"],"effective_after_seconds":7200}]}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		sc, err := tenant.ParseScenario(in)
		if err != nil {
			return
		}
		out, err := json.Marshal(sc)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := tenant.ParseScenario(out); err != nil {
			t.Errorf("%s: %v", out, err)
		}
	})
}
