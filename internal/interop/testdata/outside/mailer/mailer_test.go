package mailer_test

import (
	"strings"
	"testing"

	"example.com/mailer"

	"github.com/smtpsend/smtpsend"
	"github.com/smtpsend/smtpsend/sandboxtest"
)

func TestWelcome(t *testing.T) {
	srv := sandboxtest.Start(t)
	client, err := smtpsend.New(smtpsend.Options{Settings: srv.Environ()})
	if err != nil {
		t.Fatal(err)
	}
	welcome := func() error {
		return mailer.Welcome(srv.Addr, srv.TLSConfig(), client.NetAuth(t.Context(), srv.Mailbox), "ada@contoso.example")
	}
	if err := welcome(); err != nil {
		t.Fatal(err)
	}
	if got := srv.Messages(); len(got) != 1 || got[0].Subject != "Welcome" {
		t.Errorf("got %+v", got)
	}
	srv.AddFault(t, "smtp-auth-disabled-mailbox")
	if err := welcome(); err == nil || !strings.Contains(err.Error(), "535") {
		t.Errorf("a refused sign-in: %v", err)
	}
}
