package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/enaio"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/ownfile"
)

func newConfigImport(g *globals) *cobra.Command {
	var output string
	cmd := &cobra.Command{
		Use:   "import [-o FILE] FILE",
		Short: "Turn enaio's settings into an env file",
		Long: `Turn enaio's settings into an env file: webclient's osweb-prod.yml, an export of
the server's registry entries (.reg), or a properties file. The env file goes to
standard output, or with -o into a file that only you can read. Keys that mean
nothing here are listed as warnings.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return usagef("config import takes one file, got %d arguments", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return runConfigImport(cmd.Context(), g, args[0], output)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "write `FILE` with mode 0600 instead of printing")
	return cmd
}

func runConfigImport(ctx context.Context, g *globals, name, output string) error {
	data, err := readBody(ctx, name, nil, limits.Import)
	if err != nil {
		return err
	}
	in, err := enaio.Import(ctx, name, []byte(data))
	if ctx.Err() != nil {
		return err
	}
	if err != nil {
		return withCode(exitData, &message.FileError{Path: name, Err: err})
	}
	g.warnings(in.Problems)
	if output == "" {
		g.printExactly(in.EnvFile())
		return nil
	}
	if err := ownfile.Replace(output, []byte(in.EnvFile()), 0o600); err != nil {
		return withCode(exitCannotCreate, err)
	}
	return nil
}
