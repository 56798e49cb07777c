package entra_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"reflect"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/entra"
)

func TestErrorSurvivesJSON(t *testing.T) {
	e := newEndpoint(t, answer(401, wrongSecret, isJSON, "Retry-After: 7"))
	_, err := e.source().Token(t.Context())
	data, marshalErr := json.Marshal(err)
	if marshalErr != nil {
		t.Fatal(marshalErr)
	}
	if want := `"retry_after_seconds":7`; !strings.Contains(string(data), want) {
		t.Errorf("JSON = %s, want %s in it", data, want)
	}
	restored := entra.RestoreError(data)
	if restored == nil || restored.Error() != err.Error() {
		t.Fatalf("restored %v\nwant     %v", restored, err)
	}
	was, _ := errors.AsType[*entra.Error](err)
	is, ok := errors.AsType[*entra.Error](restored)
	if !ok || is.Refusal() != was.Refusal() || !reflect.DeepEqual(is.AADSTS, was.AADSTS) || is.Description != was.Description {
		t.Errorf("restored %#v", restored)
	}
	for _, in := range []string{"", "null", "{}", "[]", `"x"`, `{"http_status":"x"}`} {
		if err := entra.RestoreError([]byte(in)); err != nil {
			t.Errorf("RestoreError(%q) = %v, want nil", in, err)
		}
	}
}

func TestErrorReadsWhatItCan(t *testing.T) {
	for name, tt := range map[string]struct{ body, want string }{
		"number only in the text": {
			`{"error":"unauthorized_client","error_description":"AADSTS700016: Application with identifier 'x' was not found in the directory 'y'. This can happen if"}`,
			"entra: token refused: AADSTS700016: Application with identifier 'x' was not found in the directory 'y' (HTTP 400, unauthorized_client)",
		},
		"no description":       {`{"error":"invalid_scope"}`, "entra: token refused: invalid_scope (HTTP 400)"},
		"members of odd types": {`{"error":"invalid_scope","error_codes":"70011","error_description":7,"trace_id":{}}`, "entra: token refused: invalid_scope (HTTP 400)"},
		"control characters":   {`{"error":"invalid_scope","error_description":"a\u001b[31m\r\nb\u2028c\u0000d"}`, "entra: token refused: a[31m b cd (HTTP 400, invalid_scope)"},
	} {
		e := newEndpoint(t, answer(400, tt.body, isJSON))
		if _, err := e.source().Token(t.Context()); err == nil || err.Error() != tt.want {
			t.Errorf("%s: %v\nwant %s", name, err, tt.want)
		}
	}
}

// TestASecretIsHiddenBehindWhatNoOneSees: what is taken out of a text, because it has no
// width or steers a terminal, could be between the octets of the secret.
func TestASecretIsHiddenBehindWhatNoOneSees(t *testing.T) {
	for _, between := range []string{"\u200b", "\b", "\x1b", "\u202e"} {
		var torn strings.Builder
		for _, c := range clientSecret {
			torn.WriteString(string(c) + between)
		}
		body, err := json.Marshal(map[string]string{"error": "invalid_client", "error_description": "secret " + torn.String(), "trace_id": torn.String()})
		if err != nil {
			t.Fatal(err)
		}
		e := newEndpoint(t, answer(401, string(body), isJSON))
		if _, err := e.source().Token(t.Context()); err == nil || strings.Contains(err.Error(), clientSecret[4:14]) {
			t.Errorf("%q: %v", between, err)
		}
	}
}

// TestThrottlingKeepsWhatEntraSaid: its number is what explain knows it by.
func TestThrottlingKeepsWhatEntraSaid(t *testing.T) {
	e := &entra.Error{
		Host: "login.example", HTTPStatus: 400, Code: "invalid_grant", AADSTS: []int{50196},
		Description: "AADSTS50196: The server terminated an operation because it encountered a client request loop. Please contact your app vendor.",
	}
	const want = "entra: login.example throttles token requests: AADSTS50196: The server terminated an operation because it encountered a client request loop (HTTP 400, invalid_grant)"
	if e.Error() != want {
		t.Errorf("got  %s\nwant %s", e, want)
	}
}

// FuzzAnswer holds that whatever an endpoint answers gives either a token with
// an end or an *Error whose text is one bounded line without the secret.
func FuzzAnswer(f *testing.F) {
	f.Add(200, goodAnswer, "")
	f.Add(401, wrongSecret, "")
	f.Add(429, "Too Many Requests", "60")
	f.Add(0, "no status\n"+clientSecret, "")
	f.Add(200, `{"access_token":"t","expires_in":"-4294967295"}`, "")
	f.Add(400, `{"error":"`+clientSecret+`"}`, "Fri, 31 Dec 1999 23:59:59 GMT")
	f.Add(503, "access_token=t&expires_in=9", "-1")
	f.Fuzz(func(t *testing.T, status int, body, retryAfter string) {
		ctx, cancel := cancelAfterFirst(t)
		token, err := fake(func(*http.Request) (*http.Response, error) {
			cancel()
			return reply(status, body, retryAfter), nil
		}).source().Token(ctx)
		if err == nil {
			if token.AccessToken == "" || token.Expiry.IsZero() {
				t.Fatalf("token %+v without text or end", token)
			}
			return
		}
		if _, ok := errors.AsType[*entra.Error](err); !ok {
			t.Fatalf("err = %v, want *entra.Error", err)
		}
		if s := err.Error(); strings.ContainsAny(s, "\r\n\x00\x1b") || len(s) > 16<<10 || strings.Contains(s, clientSecret) {
			t.Fatalf("Error() = %q", s)
		}
	})
}

// cancelAfterFirst returns a context that a first answer ends, so that there
// is no pause and no second request.
func cancelAfterFirst(t *testing.T) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancel(t.Context())
	t.Cleanup(cancel)
	return ctx, cancel
}
