package main

import (
	"context"
	"fmt"
	"io"
	"strings"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/charset"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/seal"
	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/internal/stdio"
	"github.com/smtpsend/smtpsend/internal/usage"
	"github.com/smtpsend/smtpsend/internal/view"
)

func newSecret(g *application) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "secret",
		GroupID: groupSetUp,
		Short:   "Seal the client secret, and check that it can be opened",
		Args:    usage.NoArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(&cobra.Command{
		Use:   "seal",
		Short: "Read the client secret and print it sealed, as a line for the env file",
		Long: `Read the client secret from the terminal, without echo, or from standard input, and
print it encrypted, as a line for the env file. The identity file, which opens it,
is created at the first use, and only this user can read it: run this as the user
who will submit. A sealed secret is safe when the env file leaks or is committed. It
is not safe from a user who can read the identity file. If you have systemd, its
credentials are better.`,
		Args: usage.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return runSecretSeal(cmd.Context(), g) },
	}, &cobra.Command{
		Use:   "check",
		Short: "Check that the client secret of the settings can be read, without showing it",
		Args:  usage.NoArguments,
		RunE:  func(cmd *cobra.Command, _ []string) error { return runSecretCheck(cmd.Context(), g) },
	})
	return cmd
}

// unseal opens a sealed value of the settings.
func unseal(_ context.Context, identityFile, sealed string) (secret.String, error) {
	opened, err := seal.Open(identityFile, sealed)
	return opened, advised(err)
}

func runSecretSeal(ctx context.Context, g *application) error {
	value, err := readSecret(g, "client secret", "secret")
	if err != nil {
		return err
	}
	// Of the settings only the identity's place counts here; they may be half
	// filled in, that is what sealing is for.
	sealed, err := seal.Seal(g.settingsButSecrets(ctx).IdentityFile, value)
	if err != nil {
		return exit.With(exit.CannotCreate, err)
	}
	g.out.Printf("%sOFFICE_CLIENT_SECRET=%s\n", config.Prefix, sealed)
	return nil
}

// readSecret reads a secret of a kind, one line, from the terminal without echo.
func readSecret(g *application, what, short string) (secret.String, error) {
	var text string
	var err error
	if tty, ok := stdio.Terminal(g.stdin); ok {
		text, err = g.out.Password(tty, g.stdin, what+" (not shown): ")
	} else {
		var data []byte
		data, err = io.ReadAll(io.LimitReader(g.stdin, 2*(seal.MaxSecret+4))) // of UTF-16
		if err == nil {
			if text, err = charset.Strict(data); err != nil { // PowerShell pipes with a byte order mark
				return secret.String{}, exit.With(exit.Data, fmt.Errorf("the %s %w", short, err))
			}
		}
		text = strings.TrimSuffix(strings.TrimSuffix(text, "\n"), "\r")
	}
	if err != nil {
		return secret.String{}, exit.With(exit.NoInput, fmt.Errorf("reading the %s: %w", short, err))
	}
	if text == "" {
		return secret.String{}, exit.With(exit.NoInput, fmt.Errorf("the %s is empty", short))
	}
	return secret.New(text), nil
}

func runSecretCheck(ctx context.Context, g *application) error {
	o := g.options()
	o.Offline = true
	cfg, err := g.load(ctx, o)
	if err != nil {
		return err
	}
	if cfg.OfficeClientSecret.IsZero() {
		return exit.With(exit.Config, fmt.Errorf("%sOFFICE_CLIENT_SECRET is not set", config.Prefix))
	}
	g.show(view.SecretCheck{Origin: cfg.Origin("OFFICE_CLIENT_SECRET"), Length: len(cfg.OfficeClientSecret.Reveal()), ExitCode: exit.OK})
	return nil
}
