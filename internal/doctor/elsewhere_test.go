package doctor_test

import (
	"context"
	"slices"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/doctor"
	"github.com/smtpsend/smtpsend/internal/entra"
	"github.com/smtpsend/smtpsend/internal/sandbox"
	"github.com/smtpsend/smtpsend/internal/secret"
)

// TestSettingsWithoutAClientIDContradictNoToken: a managed identity, and a token of
// another program, need no client ID; commands then have that of the token.
func TestSettingsWithoutAClientIDContradictNoToken(t *testing.T) {
	box, o := start(t, sandbox.Options{}, "no-mailbox-grant")
	token, err := entra.New(o.Token).Token(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	o.Token.ClientID, o.Token.Credential = "", nil
	o.Token.Elsewhere = entra.Provider{Name: "a file", Get: func(context.Context) (secret.String, error) { return secret.New(token.AccessToken), nil }}
	r := doctor.Examine(t.Context(), o)
	if notes := strings.Join(check(t, r, "claims").Notes, "\n"); strings.Contains(notes, "but the settings name") {
		t.Errorf("claims say %q", notes)
	}
	var commands []string
	for _, s := range r.Suspects {
		commands = append(commands, append(s.Look, s.Fix.Commands...)...)
	}
	if !slices.ContainsFunc(commands, func(c string) bool { return strings.Contains(c, box.ClientID()) }) {
		t.Errorf("no command has the client ID of the token: %q", commands)
	}
}
