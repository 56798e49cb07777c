package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/relay/control"
	"github.com/smtpsend/smtpsend/internal/usage"
	"github.com/smtpsend/smtpsend/internal/view/relayview"
)

func newRelayReload(g *application) *cobra.Command {
	return &cobra.Command{
		Use:   "reload",
		Short: "Make the relay that runs read its settings file again, and say whether it took it",
		Long: `Make the relay that runs with the same ` + "SMTPSEND_STATE_DIR" + ` read its settings file, its
users and its certificates again. No connection is refused or cut. When anything is
wrong, all of it is named, and the settings from before stay in force.

Exit codes: 0 the new settings are in force; 78 they are not; 69 no relay runs.`,
		Args: usage.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return runRelayReload(cmd.Context(), g) },
	}
}

func runRelayReload(ctx context.Context, g *application) error {
	cfg, err := g.settings(ctx, true)
	if err != nil {
		return err
	}
	err = control.Ask(ctx, cfg.StateDir, control.Reload)
	_, refused := errors.AsType[*control.RefusedError](err)
	switch {
	case err == nil:
		g.show(relayview.Reloaded{ExitCode: exit.OK})
		return nil
	case refused:
		return exit.With(exit.Config, err)
	}
	return exit.With(exit.Refused, err)
}
