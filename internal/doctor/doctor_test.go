package doctor_test

import (
	"context"
	"crypto/rand"
	"crypto/rsa"
	"crypto/x509"
	"encoding/json"
	"net"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/doctor"
	"github.com/smtpsend/smtpsend/internal/entra"
	"github.com/smtpsend/smtpsend/internal/sandbox"
	"github.com/smtpsend/smtpsend/internal/sandbox/fault"
	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/smtpserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const mailbox = "noreply@contoso.example"

var signingKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// start runs a sandbox with faults and returns what leads doctor to it.
func start(t *testing.T, o sandbox.Options, faults ...string) (*sandbox.Sandbox, doctor.Options) {
	t.Helper()
	for _, text := range faults {
		f, err := fault.Parse(text)
		if err != nil {
			t.Fatal(err)
		}
		o.Faults = append(o.Faults, f)
	}
	o.SigningKey = signingKey()
	box, err := sandbox.Start(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { box.Close() })
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(box.CAPEM())
	host, port := hostPort(t, box.SMTPAddr())
	return box, doctor.Options{
		Settings: doctor.NewCheck("settings", doctor.OK, "as "+mailbox, nil),
		Token: entra.Options{
			TokenURL: strings.ReplaceAll(box.TokenEndpoint(), "#TenantID#", box.TenantID()), ClientID: box.ClientID(),
			Credential: entra.Secret(secret.New(box.ClientSecret())), Scopes: []string{"https://outlook.office365.com/.default"},
			HTTPClient: entra.NewHTTPClient(roots, nil),
		},
		Session:  session.Options{Host: host, Port: port, Mailbox: mailbox, RootCAs: roots, EHLOName: "client.example"},
		From:     mailbox,
		TenantID: box.TenantID(),
		Facts:    diagnosis.Facts{ClientID: box.ClientID(), TenantID: box.TenantID(), Mailbox: mailbox, Server: host},
	}
}

func hostPort(t *testing.T, address string) (string, int) {
	t.Helper()
	host, port, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.Atoi(port)
	if err != nil {
		t.Fatal(err)
	}
	return host, n
}

// statuses are "name status" of every check, in order.
func statuses(r *doctor.Report) []string {
	var out []string
	for _, c := range r.Checks {
		out = append(out, c.Name+" "+string(c.Status))
	}
	return out
}

func check(t *testing.T, r *doctor.Report, name string) doctor.Check {
	t.Helper()
	for _, c := range r.Checks {
		if c.Name == name {
			return c
		}
	}
	t.Fatalf("no check %q among %q", name, statuses(r))
	return doctor.Check{}
}

func TestHealthySetupPassesEveryCheckInOrder(t *testing.T) {
	box, o := start(t, sandbox.Options{})
	o.SendTo = "ada@contoso.example"
	var told []string
	o.Each = func(c doctor.Check) { told = append(told, c.Name+" "+string(c.Status)) }
	r := doctor.Examine(t.Context(), o)
	want := []string{
		"settings ok", "dns token ok", "dns smtp ok", "tcp token ok", "tcp smtp ok", "tls token ok", "greeting ok", "ehlo ok",
		"tls smtp ok", "ehlo tls ok", "token ok", "clock ok", "claims ok", "auth ok", "mail ok", "rcpt ok", "message ok",
	}
	if !slices.Equal(statuses(r), want) || !slices.Equal(told, want) {
		t.Errorf("checks %q\ntold %q\nwant %q", statuses(r), told, want)
	}
	if !r.Healthy || r.Finding != nil || r.Cause() != nil || len(r.Warnings) > 0 {
		t.Errorf("report %+v", r)
	}
	if got := check(t, r, "tls smtp").Seen; !strings.HasPrefix(got, "TLS 1.3, issuer smtpsend sandbox CA") || !strings.Contains(got, ", expires 20") {
		t.Errorf("tls smtp: %q", got)
	}
	if got := check(t, r, "ehlo tls").Seen; !strings.HasPrefix(got, "AUTH LOGIN XOAUTH2, SIZE 157286400") {
		t.Errorf("ehlo tls: %q", got)
	}
	messages := box.Messages()
	if len(messages) != 1 || messages[0].To[0] != "ada@contoso.example" {
		t.Errorf("stored %+v, want one message to ada", messages)
	}
}

func TestWithoutSendToNothingIsSubmittedAndItIsSaid(t *testing.T) {
	box, o := start(t, sandbox.Options{})
	r := doctor.Examine(t.Context(), o)
	c := check(t, r, "message")
	if !r.Healthy || c.Status != doctor.Skipped || !strings.Contains(strings.Join(c.Notes, ""), "--send-to") {
		t.Errorf("healthy %v, message %+v", r.Healthy, c)
	}
	if n := len(box.Messages()); n > 0 {
		t.Errorf("%d messages are stored", n)
	}
	if !slices.Contains(r.Dialogue, "C: RSET") {
		t.Errorf("the envelope was not taken back: %q", r.Dialogue)
	}
}

func TestOnlyTheFirstBrokenCheckIsExplained(t *testing.T) {
	_, o := start(t, sandbox.Options{}, "secret-wrong", "smtp-auth-disabled-tenant")
	r := doctor.Examine(t.Context(), o)
	if r.Finding == nil || r.Finding.Code != "secret-wrong" || r.Broken != "token" || !strings.Contains(r.Proof, "AADSTS7000215") {
		t.Errorf("finding %+v at %q, proof %q", r.Finding, r.Broken, r.Proof)
	}
	for _, c := range r.Checks {
		switch c.Name {
		case "claims", "auth", "mail", "rcpt", "message":
			if c.Status != doctor.Skipped || c.Needs == "" || c.Code != "" {
				t.Errorf("%s: %+v", c.Name, c)
			}
		case "ehlo tls": // the other half is looked at all the same
			if c.Status != doctor.OK {
				t.Errorf("%s: %+v", c.Name, c)
			}
		}
	}
}

func TestBadSettingsAreTheOnlyThingLookedAt(t *testing.T) {
	f := diagnosis.Finding{Code: "value-quoted", Title: "quoted"}
	r := doctor.Examine(t.Context(), doctor.Options{Settings: doctor.NewCheck("settings", doctor.Failed, "1", &f, "SMTPSEND_X is in quotes")})
	if r.Healthy || r.Finding == nil || r.Finding.Code != "value-quoted" || r.Broken != "settings" || r.Cause() != nil || r.Proof != "SMTPSEND_X is in quotes" {
		t.Errorf("report %+v", r)
	}
	for _, c := range r.Checks[1:] {
		if c.Status != doctor.Skipped {
			t.Errorf("%s: %+v", c.Name, c)
		}
	}
	if len(r.Checks) != 17 {
		t.Errorf("checks %q", statuses(r))
	}
}

func TestReportHoldsNeitherSecretNorToken(t *testing.T) {
	for _, fault := range []string{"", "auth-unsuccessful", "secret-wrong", "sendas-denied"} {
		var faults []string
		if fault != "" {
			faults = []string{fault}
		}
		box, o := start(t, sandbox.Options{}, faults...)
		o.SendTo = "ada@contoso.example"
		var traced []string
		o.Session.Trace = func(line string) { traced = append(traced, line) }
		r := doctor.Examine(t.Context(), o)
		data, err := json.Marshal(r)
		if err != nil {
			t.Fatal(err)
		}
		for _, s := range []string{box.ClientSecret(), "dXNlcj"} {
			if strings.Contains(string(data), s) {
				t.Errorf("%s: the report holds %q", fault, s)
			}
		}
		if token := regexp.MustCompile(`eyJ[\w-]{8,}`).Find(data); token != nil { // ids are base64, too, and have three such letters at times
			t.Errorf("%s: the report holds %q", fault, token)
		}
		if len(traced) != len(r.Dialogue) {
			t.Errorf("%s: %d lines traced, %d in the report", fault, len(traced), len(r.Dialogue))
		}
		if fault == "" && !strings.Contains(strings.Join(check(t, r, "claims").Notes, "\n"), "uti ") {
			t.Errorf("claims: %+v", check(t, r, "claims"))
		}
	}
}

// TestWhatAServerRepeatsIsRedacted: some servers say in their refusal what they
// were sent.
func TestWhatAServerRepeatsIsRedacted(t *testing.T) {
	const echo = "5.7.3 Authentication unsuccessful for dXNlcj1ub3JlcGx5QGNvbnRvc28uZXhhbXBsZQ with eyJ0eXAiOiJKV1QifQ.eyJhdWQiOiJ4In0xx.c2ln"
	_, o := start(t, sandbox.Options{SMTPHook: func(_ context.Context, stage smtp.Stage, _ string) (smtpserver.Reply, bool) {
		return smtpserver.Say(535, echo), stage == smtp.StageAuth
	}})
	r := doctor.Examine(t.Context(), o)
	data, err := json.Marshal(r)
	if err != nil {
		t.Fatal(err)
	}
	if r.Finding == nil || r.Finding.Code != "auth-unsuccessful" || len(r.Dialogue) == 0 {
		t.Errorf("finding %+v", r.Finding)
	}
	for _, s := range []string{"eyJ", "dXNlcj"} {
		if strings.Contains(string(data), s) {
			t.Errorf("the report holds %q", s)
		}
	}
}

func TestInterruptionEndsTheExamination(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	_, o := start(t, sandbox.Options{})
	o.Each = func(c doctor.Check) {
		if c.Name == "tls token" {
			cancel()
		}
	}
	r := doctor.Examine(ctx, o)
	if r.Healthy {
		t.Error("an interrupted examination calls the setup healthy")
	}
	if last := r.Checks[len(r.Checks)-1]; last.Name != "tls token" {
		t.Errorf("went on to %q", last.Name)
	}
}

// soonEnough is a limit that a sandbox keeps on a busy machine too.
const soonEnough = 4 * time.Second
