package diagnosis_test

import (
	"bufio"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// symptomOf makes of a sample what our client would see.
func symptomOf(t *testing.T, e diagnosis.Entry, sample string) diagnosis.Symptom {
	t.Helper()
	if e.Token != nil {
		return diagnosis.Symptom{Stage: smtp.StageToken, HTTPStatus: e.Token.HTTPStatus, OAuthError: e.Token.Error, AADSTS: []int{e.Token.AADSTS}, Text: sample}
	}
	wire := sample[:3] + " " + sample[4:] + "\r\n"
	r, err := smtp.Read(bufio.NewReader(strings.NewReader(wire)))
	if err != nil {
		t.Fatalf("reading sample %q: %v", sample, err)
	}
	return diagnosis.Symptom{Stage: e.Stages[0], Code: r.Code, Enhanced: r.Enhanced.String(), Text: r.Text()}
}

// TestSamplesAreFound walks the catalogue: what a server can send is named by
// its own entry.
func TestSamplesAreFound(t *testing.T) {
	for _, e := range diagnosis.Entries() {
		isRelay := e.Stages[0] == smtp.StageRelay && e.Sample != "" && e.Sample[0] >= '4' && e.Sample[0] <= '5'
		isSaid := e.ServerCan || isRelay
		if !isSaid || e.Sample == "" || e.Fault != "" {
			continue
		}
		for _, sample := range append([]string{e.Sample}, e.Variants...) {
			s := symptomOf(t, e, sample)
			s.Relay = isRelay
			if got := diagnosis.Find(s, diagnosis.Facts{}); got.Code != e.Code {
				t.Errorf("%s: sample %q is found as %s", e.Code, sample, got.Code)
			}
		}
		if e.Token != nil {
			s := diagnosis.Symptom{Stage: smtp.StageToken, HTTPStatus: e.Token.HTTPStatus, OAuthError: e.Token.Error, AADSTS: []int{e.Token.AADSTS}}
			if got := diagnosis.Find(s, diagnosis.Facts{}); got.Code != e.Code {
				t.Errorf("%s: AADSTS%d alone is found as %s", e.Code, e.Token.AADSTS, got.Code)
			}
		}
	}
}

func TestFaultsAreFound(t *testing.T) {
	n := 0
	for _, e := range diagnosis.Entries() {
		if e.Fault == "" {
			continue
		}
		n++
		if got := diagnosis.Find(diagnosis.Symptom{Stage: e.Stages[0], Fault: e.Fault}, diagnosis.Facts{}); got.Code != e.Code || string(e.Fault) != e.Code {
			t.Errorf("fault %s is found as %s", e.Fault, got.Code)
		}
	}
	if n < 20 {
		t.Errorf("%d faults, want all of them", n)
	}
}

func TestUnknownSaysWhatTheFirstDigitMeans(t *testing.T) {
	tests := []struct {
		name    string
		symptom diagnosis.Symptom
		code    string
		class   diagnosis.Class
		words   string
	}{
		{"4yz", diagnosis.Symptom{Stage: smtp.StageContent, Code: 455, Text: "4.9.9 later"}, "unknown-transient", diagnosis.ClassTransient, "not now"},
		{"5yz", diagnosis.Symptom{Stage: smtp.StageContent, Code: 555, Text: "5.9.9 no"}, "unknown-permanent", diagnosis.ClassPermanent, "refused again"},
		{"2yz out of place", diagnosis.Symptom{Stage: smtp.StageData, Code: 250, Text: "2.0.0 ok"}, "unknown-reply", diagnosis.ClassPermanent, "neither"},
		{"refusal of the endpoint", diagnosis.Symptom{Stage: smtp.StageToken, HTTPStatus: 400, OAuthError: "odd", AADSTS: []int{99}}, "unknown-token-refusal", diagnosis.ClassConfiguration, "definite"},
		{"failure of the endpoint", diagnosis.Symptom{Stage: smtp.StageToken, HTTPStatus: 502, Text: "<html>"}, "unknown-token-failure", diagnosis.ClassTransient, "nothing about the credential"},
		{"nothing at all", diagnosis.Symptom{}, "unknown-failure", diagnosis.ClassTransient, "no reply"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := diagnosis.Find(tt.symptom, diagnosis.Facts{})
			if got.Code != tt.code || got.Class != tt.class || !strings.Contains(got.Cause, tt.words) {
				t.Errorf("got %s, %s, %q", got.Code, got.Class, got.Cause)
			}
			if got.Text != tt.symptom.Text {
				t.Errorf("text is %q, want %q kept", got.Text, tt.symptom.Text)
			}
		})
	}
}

