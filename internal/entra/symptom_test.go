package entra_test

import (
	"errors"
	"net/http"
	"reflect"
	"syscall"
	"testing"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/entra"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

func TestSymptomHasWhatTheCatalogueMatches(t *testing.T) {
	page := reply(403, "<html>\n<title>Blocked</title>", "0")
	page.Header.Set("Content-Type", "text/html")
	for name, tt := range map[string]struct {
		answer *http.Response
		err    error
		want   diagnosis.Symptom
	}{
		"refusal": {reply(401, wrongSecret, ""), nil, diagnosis.Symptom{
			HTTPStatus: 401, OAuthError: "invalid_client", AADSTS: []int{7000215},
			Text: "AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '" + clientID + "'.",
		}},
		"throttled":          {reply(429, "Too Many Requests", "3600"), nil, diagnosis.Symptom{HTTPStatus: 429, Text: "Too Many Requests"}},
		"page of a proxy":    {page, nil, diagnosis.Symptom{HTTPStatus: 403, Text: "<html> <title>Blocked</title>", Fault: smtp.FaultTokenNotJSON}},
		"JSON without token": {reply(200, `{"expires_in":3599}`, ""), nil, diagnosis.Symptom{HTTPStatus: 200, Fault: smtp.FaultTokenNotJSON}},
		"network":            {nil, syscall.ECONNREFUSED, diagnosis.Symptom{Text: "connection refused", Fault: smtp.FaultConnectionRefused}},
	} {
		ctx, cancel := cancelAfterFirst(t)
		_, err := fake(func(*http.Request) (*http.Response, error) {
			cancel()
			return tt.answer, tt.err
		}).source().Token(ctx)
		refused, ok := errors.AsType[*entra.Error](err)
		if !ok {
			t.Errorf("%s: err = %v, want *entra.Error", name, err)
			continue
		}
		tt.want.Stage = smtp.StageToken
		if got := refused.Symptom(); !reflect.DeepEqual(got, tt.want) {
			t.Errorf("%s: got  %+v\nwant %+v", name, got, tt.want)
		}
	}
}
