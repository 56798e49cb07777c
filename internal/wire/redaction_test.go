package wire_test

import (
	"encoding/base64"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/internal/wire"
)

// FuzzRedaction puts parts of the credential anywhere into replies: 16 octets in a
// row never come out, and a text without any stays as it is.
func FuzzRedaction(f *testing.F) {
	f.Add("501 syntax error in \"", "\"", 0, 2000, 3)
	f.Add("", "", 500, 512, 0)
	f.Add("eyJ0eXAiOiJKV1Qi", "x", 17, 34, 700)
	f.Add("dXNlcj1ub3JlcGx5", "", 1, 15, 40)
	token := longToken()
	sasl := []byte("user=noreply@contoso.example\x01auth=Bearer " + token + "\x01\x01")
	response := base64.StdEncoding.EncodeToString(sasl)
	f.Fuzz(func(t *testing.T, before, after string, from, to, other int) {
		part := func(s string, from, to int) string {
			from, to = min(max(from, 0), len(s)), min(max(to, 0), len(s))
			return s[min(from, to):max(from, to)]
		}
		text := before + part(response, from, to) + after + part(token, other, from) + before
		hidden := wire.Redacted(token, sasl, text)
		if !strings.Contains(before+after, "redacted") {
			shown := strings.ReplaceAll(hidden, secret.Redacted, "\n")
			for i := 0; i+16 <= len(shown); i++ {
				if run := shown[i : i+16]; strings.Contains(token, run) || strings.Contains(response, run) {
					t.Errorf("%q holds %q of the credential", shown, run)
				}
			}
		}
		if !strings.Contains(hidden, secret.Redacted) && hidden != text {
			t.Errorf("%q became %q", text, hidden)
		}
	})
}

// A token that is shorter than a run is found whole in base64, wherever it begins there.
func TestShortTokenInBase64IsHidden(t *testing.T) {
	const longest = "abcdefgh1234567890ijklmn"
	for length := 8; length <= len(longest); length++ {
		token := longest[:length]
		sasl := []byte("user=u@x.example\x01auth=Bearer " + token + "\x01\x01")
		for _, before := range []string{"", "x", "xy", "xyz", "Bearer "} {
			text := base64.StdEncoding.EncodeToString([]byte(before + token))
			if got := wire.Redacted(token, sasl, text); !strings.Contains(got, secret.Redacted) {
				t.Errorf("%s after %q: %s", token, before, got)
			}
		}
	}
}

// longToken is as long as a real one, and no run of octets occurs twice in it.
func longToken() string {
	x := uint64(88172645463325252)
	b := make([]byte, 1400)
	for i := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = byte(x)
	}
	return "eyJ0eXAiOiJKV1QifQ." + base64.RawURLEncoding.EncodeToString(b)
}
