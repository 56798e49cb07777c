package submission_test

import (
	"encoding/base64"
	"fmt"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/bearer"
	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/internal/submission"
	"github.com/smtpsend/smtpsend/xoauth2"
)

// jwt is a token as long as a real one, in which no run of octets occurs twice.
var jwt = func() string {
	x := uint64(88172645463325252)
	b := make([]byte, 1400)
	for i := range b {
		x ^= x << 13
		x ^= x >> 7
		x ^= x << 17
		b[i] = byte(x)
	}
	return "eyJ0eXAiOiJKV1QifQ." + base64.RawURLEncoding.EncodeToString(b)
}()

// wireResponse is what goes over the wire for jwt.
func wireResponse(t testing.TB) string {
	t.Helper()
	response, err := xoauth2.InitialResponse(mailbox, jwt)
	if err != nil {
		t.Fatal(err)
	}
	return base64.StdEncoding.EncodeToString(response)
}

// shown is everything of a submission that could be shown: the trace, and what
// the receipt and its errors hold.
func shown(t *testing.T, s *server) string {
	t.Helper()
	o := setup(t, s)
	o.Tokens = &tokens{list: []bearer.Token{{Access: secret.New(jwt)}}}
	var all strings.Builder
	o.Trace = func(line string) { fmt.Fprintln(&all, line) }
	r := submission.Submit(t.Context(), o, compose(t, "a@contoso.example"), once)
	fmt.Fprintf(&all, "%+v\n", *r)
	for _, a := range r.Attempts {
		if a.Err != nil {
			fmt.Fprintf(&all, "%v\n%+v\n%+v\n", a.Err, *a.Err, a.Err.Symptom())
		}
	}
	return all.String()
}

// noRun fails when text holds n octets in a row of a credential.
func noRun(t *testing.T, text string, n int, credentials ...string) {
	t.Helper()
	text = strings.ToLower(text)
	for _, c := range credentials {
		c = strings.ToLower(c)
		for i := 0; i+n <= len(c); i++ {
			if strings.Contains(text, c[i:i+n]) {
				t.Fatalf("octets %d to %d of a credential are in %.600q", i, i+n, text)
			}
		}
	}
}

// Servers quote what they did not understand. Each case is a reply with which
// the credential came back, and where.
func TestServerThatRepeatsTheCredential(t *testing.T) {
	response := wireResponse(t)
	quoted := "AUTH XOAUTH2 " + response
	result := base64.StdEncoding.EncodeToString([]byte(`{"status":"401","schemes":"` + jwt + `"}`))
	for name, tt := range map[string]*server{
		"the response":           {say: map[string]string{"auth": `501 5.5.4 syntax error in "` + quoted + `"`}},
		"the token":              {say: map[string]string{"auth": "535 5.7.8 token " + jwt + " is not valid"}},
		"in base64":              {say: map[string]string{"auth": "535 5.7.8 " + base64.StdEncoding.EncodeToString([]byte("no: "+jwt))}},
		"in capitals":            {say: map[string]string{"auth": "500 5.5.1 unknown command " + strings.ToUpper(quoted)}},
		"a part":                 {say: map[string]string{"auth": "500 5.5.1 unknown command " + response[512:1024]}},
		"over several lines":     {say: map[string]string{"auth": "500-5.5.1 " + response[:500] + "\r\n500-" + response[500:1000] + "\r\n500 " + response[1000:]}},
		"to the next command":    {say: map[string]string{"mail": "500 5.5.1 unknown command " + response[300:]}},
		"with the final reply":   {say: map[string]string{"dot": "451 4.3.0 " + jwt[20:60]}},
		"in an error result":     {say: map[string]string{"auth": "334 " + result, "unknown": "535 5.7.8 no"}},
		"in what is no reply":    {say: map[string]string{"auth": "what? " + quoted}},
		"in a challenge, cut":    {say: map[string]string{"auth": "334 " + response[301:701], "unknown": "535 5.7.8 no"}},
		"in a challenge in text": {say: map[string]string{"auth": "334 " + jwt, "unknown": "535 5.7.8 no"}},
	} {
		t.Run(name, func(t *testing.T) {
			text := shown(t, tt)
			noRun(t, text, 32, jwt, response)
			if !strings.Contains(text, secret.Redacted) {
				t.Errorf("nothing is redacted: %.600q", text)
			}
		})
	}
}

// What is no part of the credential stays word for word.
func TestWordsBesideTheCredentialStay(t *testing.T) {
	text := shown(t, &server{say: map[string]string{"auth": "501 5.5.4 syntax error in \"AUTH XOAUTH2 " + wireResponse(t) + "\" of noreply@contoso.example"}})
	if want := `501 5.5.4 syntax error in "AUTH XOAUTH2 [redacted]" of noreply@contoso.example`; !strings.Contains(text, "S: "+want+"\n") {
		t.Errorf("%.900q lacks %q", text, want)
	}
}

// FuzzVeil puts parts of the credential anywhere into replies: 16 octets in a
// row never come out, and a text without any stays as it is.