func TestHTTPStatusDecidesTheClass(t *testing.T) {
	s := diagnosis.Symptom{Stage: smtp.StageToken, HTTPStatus: 503, OAuthError: "invalid_client", AADSTS: []int{7000215}}
	if got := diagnosis.Find(s, diagnosis.Facts{}); got.Class != diagnosis.ClassTransient {
		t.Errorf("class is %s, want transient: the endpoint itself is in trouble", got.Class)
	}
	s.HTTPStatus = 429
	if got := diagnosis.Find(s, diagnosis.Facts{}); got.Class != diagnosis.ClassThrottled {
		t.Errorf("class is %s, want throttled", got.Class)
	}
}

func refused(c *diagnosis.Claims) diagnosis.Symptom {
	return diagnosis.Symptom{Stage: smtp.StageAuth, Code: 535, Enhanced: "5.7.3", Text: "5.7.3 Authentication unsuccessful", Claims: c}
}

const exchange = "https://outlook.office365.com"

// TestClaimsTellCausesApart: the reply is the same for ten causes, the token is not.
func TestClaimsTellCausesApart(t *testing.T) {
	later, before := time.Now().Add(time.Hour), time.Now().Add(-time.Hour)
	tests := []struct {
		name   string
		claims *diagnosis.Claims
		code   string
		first  string // words of the first fix
		cause  string
	}{
		{"no claims", nil, "auth-unsuccessful", "step 1", "does not exist"},
		{"role of the classic way", &diagnosis.Claims{Audience: exchange, Roles: []string{"SMTP.SendAsApp"}, Expires: later}, "auth-unsuccessful", "step 1", "also asks for a right"},
		{"no roles is no error by itself", &diagnosis.Claims{Audience: exchange, Expires: later}, "auth-unsuccessful", "step 1", "right for App RBAC"},
		{"other roles only", &diagnosis.Claims{Audience: exchange, Roles: []string{"Mail.Send"}, Expires: later}, "auth-unsuccessful", "SMTP.SendAsApp", "Mail.Send"},
		{"token for Graph", &diagnosis.Claims{Audience: "https://graph.microsoft.com", Expires: later}, "token-not-for-exchange", ".default", "audience"},
		{"expired", &diagnosis.Claims{Audience: exchange, Expires: before}, "token-expired", "fresh", "expiry"},
		{"token of a user", &diagnosis.Claims{Audience: exchange, Scopes: "SMTP.Send", Expires: later}, "token-of-user", "SMTP.Send", "signed-in user"},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			got := diagnosis.Find(refused(tt.claims), diagnosis.Facts{})
			if got.Code != tt.code || !strings.Contains(got.Fixes[0].Text, tt.first) || !strings.Contains(got.Cause, tt.cause) {
				t.Errorf("got %s, first fix %q, cause %q", got.Code, got.Fixes[0].Text, got.Cause)
			}
		})
	}
	norole := diagnosis.Find(refused(&diagnosis.Claims{Audience: exchange, Expires: later}), diagnosis.Facts{})
	if !strings.Contains(norole.Fixes[1].Text, "App RBAC") {
		t.Errorf("without roles the second fix is %q, want App RBAC", norole.Fixes[1].Text)
	}
}

func TestCommandsCarryTheRealIDs(t *testing.T) {
	claims := &diagnosis.Claims{Audience: exchange, AppID: "11111111-2222-3333-4444-555555555555", ObjectID: "aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee", TenantID: "99999999-8888-7777-6666-555555555555"}
	got := diagnosis.Find(refused(claims), diagnosis.Facts{Mailbox: "noreply@contoso.example", ObjectID: "of-the-registration"})
	var all []string
	for _, f := range got.Fixes {
		all = append(all, f.Commands...)
	}
	for _, want := range []string{
		"Connect-ExchangeOnline -Organization 99999999-8888-7777-6666-555555555555",
		`New-ServicePrincipal -AppId 11111111-2222-3333-4444-555555555555 -ObjectId aaaaaaaa-bbbb-cccc-dddd-eeeeeeeeeeee -DisplayName "smtpsend"`,
		"Add-MailboxPermission -Identity noreply@contoso.example -User $sp.Identity -AccessRights FullAccess",
	} {
		if !slices.Contains(all, want) {
			t.Errorf("no command %q in\n%s", want, strings.Join(all, "\n"))
		}
	}
}

func TestWhatIsNotKnownStaysAPlaceholder(t *testing.T) {
	got := diagnosis.Find(refused(nil), diagnosis.Facts{})
	if want := `New-ServicePrincipal -AppId <client-id> -ObjectId <enterprise-app-object-id> -DisplayName "smtpsend"`; !slices.Contains(got.Fixes[0].Commands, want) {
		t.Errorf("commands are %q", got.Fixes[0].Commands)
	}
}

