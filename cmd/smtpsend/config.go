package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/expiry"
	"github.com/smtpsend/smtpsend/internal/setting"
	"github.com/smtpsend/smtpsend/internal/usage"
	"github.com/smtpsend/smtpsend/internal/view"
)

func newConfig(g *application) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "config",
		GroupID: groupSetUp,
		Short:   "Check, show and import the settings",
		Args:    usage.NoArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newConfigCheck(g), newConfigShow(g), newConfigExample(g), newConfigImport(g))
	return cmd
}

func newConfigCheck(g *application) *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Check the settings offline and list every problem; exit code 78 if there is one",
		Args:  usage.NoArguments,
		RunE:  func(cmd *cobra.Command, _ []string) error { return runConfigCheck(cmd.Context(), g) },
	}
}

func runConfigCheck(ctx context.Context, g *application) error {
	cfg, err := config.Load(ctx, g.options())
	var found []expiry.Found
	if err == nil {
		var unread error
		acct := g.account(cfg)
		found, unread = endsOf(ctx, g, acct)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if unusable := acct.Proof().Usable(); unusable != nil {
			err, unread = config.Unusable(cfg, unusable), nil
		}
		if unread != nil {
			g.out.Warningf("it is not known when all of it ends: %v", unread)
		}
	}
	if err != nil && !g.json {
		return err
	}
	g.show(view.NewSettingsCheck(cfg, err, found))
	return toldOf(err)
}

// toldOf ends a verb that has shown what is wrong with the settings.
func toldOf(err error) error {
	if err == nil {
		return nil
	}
	return exit.Told(exit.Config, err)
}

func newConfigExample(g *application) *cobra.Command {
	return &cobra.Command{
		Use:   "example",
		Short: "Print an env file with every setting, to fill in",
		Args:  usage.NoArguments,
		RunE: func(*cobra.Command, []string) error {
			g.out.Exactly(setting.Example())
			return nil
		},
	}
}

func newConfigShow(g *application) *cobra.Command {
	return &cobra.Command{
		Use:   "show",
		Short: "Show each setting, where its value comes from, and what is wrong with it; secrets are masked",
		Args:  usage.NoArguments,
		RunE:  func(cmd *cobra.Command, _ []string) error { return runConfigShow(cmd.Context(), g) },
	}
}

// runConfigShow shows what it could read even when something is wrong, because
// that is when people look.
func runConfigShow(ctx context.Context, g *application) error {
	cfg, err := config.Load(ctx, g.options())
	g.show(view.NewSettings(cfg, err))
	if g.json {
		return toldOf(err)
	}
	if err == nil {
		view.Warnings(g.out, cfg.Warnings())
	}
	return err
}
