package credential_test

import (
	"encoding/base64"
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/smtpsend/smtpsend/internal/credential"
)

const (
	token  = "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJodHRwczovL291dGxvb2sub2ZmaWNlMzY1LmNvbSJ9.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"
	client = "abc8Q~x1Y2z3A4b5C6d7E8f9G0h1I2j3K4l5M6n7"
)

func b64(text string) string { return base64.StdEncoding.EncodeToString([]byte(text)) }

// TestSureOnesAreHidden: what is known by its form or its place is taken out,
// and nothing else.
func TestSureOnesAreHidden(t *testing.T) {
	const gone = credential.Redacted
	for text, want := range map[string]string{
		"":                         "",
		"a " + token + " b":        "a " + gone + " b",
		token[:60]:                 gone,
		"x=" + client + ";":        "x=" + gone + ";",
		"AUTH LOGIN PLAIN XOAUTH2": "AUTH LOGIN PLAIN XOAUTH2",
		"AUTH PLAIN " + b64("\x00me\x00hunter2-hunter2") + "\n535 no":                                           "AUTH PLAIN " + gone + "\n535 no",
		"334 VXNlcm5hbWU6\n" + b64("me@contoso.example") + "\n334 UGFzc3dvcmQ6\n" + b64("hunter2") + "\n535 no": "334 VXNlcm5hbWU6\n" + gone + "\n334 UGFzc3dvcmQ6\n" + gone + "\n535 no",
		`{"password":"a\"b c","x":1}`:                                                `{"password":"` + gone + `","x":1}`,
		`{\"password\":\"abc def\",\"x\":1}`:                                         `{\"password\":\"` + gone + `\",\"x\":1}`,
		"client_secret=a%26b&grant_type=x":                                           "client_secret=" + gone + "&grant_type=x",
		"smtp://me:p@ss/w0rd@smtp.office365.com:587/x":                               "smtp://me:" + gone + "@smtp.office365.com:587/x",
		"smtp://me@contoso.example:pw@smtp.office365.com":                            "smtp://me@contoso.example:" + gone + "@smtp.office365.com",
		"https://host.example:8443/a@b":                                              "https://host.example:8443/a@b",
		"<password>it's</password><user>x</user>":                                    "<password>" + gone + "</password><user>x</user>",
		"Authorization: Basic " + b64("me:hunter2"):                                  "Authorization: Basic " + gone,
		"Authorization: Bearer 0123456789abcdef":                                     "Authorization: Bearer " + gone,
		"curl -u me:hunter2 x":                                                       "curl -u me:" + gone + " x",
		"ConvertTo-SecureString 'it''s me' -AsPlainText":                             "ConvertTo-SecureString '" + gone + "' -AsPlainText",
		"login('me@contoso.example', 'h!nt er')":                                     "login('me@contoso.example', '" + gone + "')",
		"Bearer " + token[:50] + "\n" + token[50:] + "\nok":                          "Bearer " + gone + "\nok",
		"> Bearer " + token[:50] + "\n> " + token[50:] + "\n> ok":                    "> Bearer " + gone + "\n> ok",
		"body " + b64("see "+token) + " end":                                         "body " + gone + " end",
		"- name: SMTP_PASSWORD\n  value: hunter22\n":                                 "- name: SMTP_PASSWORD\n  value: " + gone + "\n",
		"Hint SecretText EndDate\n---- ---------- -------\nabc  q1w2e3r4t5  never\n": "Hint SecretText EndDate\n---- ---------- -------\nabc  " + gone + "  never\n",
	} {
		if got := credential.New(nil).Hide(text); got != want {
			t.Errorf("%q gives\n%q, want\n%q", text, got, want)
		}
	}
}