// TestCommandsCannotBeInjected: the addresses may come from a server.
func TestCommandsCannotBeInjected(t *testing.T) {
	for _, evil := range []string{"a@b; Remove-Mailbox x", "$(calc)@b.example", "`whoami`@b", "a\"@b", "a@b\nRemove-Mailbox", "-Mailbox", "@args", "a’; calc ’@b.example"} {
		got := diagnosis.Find(diagnosis.Symptom{Stage: smtp.StageContent, Code: 554, Enhanced: "5.2.252", Text: "5.2.252 SendAsDenied"}, diagnosis.Facts{Mailbox: evil, From: evil, ClientID: evil})
		for _, f := range got.Fixes {
			for _, c := range f.Commands {
				if strings.Contains(c, evil) {
					t.Errorf("command %q carries %q", c, evil)
				}
			}
		}
	}
	quoted := diagnosis.Find(diagnosis.Symptom{Stage: smtp.StageContent, Code: 554, Text: "SendAsDenied"}, diagnosis.Facts{From: "o'neill@contoso.example"})
	if want := "smtpsend send --from 'o''neill@contoso.example' --mailbox 'o''neill@contoso.example'"; quoted.Fixes[0].Commands[0] != want {
		t.Errorf("command is %q, want %q", quoted.Fixes[0].Commands[0], want)
	}
}

func TestSendAsDeniedNamesBothAddresses(t *testing.T) {
	e, _ := diagnosis.Lookup("sendas-denied")
	got := diagnosis.Find(symptomOf(t, e, e.Sample), diagnosis.Facts{})
	if !strings.Contains(got.Cause, "noreply@contoso.example signed in, but the address in From is reports@contoso.example") {
		t.Errorf("cause is %q", got.Cause)
	}
	if len(got.Fixes) < 2 {
		t.Errorf("%d fixes, want both ways out", len(got.Fixes))
	}
}

func TestClockIsComputedFromTheText(t *testing.T) {
	tests := map[string]string{
		"AADSTS700024: Client assertion is not within its valid time range. Current time: 2023-04-19T12:32:57.4367221Z, assertion valid from 2023-04-19T11:18:06.0000000Z, expiry time of assertion 2023-04-19T12:18:06.0000000Z.": "expired 14 min before",
		"Current time: 8/1/2023 11:08:01 AM, assertion valid from 8/1/2023 9:28:26 AM, expiry time of assertion 8/1/2023 10:28:26 AM.":                                                                                             "expired 39 min before",
		"AADSTS500133: Assertion is not within its valid time range. Current time: 2024-03-22T12:00:00.0000000Z, expiry time of assertion 2024-03-22T10:00:00.0000000Z.":                                                           "expired 120 min before",
		"Current time: 2023-04-19T12:00:00Z, assertion valid from 2023-04-19T12:05:00Z, expiry time of assertion 2023-04-19T12:15:00Z.":                                                                                            "valid only 5 min after",
	}
	for text, want := range tests {
		got := diagnosis.Find(diagnosis.Symptom{Stage: smtp.StageToken, HTTPStatus: 401, AADSTS: []int{700024}, Text: text}, diagnosis.Facts{})
		if !strings.Contains(got.Cause, want) {
			t.Errorf("cause is %q, want %q", got.Cause, want)
		}
	}
}

func TestTextIsKeptButSecretsAreNot(t *testing.T) {
	jwt := "eyJhbGciOiJSUzI1NiJ9.eyJhdWQiOiJodHRwczovL291dGxvb2sub2ZmaWNlMzY1LmNvbSJ9.c2lnbmF0dXJlLW9mLXRoZS10b2tlbg"
	text := "5.7.3 Authentication unsuccessful " + jwt + " client_secret=abc~def Bearer 0123456789012345678901234567890"
	got := diagnosis.Find(diagnosis.Symptom{Stage: smtp.StageAuth, Code: 535, Text: text}, diagnosis.Facts{})
	for _, secret := range []string{jwt, "abc~def", "0123456789012345678901234567890"} {
		if strings.Contains(got.Text, secret) {
			t.Errorf("text %q carries %q", got.Text, secret)
		}
	}
	if !strings.HasPrefix(got.Text, "5.7.3 Authentication unsuccessful") {
		t.Errorf("text is %q", got.Text)
	}
}

func TestLookupOfAnUnknownCode(t *testing.T) {
	if _, ok := diagnosis.Lookup("no-such-code"); ok {
		t.Error("found a code that does not exist")
	}
	if n, err := strconv.Atoi("1"); n != len(diagnosis.Find(refused(nil), diagnosis.Facts{}).Matched) || err != nil {
		t.Error("want the reply's codes as what was matched")
	}
}

