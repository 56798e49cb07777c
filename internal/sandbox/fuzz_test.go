package sandbox_test

import (
	"encoding/json"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/sandbox"
)

// FuzzToken: no octets that the sandbox did not sign are a token, and no error
// shows them.
func FuzzToken(f *testing.F) {
	s := start(f, sandbox.Options{})
	good := token(f, s)
	parts := strings.Split(good, ".")
	f.Add(parts[0], parts[1], parts[2]+"x")
	f.Add("eyJhbGciOiJub25lIn0", parts[1], "")
	f.Add("", "", "")
	f.Add(parts[0], parts[1], parts[2]+"\n")
	last := "AEIMQUYcgkosw048"
	i := strings.IndexByte(last, parts[2][len(parts[2])-1])
	f.Add(parts[0], parts[1], parts[2][:len(parts[2])-1]+string(last[i]+1)) // bits that carry nothing
	f.Fuzz(func(t *testing.T, header, payload, signature string) {
		forged := header + "." + payload + "." + signature
		if forged == good {
			return
		}
		err := sandbox.VerifyToken(signingKey(), forged)
		if err == nil {
			t.Fatalf("accepted %q", forged)
		}
		if len(payload) > 40 && strings.Contains(err.Error(), payload) {
			t.Errorf("error shows the token: %v", err)
		}
	})
}

// FuzzParseFault: what is accepted has a name that can be explained.
func FuzzParseFault(f *testing.F) {
	for _, text := range []string{"sendas-denied,mailbox=a@b,after=1,times=2,share=0.5", "slow,stage=auth,delay=1s", "wrong-object-id", ",,=", "reply-lost,stage=data"} {
		f.Add(text)
	}
	f.Fuzz(func(t *testing.T, text string) {
		fault, err := sandbox.ParseFault(text)
		if err == nil && (sandbox.AboutFault(fault.Name) == "" || fault.After < 0 || fault.Times < 0 || fault.Share < 0 || fault.Share > 1) {
			t.Errorf("%q: got %+v", text, fault)
		}
	})
}

// FuzzParseScenario: what is accepted can be written and read again.
func FuzzParseScenario(f *testing.F) {
	f.Add([]byte(`{"domain":"fabrikam.example","smtp_auth_disabled":true,"mailboxes":[{"address":"a@b","aliases":["c@d"],"smtp_auth":"on"}]}`))
	f.Add([]byte(`{"applications":[{"roles":["SMTP.SendAsApp"],"full_access":["*"],"effective_after_seconds":7200}]}`))
	f.Fuzz(func(t *testing.T, in []byte) {
		sc, err := sandbox.ParseScenario(in)
		if err != nil {
			return
		}
		out, err := json.Marshal(sc)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := sandbox.ParseScenario(out); err != nil {
			t.Errorf("%s: %v", out, err)
		}
	})
}
