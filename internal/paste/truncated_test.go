package paste_test

import (
	"testing"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/paste"
)

func TestTruncatedTexts(t *testing.T) {
	for text, want := range map[string]string{
		"Authentication unsuccessful, user is locked by your organization's security defaults pol":    "security-defaults",
		"535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Ten":   "smtp-auth-disabled-tenant",
		"535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the ":      "smtp-auth-disabled-tenant",
		"535 5.7.139 Authentication unsuccessful, SmtpClientAuthentication is disabled for the Ma...": "smtp-auth-disabled-mailbox",
		"535 5.7.139 Authentication unsuccessful, the user credentials were inc… (see the log)":       "password-wrong",
		"535 5.7.139 Authentication unsuccessful, basic authentication is dis":                        "basic-auth-disabled",
		"550 5.7.60 SMTP; Client does not have permissions to send as this":                           "sendas-denied",
		"432 4.3.2 Concurrent connections limit exc(truncated...)":                                    "concurrent-connections",
		"5.7.57 Client not authenticated to send m":                                                   "not-authenticated",
		"The client sent": "",
		"smtp.office365.com: the server does not have":                                                  "",
		"{\"error\":\"invalid_client\",\"error_description\":\"AADSTS7000222: The provided client secr": "secret-expired",
		"Invalid client secret is prov":                                                                 "secret-wrong",
	} {
		if got := codesOf(paste.Explain(text, diagnosis.Facts{})); got != want {
			t.Errorf("%q is explained as %q, want %q", text, got, want)
		}
	}
}
