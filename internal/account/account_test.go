package account_test

import (
	"bytes"
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/account"
	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/config"
)

// settings are the least that config.Load takes, and more.
func settings(t *testing.T, more ...string) *config.Config {
	t.Helper()
	cfg, err := config.Load(t.Context(), config.Options{NoEnvFile: true, Environ: append([]string{
		"SMTPSEND_OFFICE_TENANT_ID=contoso.example", "SMTPSEND_OFFICE_CLIENT_ID=11111111-2222-3333-4444-555555555555",
		"SMTPSEND_OFFICE_CLIENT_SECRET=abcdefghijklmnopqrstuvwxyz0123456789.~-_",
	}, more...)})
	if err != nil {
		t.Fatal(err)
	}
	return cfg
}

func TestEnvelopeIsOfTheCallerElseOfTheSettings(t *testing.T) {
	t.Parallel()
	const sender, user, name = "SMTPSEND_MAIL_SENDER=Build <noreply@contoso.example>", "SMTPSEND_SMTP_USER_NAME=relay@contoso.example", "SMTPSEND_SMTP_USER_NAME=relay"
	for _, c := range []struct {
		settings        []string
		from            string
		to              []string
		author, mailbox string
		refused         string // field of the error
	}{
		{nil, "a@contoso.example", []string{"b@contoso.example"}, "a@contoso.example", "a@contoso.example", ""},
		{[]string{sender}, "", []string{"b@contoso.example"}, "noreply@contoso.example", "noreply@contoso.example", ""},
		{[]string{sender}, "a@contoso.example", []string{"b@contoso.example"}, "a@contoso.example", "a@contoso.example", ""},
		{[]string{sender, user}, "", []string{"b@contoso.example"}, "noreply@contoso.example", "relay@contoso.example", ""},
		{[]string{sender, name}, "", []string{"b@contoso.example"}, "noreply@contoso.example", "noreply@contoso.example", ""}, // who signs in, not from where
		{nil, "", []string{"b@contoso.example"}, "", "", "from"},
		{nil, "a", []string{"b@contoso.example"}, "", "", "from"},
		{[]string{sender}, "", []string{"b@contoso.example", "b"}, "", "", "to"},
	} {
		e, err := account.NewEnvelope(settings(t, c.settings...), c.from, c.to)
		if field, ok := errors.AsType[*badinput.FieldError](err); ok || c.refused != "" {
			if !ok || field.Field != c.refused {
				t.Errorf("%+v: %v", c, err)
			}
			continue
		}
		if err != nil || e.Author.Addr() != c.author || e.Mailbox.Addr() != c.mailbox || len(e.Recipients) != len(c.to) {
			t.Errorf("%+v: %v as %v to %v, %v", c, e.Author, e.Mailbox, e.Recipients, err)
		}
	}
}

func TestAPlainUserSignsIn(t *testing.T) {
	t.Parallel()
	for setting, want := range map[string]string{"SMTPSEND_SMTP_USER_NAME=relay": "relay", "SMTPSEND_SMTP_USER_NAME=relay@contoso.example": "a@contoso.example"} {
		o, err := account.New(settings(t, setting), account.Options{}).Session("a@contoso.example")
		if err != nil || o.Mailbox != want {
			t.Errorf("%s: %q signs in, %v", setting, o.Mailbox, err)
		}
	}
}

func TestSignInSendsNoTokenElsewhere(t *testing.T) {
	t.Parallel()
	a := account.New(settings(t), account.Options{}) // with no token to be had
	for _, c := range []struct {
		server string
		tls    bool
		want   error
	}{
		{"smtp.office365.com", false, account.ErrNoTLS},
		{"127.0.0.1", false, account.ErrNoTLS}, // only where the settings say so
		{"smtp.contoso.example", true, account.ErrOtherServer},
	} {
		if _, _, err := a.SignIn("").Start(t.Context(), c.server, c.tls); !errors.Is(err, c.want) {
			t.Errorf("%+v: %v", c, err)
		}
	}
}

// No more connections of a mailbox at a time than Exchange allows, in this process.
func TestPlacesAreCountedForEachMailbox(t *testing.T) {
	t.Parallel()
	o, err := account.New(settings(t), account.Options{CountHere: true}).Session("a@contoso.example")
	if err != nil {
		t.Fatal(err)
	}
	var release []func()
	for range 3 { // exchange.Connections
		done, err := o.Slots.Acquire(t.Context(), "a@contoso.example")
		if err != nil {
			t.Fatal(err)
		}
		release = append(release, done)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := o.Slots.Acquire(ctx, "A@contoso.example"); !errors.Is(err, context.Canceled) {
		t.Errorf("a fourth: %v", err)
	}
	if _, err := o.Slots.Acquire(t.Context(), "b@contoso.example"); err != nil {
		t.Error(err)
	}
	release[0]()
	if _, err := o.Slots.Acquire(t.Context(), "a@contoso.example"); err != nil {
		t.Error(err)
	}
}

func TestLoggedTellsTheLog(t *testing.T) {
	t.Parallel()
	for level, want := range map[slog.Level]int{slog.LevelDebug: 4, slog.LevelInfo: 3} {
		var b bytes.Buffer
		o := account.Logged(slog.New(slog.NewTextHandler(&b, &slog.HandlerOptions{Level: level})))
		o.Warn(errors.New("no space"))
		o.Waiting("a@contoso.example")
		o.Unlimited(errors.New("no locks"))
		if o.Trace != nil {
			o.Trace("C: NOOP")
		}
		if got := strings.Count(b.String(), "\n"); got != want {
			t.Errorf("%v: %d lines\n%s", level, got, b.String())
		}
	}
}
