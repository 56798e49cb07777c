package sandbox_test

import (
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/sandbox"
	"github.com/smtpsend/smtpsend/internal/sandbox/accesstoken"
)

// FuzzToken: no octets that the sandbox did not sign are a token, and no error
// shows them.
func FuzzToken(f *testing.F) {
	s := start(f, sandbox.Options{})
	tokens, err := accesstoken.NewIssuer(signingKey())
	if err != nil {
		f.Fatal(err)
	}
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
		_, err := tokens.Verify(forged, time.Now())
		if err == nil {
			t.Fatalf("accepted %q", forged)
		}
		if len(payload) > 40 && strings.Contains(err.Error(), payload) {
			t.Errorf("error shows the token: %v", err)
		}
	})
}
