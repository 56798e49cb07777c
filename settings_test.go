package smtpsend_test

import (
	"bytes"
	"crypto/tls"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend"
	"github.com/smtpsend/smtpsend/sandboxtest"
)

func debugLogger(w io.Writer) *slog.Logger {
	return slog.New(slog.NewTextHandler(w, &slog.HandlerOptions{Level: slog.LevelDebug}))
}

func TestNewSaysAllThatIsWrong(t *testing.T) {
	t.Setenv("SMTPSEND_OFFICE_CLIENT_ID", "not looked at")
	_, err := smtpsend.New(smtpsend.Options{TenantID: "no tenant", Settings: []string{"SMTPSEND_SMTP_PORT=0"}})
	e, ok := errors.AsType[*smtpsend.SettingsError](err)
	if !ok || len(e.Problems) < 3 {
		t.Fatalf("got %v", err)
	}
	for _, want := range []string{"SMTPSEND_OFFICE_TENANT_ID", "SMTPSEND_OFFICE_CLIENT_ID", "SMTPSEND_SMTP_PORT", "SMTPSEND_OFFICE_CLIENT_SECRET"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%s is not named in %v", want, err)
		}
	}
	if strings.Contains(err.Error(), "not looked at") {
		t.Errorf("New reads the environment: %v", err)
	}
}

func TestNewRefusesNegativeLimits(t *testing.T) {
	t.Parallel()
	srv := sandboxtest.Start(t)
	for _, o := range []smtpsend.Options{{Timeout: -1}, {Attempts: -1}} {
		o.Settings = srv.Environ()
		if _, err := smtpsend.New(o); err == nil || !strings.Contains(err.Error(), "negative") {
			t.Errorf("%v, %d: %v", o.Timeout, o.Attempts, err)
		}
	}
}

func TestFieldsComeBeforeSettingsAndSettingsBeforeTheFile(t *testing.T) {
	t.Parallel()
	srv := sandboxtest.Start(t)
	file := filepath.Join(t.TempDir(), "smtpsend.env")
	text := strings.Join(srv.Environ(), "\n") + "\n"
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		o    smtpsend.Options
		from string
	}{
		{smtpsend.Options{}, srv.Mailbox},
		{smtpsend.Options{Settings: []string{"SMTPSEND_MAIL_SENDER=a@contoso.example"}}, "a@contoso.example"},
		{smtpsend.Options{Settings: []string{"SMTPSEND_MAIL_SENDER=a@contoso.example"}, From: "b@contoso.example"}, "b@contoso.example"},
		{smtpsend.Options{Mailbox: "c@contoso.example"}, "c@contoso.example"},
	} {
		c.o.EnvFile = file
		client, err := smtpsend.New(c.o)
		if err != nil {
			t.Fatal(err)
		}
		m := simple("ada@contoso.example")
		if c.o.Mailbox != "" {
			m.From = c.o.Mailbox
		}
		if receipt, err := client.Send(t.Context(), m); err != nil || receipt.Mailbox != c.from {
			t.Errorf("%+v: got %+v, %v", c.o, receipt, err)
		}
	}
}

func TestFromEnvReadsTheFileThatTheEnvironmentNames(t *testing.T) {
	srv := sandboxtest.Start(t)
	file := filepath.Join(t.TempDir(), "smtpsend.env")
	if err := os.WriteFile(file, []byte(strings.Join(srv.Environ(), "\n")+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SMTPSEND_ENV_FILE", file)
	t.Setenv("SMTPSEND_MAIL_SENDER", "a@contoso.example")
	client, err := smtpsend.FromEnv()
	if err != nil {
		t.Fatal(err)
	}
	if receipt, err := client.Send(t.Context(), simple("ada@contoso.example")); err != nil || receipt.Mailbox != "a@contoso.example" {
		t.Errorf("got %+v, %v", receipt, err)
	}
}

func TestAPrintedClientHoldsNoSecret(t *testing.T) {
	t.Parallel()
	srv := sandboxtest.Start(t)
	for _, client := range []*smtpsend.Client{newClient(t, srv, smtpsend.Options{}), newClient(t, srv, smtpsend.Options{ClientSecret: srv.ClientSecret})} {
		if text := fmt.Sprintf("%v %+v %#v", client, client, *client); strings.Contains(text, srv.ClientSecret) {
			t.Error(text)
		}
	}
}

func TestPrintedOptionsHoldNoSecret(t *testing.T) {
	t.Parallel()
	o := smtpsend.Options{
		TenantID: "contoso.example", ClientSecret: "hush-hush",
		Settings: []string{"SMTPSEND_OFFICE_CLIENT_SECRET=hush-hush", "SMTPSEND_PROXY=http://me:hush-hush@proxy:3128", "hush-hush"},
	}
	var b bytes.Buffer
	slog.New(slog.NewTextHandler(&b, nil)).Info("options", "value", o, "pointer", &o)
	slog.New(slog.NewJSONHandler(&b, nil)).Info("options", "value", o, "pointer", &o)
	encoded, err := json.Marshal(o)
	text := fmt.Sprintf("%v %+v %#v %v %s %s", o, o, o, &o, encoded, b.String())
	if err != nil || strings.Contains(text, "hush") || strings.Count(text, "contoso.example") != 9 || !strings.Contains(text, "SMTPSEND_PROXY=") {
		t.Errorf("%s, %v", text, err)
	}
	if o.ClientSecret != "hush-hush" || o.Settings[2] != "hush-hush" {
		t.Errorf("printing changed the options: %q %q", o.ClientSecret, o.Settings)
	}
}

func TestNoMailsSubmitsNothing(t *testing.T) {
	t.Parallel()
	srv := sandboxtest.Start(t)
	client := newClient(t, srv, smtpsend.Options{Settings: []string{"SMTPSEND_NO_MAILS=1"}})
	receipt, err := client.Send(t.Context(), simple("ada@contoso.example"))
	if !errors.Is(err, smtpsend.ErrNoMails) || receipt.Recipients[0].Outcome != smtpsend.NotAttempted || len(srv.Messages()) != 0 || srv.TokenRequests() != 0 {
		t.Errorf("got %v, %v", receipt, err)
	}
}

func TestTokenErrorsHaveAFinding(t *testing.T) {
	t.Parallel()
	srv := sandboxtest.Start(t)
	client := newClient(t, srv, smtpsend.Options{ClientSecret: "wrong-wrong-wrong-wrong-wrong-wrong-wron", InMemory: true})
	_, err := client.Token(t.Context())
	e, ok := errors.AsType[*smtpsend.Error](err)
	if !ok || e.Stage != smtpsend.StageToken || e.Finding.Code != "secret-wrong" || strings.Contains(err.Error(), "wrong-wrong") {
		t.Errorf("got %v %+v", err, e)
	}

	client = newClient(t, srv, smtpsend.Options{Settings: []string{"SMTPSEND_CA_FILE="}, InMemory: true})
	receipt, err := client.Send(t.Context(), simple("ada@contoso.example"))
	e, ok = errors.AsType[*smtpsend.Error](err)
	if _, untrusted := errors.AsType[*tls.CertificateVerificationError](err); !ok || !untrusted || e.Finding.Code != "tls-untrusted" || receipt == nil {
		t.Errorf("got %v %+v", err, e)
	}
}
