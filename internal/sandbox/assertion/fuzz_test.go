package assertion_test

import (
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/sandbox/assertion"
	"github.com/smtpsend/smtpsend/internal/sandbox/idissuer"
	"github.com/smtpsend/smtpsend/internal/sandbox/keyring"
)

// FuzzVerify: what no key has signed that is registered proves nothing, whatever it is.
func FuzzVerify(f *testing.F) {
	const client = "33333333-3333-3333-3333-333333333333"
	issuer := idissuer.New(nil)
	issuer.SetURL("https://127.0.0.1:1")
	signed, err := issuer.Token(idissuer.Claims{Subject: "x", Issuer: client})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(signed)
	f.Add("eyJhbGciOiJub25lIn0.eyJpc3MiOiJodHRwczovLzEyNy4wLjAuMToxL2lzc3VlciJ9.")
	f.Add("eyJ4NWMiOlsiQUFBQSJdLCJ4NXQiOiJBQSIsImFsZyI6IlBTMjU2In0.eyJpc3MiOiIzMzMzMzMzMy0zMzMzLTMzMzMtMzMzMy0zMzMzMzMzMzMzMzMiLCJhdWQiOlsiYSJdfQ.AA")
	f.Fuzz(func(t *testing.T, text string) {
		var keys keyring.Ring
		keys.AddTrust(keyring.Trust{Issuer: issuer.URL(), Subject: "another", Audience: idissuer.Audience})
		r := assertion.Request{ClientID: client, Keys: &keys, Assertion: text, Audiences: []string{"a"}}
		no := assertion.New(issuer).Verify(r, time.Now())
		if no == nil || no.AADSTS == 0 || no.Text == "" || no.Status/100 != 4 {
			t.Errorf("%q: %+v", text, no)
		}
	})
}
