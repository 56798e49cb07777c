package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/relay/filecheck"
	"github.com/smtpsend/smtpsend/internal/view/relayview"
)

func newRelayCheck(g *application) *cobra.Command {
	return &cobra.Command{
		Use:   "check [FILE]",
		Short: "Say what is wrong with a settings file of the relay, with the lines; nothing listens",
		Long: `Say all that is wrong with a settings file of the relay, with the lines, and with the
users file and the certificates that it names. Nothing listens. Without FILE it is the
file that SMTPSEND_RELAY_FILE names. Run by root, it looks as the owner of
SMTPSEND_STATE_DIR, as whom the relay runs: what that user cannot read is named.

Exit codes: 0 the relay would start; 78 it would not; 66 the file cannot be read.`,
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) > 1 {
				return exit.Usagef("%q takes one file", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			cfg := g.settingsButSecrets(cmd.Context())
			name := cfg.RelayFile
			if len(args) > 0 {
				name = args[0]
			}
			if name == "" {
				return exit.With(exit.Config, errNoRelayFile)
			}
			return runRelayCheck(cmd.Context(), g, cfg.StateDir, name)
		},
	}
}

func runRelayCheck(ctx context.Context, g *application, stateDir, name string) error {
	if err := becomeOwnerOf(g, stateDir); err != nil {
		return exit.With(exit.Config, err)
	}
	found, err := filecheck.Examine(ctx, name)
	if err != nil {
		return err
	}
	checked := relayview.Check{Result: found}
	if len(found.Problems) > 0 {
		checked.ExitCode = exit.Config
	}
	g.show(checked)
	return exit.Told(checked.ExitCode, errors.New("the settings file does not hold"))
}