// TestOtherServersAreNamedWhereWeMetThemAlone: our own client knows that it is
// the server's reply to its AUTH; a pasted text may be any provider's (see the test of
// this name in internal/paste).
func TestOtherServersAreNamedWhereWeMetThemAlone(t *testing.T) {
	other := &diagnosis.Claims{Audience: "https://imap.contoso.example", Scopes: "mail", Expires: time.Now().Add(time.Hour)}
	for _, tt := range []struct {
		code    string
		symptom diagnosis.Symptom
	}{
		{"auth-refused-elsewhere", diagnosis.Symptom{Stage: smtp.StageAuth, Code: 535, Enhanced: "5.7.8", Text: "5.7.8 Error: authentication failed: authentication failure", Claims: other}},
		{"auth-refused-elsewhere", diagnosis.Symptom{Stage: smtp.StageAuth, Code: 535, Text: "Authentication credentials invalid"}},
		{"sender-not-owned", diagnosis.Symptom{Stage: smtp.StageRcpt, Code: 553, Enhanced: "5.7.1", Text: "5.7.1 <a@b.example>: Sender address rejected: not owned by user c@b.example"}},
		{"sender-not-owned", diagnosis.Symptom{Stage: smtp.StageMail, Code: 553, Enhanced: "5.7.1", Text: "5.7.1 <a@b.example>: Sender address rejected: not owned by auth user c@b.example"}},
	} {
		if got := diagnosis.Find(tt.symptom, diagnosis.Facts{}); got.Code != tt.code || got.Class != diagnosis.ClassConfiguration {
			t.Errorf("%q is found as %s, want %s", tt.symptom.Text, got.Code, tt.code)
		}
	}
}

// TestInDoubtDoesNotSayTryAgain: who tries again makes a duplicate.
func TestInDoubtDoesNotSayTryAgain(t *testing.T) {
	got := diagnosis.Find(diagnosis.Symptom{Stage: smtp.StageContent, Fault: smtp.FaultInDoubt, Text: "EOF"},
		diagnosis.Facts{Mailbox: "noreply@contoso.example", MessageID: "<20261122.1@contoso.example>"})
	if got.Transient() || got.Code != "in-doubt" {
		t.Errorf("got %s, %s", got.Code, got.Class)
	}
	if want := "Get-MessageTraceV2 -MessageId '<20261122.1@contoso.example>' -SenderAddress noreply@contoso.example"; !slices.Contains(got.Fixes[1].Commands, want) {
		t.Errorf("commands are %q, want %q", got.Fixes[1].Commands, want)
	}
	for _, evil := range []string{"<a'b@c>", "<a>; calc <b>", "<$(calc)@c>", "<a\n@b>", "<-a@b>", "<a`b@c>"} {
		got := diagnosis.Find(diagnosis.Symptom{Fault: smtp.FaultInDoubt}, diagnosis.Facts{MessageID: evil})
		if !strings.Contains(got.Fixes[1].Commands[1], "-MessageId <message-id>") {
			t.Errorf("command %q for %q", got.Fixes[1].Commands[1], evil)
		}
	}
}

// TestTheWayOutIsThatOfTheSettings: a firewall is opened for what is configured.
func TestTheWayOutIsThatOfTheSettings(t *testing.T) {
	timeout := diagnosis.Symptom{Stage: smtp.StageDial, Fault: smtp.FaultConnectionTimeout}
	words := func(f diagnosis.Facts) string {
		var all strings.Builder
		for _, fix := range diagnosis.Find(timeout, f).Fixes {
			all.WriteString(fix.Text + "\n")
		}
		return all.String()
	}
	if got := words(diagnosis.Facts{}); !strings.Contains(got, "smtp.office365.com, TCP port 587, and to login.microsoftonline.com (") {
		t.Errorf("without settings: %s", got)
	}
	got := words(diagnosis.Facts{Server: "smtp.contoso.example", Port: 2525, TokenURL: "https://login.contoso.example:8443/t/token"})
	if !strings.Contains(got, "smtp.contoso.example, TCP port 2525, and to login.contoso.example:8443 (") {
		t.Errorf("with settings: %s", got)
	}
}

// TestTLSThatIsNotAvailableIsNoSignIn: the codes are the same, the stage is not.
func TestTLSThatIsNotAvailableIsNoSignIn(t *testing.T) {
	for stage, want := range map[smtp.Stage]string{smtp.StageStartTLS: "starttls-deferred", smtp.StageAuth: "auth-temporary"} {
		got := diagnosis.Find(diagnosis.Symptom{Stage: stage, Code: 454, Enhanced: "4.7.0", Text: "4.7.0 not available"}, diagnosis.Facts{})
		if got.Code != want || got.Class != diagnosis.ClassTransient {
			t.Errorf("at %s: %s, %s", stage, got.Code, got.Class)
		}
	}
}