// TestWordsOfErrorsStay: these are no credentials, and people need them.
func TestWordsOfErrorsStay(t *testing.T) {
	for _, text := range []string{
		"535 5.7.3 Authentication unsuccessful [AM0PR04CA0001.eurprd04.prod.outlook.com 2026-11-30T08:00:00.000Z 08DD2E0F0D5F0A7C]",
		"535 5.7.139 Authentication unsuccessful, user is locked by your organization's security defaults policy. Contact your administrator. [x.prod.outlook.com]",
		"AADSTS7000215: Invalid client secret provided. Ensure the secret being sent in the request is the client secret value, not the client secret ID, for a secret added to app '11111111-2222-3333-4444-555555555555'.",
		"AADSTS50126: Error validating credentials due to invalid username or password. Trace ID: 11111111-2222-3333-4444-555555555555 Timestamp: 2026-11-30 08:00:00Z",
		`{"error":"invalid_client","error_description":"AADSTS7000215: Invalid client secret provided.","error_codes":[7000215],"correlation_id":"11111111-2222-3333-4444-555555555555"}`,
		"token: AADSTS7000215: Invalid client secret provided.", "oauth2: cannot fetch token: 400 Bad Request", "Access denied for user 'x'@'localhost' (using password: YES)",
		"password=<null>, user=x", "password: ***", "Password: ${SMTP_PASSWORD}", "pass: process.env.SMTP_PASS", "client_secret=$CLIENT_SECRET", "Response code: access_denied. Trace",
		"250-AUTH LOGIN XOAUTH2\n250 8BITMIME", "AUTH LOGIN failed because of LogonDenied", "AUTHENTICATE XOAUTH2 command result: NO", "Bearer authentication is required", "basic authentication is disabled",
		"334 eyJzdGF0dXMiOiI0MDAiLCJzY2hlbWVzIjoiQmVhcmVyIiwic2NvcGUiOiJodHRwczovL291dGxvb2sub2ZmaWNlMzY1LmNvbS8ifQ==\n\n535 5.7.3 Authentication unsuccessful",
		"554 5.2.252 SendAsDenied; a@contoso.example not allowed to send as b@contoso.example; STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied",
		"Post \"https://login.microsoftonline.com/x/oauth2/v2.0/token\": dial tcp 10.1.1.1:3128: i/o timeout", "git clone git@github.com:22/x", "From:john@mail.contoso.example",
		"[Message-ID <AM0PR04MB1234567890ABCDEF@AM0PR04MB1234.eurprd04.prod.outlook.com>]", "Send-MailMessage -Credential $cred -SmtpServer smtp.office365.com",
		"at com.example.PasswordAuthenticator.getPasswordAuthentication(Password.java:42)", "no pass-through, bypassed, password is incorrect, the secret expired, wrong password for the user",
		"Spf= Fail , Dkim= Pass , DMARC= Pass [BL02EPF0001A0FD.namprd03.prod.outlook.com]", "expiry time of assertion 2023-04-19T12:18:06.0000000Z", "kid 1234, key: value", "Current token has expired: sign in again",
	} {
		if got := credential.New(nil).Scrub(text); got != text {
			t.Errorf("%q\nbecomes %q", text, got)
		}
	}
}

// TestLikelyOnesAreScrubbed: Hide leaves them, because a machine may have to
// read what is there.
func TestLikelyOnesAreScrubbed(t *testing.T) {
	for text, want := range map[string]string{
		"the password is Xy7kQpLm, it said":                  "the password is [redacted], it said",
		"id 8fJ2kLq9Zx0TnB5vRw7YsM3cHd6GpA1eUi4o at the end": "id [redacted] at the end",
		"machine x login me password Xy&7kQpLm":              "machine x login me password [redacted]",
	} {
		f := credential.New(nil)
		if got := f.Hide(text); got != text {
			t.Errorf("Hide makes %q of %q", got, text)
		}
		if got := f.Scrub(text); got != want {
			t.Errorf("Scrub makes %q of %q, want %q", got, text, want)
		}
	}
}

