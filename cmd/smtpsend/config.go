package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/setting"
	"github.com/smtpsend/smtpsend/internal/view"
)

func newConfig(g *application) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "config",
		GroupID: groupSetUp,
		Short:   "Check, show and import the settings",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newConfigCheck(g), newConfigShow(g), newConfigExample(g), newConfigImport(g))
	return cmd
}

func newConfigCheck(g *application) *cobra.Command {
	return &cobra.Command{
		Use:   "check",
		Short: "Check the settings offline and list every problem; exit code 78 if there is one",
		Args:  noArguments,
		RunE:  func(cmd *cobra.Command, _ []string) error { return runConfigCheck(cmd.Context(), g) },
	}
}

func runConfigCheck(ctx context.Context, g *application) error {
	cfg, err := config.Load(ctx, g.options())
	problems := cfg.Warnings()
	var all *config.Problems
	if errors.As(err, &all) {
		problems = all.List
	}
	switch {
	case g.json:
		g.JSON(map[string]any{"problems": append([]config.Problem{}, problems...), "env_file": cfg.EnvFile(), "exit_code": exit.Of(err)})
	case err != nil:
		return err
	default:
		g.warnings(problems)
		g.Printf("no error in the settings%s\n", from(cfg.EnvFile()))
	}
	if err != nil {
		return &exit.Error{Code: exit.Config, Err: err, Shown: true}
	}
	return nil
}

func from(file string) string {
	if file == "" {
		return ""
	}
	return " of the environment and " + file
}

func newConfigExample(g *application) *cobra.Command {
	return &cobra.Command{
		Use:   "example",
		Short: "Print an env file with every setting, to fill in",
		Args:  noArguments,
		RunE: func(*cobra.Command, []string) error {
			g.Exactly(setting.Example())
			return nil
		},
	}
}

func newConfigShow(g *application) *cobra.Command {
	return &cobra.Command{
		Use:   "show",
		Short: "Show each setting, where its value comes from, and what is wrong with it; secrets are masked",
		Args:  noArguments,
		RunE:  func(cmd *cobra.Command, _ []string) error { return runConfigShow(cmd.Context(), g) },
	}
}

// runConfigShow shows what it could read even when something is wrong, because
// that is when people look.
func runConfigShow(ctx context.Context, g *application) error {
	cfg, err := config.Load(ctx, g.options())
	shown := cfg.Show()
	if g.json {
		all := map[string]any{"settings": shown, "env_file": cfg.EnvFile(), "problems": cfg.Warnings(), "exit_code": exit.Of(err)}
		var problems *config.Problems
		if errors.As(err, &problems) {
			all["problems"] = problems.List
		}
		g.JSON(all)
		if err != nil {
			return &exit.Error{Code: exit.Config, Err: err, Shown: true}
		}
		return nil
	}
	view.Settings(g.Printer, shown)
	if err == nil {
		g.warnings(cfg.Warnings())
	}
	return err
}
