package redact_test

import (
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/redact"
)

const token = "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJodHRwczovL291dGxvb2sub2ZmaWNlMzY1LmNvbSJ9.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"

func TestCredentialsAreTakenOut(t *testing.T) {
	for text, secret := range map[string]string{
		"sent " + token + " to the server":              token,
		"AUTH PLAIN AG5vcmVwbHkAaHVudGVyMg==":           "AG5vcmVwbHkAaHVudGVyMg",
		"334 then dXNlcj1hQGIuZXhhbXBsZQFhdXRoPQ==":     "dXNlcj1hQGIuZXhhbXBsZQFhdXRoPQ",
		"Authorization: Bearer 01234567890123456789012": "01234567890123456789012",
		"client_secret=abc~def&grant_type=x":            "abc~def",
		`{"password": "hunter2"}`:                       "hunter2",
	} {
		got := redact.Text(text)
		if strings.Contains(got, secret) || !strings.Contains(got, "[redacted]") {
			t.Errorf("%q became %q", text, got)
		}
	}
	if plain := "535 5.7.3 Authentication unsuccessful"; redact.Text(plain) != plain {
		t.Errorf("%q became %q", plain, redact.Text(plain))
	}
}

func TestTokensAreTakenOutAndTheFirstGivenBack(t *testing.T) {
	rest, tokens := redact.Tokens("a "+token+" b "+token+" c", 1)
	if rest != "a   b   c" || len(tokens) != 1 || tokens[0] != token {
		t.Errorf("left %q, took %q", rest, tokens)
	}
}