// TestWhatWasFoundIsTakenOutElsewhere: in pieces, in capitals, encoded.
func TestWhatWasFoundIsTakenOutElsewhere(t *testing.T) {
	const password = `Tr0ub4dor&3 "x"`
	f := credential.New(nil)
	f.Look("SMTP_PASSWORD='" + password + "'\nshort_secret=\"aB3.x\"")
	for text, want := range map[string]string{
		"he said TR0UB4DOR aloud":        "he said [redacted] aloud",
		"x Tr0ub4do y":                   "x [redacted] y",
		"seven: Tr0ub4":                  "seven: Tr0ub4",
		"q=Tr0ub4dor%263+%22x%22&":       "q=[redacted]&",
		"Tr0ub4dor&amp;3 &#34;x&#34; it": "[redacted] it",
		"aB3.x and aB3.xy":               "[redacted] and aB3.xy",
		"nothing here":                   "nothing here",
	} {
		if got := f.Scrub(text); got != want {
			t.Errorf("%q gives %q, want %q", text, got, want)
		}
	}
	if got := f.Scrub("log: " + b64("1"+password)); strings.Contains(got, b64("1" + password)[8:16]) {
		t.Errorf("base64 of it stays: %q", got)
	}
	if got := f.Remove("Tr0ub4dor, password=other-word"); got != "[redacted], password=other-word" {
		t.Errorf("Remove gives %q", got)
	}
}

func TestKnownWordsStay(t *testing.T) {
	f := credential.New(credential.NewRuns("Authentication unsuccessful"))
	f.Look("password='Authentication2026!'")
	for text, want := range map[string]string{
		"535 authentication unsuccessful": "535 authentication unsuccessful", "x cation2026! y": "x [redacted] y",
	} {
		if got := f.Scrub(text); got != want {
			t.Errorf("%q gives %q, want %q", text, got, want)
		}
	}
}

func TestTokensAreKeptForTheirClaims(t *testing.T) {
	f := credential.New(nil)
	f.LookInto("C: AUTH XOAUTH2 " + b64("user=me\x01auth=Bearer "+token+"\x01\x01") + "\nx=" + strings.ReplaceAll(token, ".", "%2E"))
	if got := f.Tokens(); len(got) != 1 || got[0] != token {
		t.Errorf("tokens %q", got)
	}
	if !f.Part(token[40:60]) || f.Part("nothing of it") {
		t.Error("Part does not know a part of the token")
	}
}

func TestWithinKnowsPartsOnly(t *testing.T) {
	text := "a " + token + " b"
	within := credential.New(nil).Within(text)
	for _, tt := range []struct {
		start, end int
		want       bool
	}{{0, 1, false}, {2, 2 + len(token), false}, {3, 10, true}, {2 + len(token), 3 + len(token), false}} {
		if got := within(tt.start, tt.end); got != tt.want {
			t.Errorf("%d to %d: %v", tt.start, tt.end, got)
		}
	}
}

func TestRuns(t *testing.T) {
	r := credential.NewRuns("The quick brown fox", "UUUUUUUUU", strings.Repeat("ab", 5000))
	for text, want := range map[string]bool{
		"QUICK BR": true, "quick br": true, "quick b": false, "uuuuuuuu": true, "UUUUUUUU": true, "babababa": true, "other words": false, "": false, "fox UUUU": false,
	} {
		if got := r.Hold(text); got != want {
			t.Errorf("%q: %v", text, got)
		}
	}
}

// FuzzScrub: whatever comes in, what goes out is no longer than marks make it,
// stays UTF-8, and holds no token.
func FuzzScrub(f *testing.F) {
	for _, seed := range []string{
		"password=\"a", "AUTH PLAIN AHUAcA==", "334 \nQUJD", "smtp://a:b@c", "0000: 41 42 43 44 45 46 47 48 ABCDEFGH", "Password\n---\nx", "name: 'token'\nvalue: x", token, "Q~", "\\\\\"pwd\\\\\": \\\\\"x",
	} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		found := credential.New(nil)
		found.LookInto(text)
		for _, got := range []string{found.Hide(text), found.Scrub(text + "\n" + token)} {
			if utf8.ValidString(text) && !utf8.ValidString(got) {
				t.Errorf("%q becomes %q", text, got)
			}
			if len(got) > len(text)*len(credential.Redacted)+len(token) || strings.Contains(got, token[20:60]) {
				t.Errorf("%q becomes %q", text, got)
			}
		}
	})
}
