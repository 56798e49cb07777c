package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/config"
)

func newConfig(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "config",
		GroupID: groupSetUp,
		Short:   "Show the settings",
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newConfigShow(g))
	return cmd
}

func newConfigShow(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "show",
		Short: "Show each setting, where its value comes from, and what is wrong with it; secrets are masked",
		Args:  noArguments,
		RunE:  func(cmd *cobra.Command, _ []string) error { return runConfigShow(cmd.Context(), g) },
	}
}

// runConfigShow shows what it could read even when something is wrong, because
// that is when people look.
func runConfigShow(ctx context.Context, g *globals) error {
	cfg, err := config.Load(ctx, g.options())
	shown := cfg.Show()
	if g.json {
		view := map[string]any{"settings": shown, "env_file": cfg.EnvFile(), "problems": cfg.Warnings(), "exit_code": codeOf(err)}
		var problems *config.Problems
		if errors.As(err, &problems) {
			view["problems"] = problems.List
		}
		g.printJSON(view)
		if err != nil {
			return &exitError{code: exitConfig, err: err, shown: true}
		}
		return nil
	}
	width := 0
	for _, s := range shown {
		width = max(width, len(s.Variable)+len(s.Value))
	}
	for _, s := range shown {
		g.printf("%s=%s%*s%s\n", s.Variable, visible(s.Value), min(width, 90)-len(s.Variable)-len(s.Value)+2, "", origin(s))
	}
	if err == nil {
		g.warnings(cfg.Warnings())
	}
	return err
}

func origin(s config.Shown) string {
	if s.Origin == "" {
		return "# unset"
	}
	return "# " + s.Origin
}
