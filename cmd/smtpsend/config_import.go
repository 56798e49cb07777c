package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/enaio"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/textfile"
	"github.com/smtpsend/smtpsend/internal/view"
)

func newConfigImport(g *application) *cobra.Command {
	var output string
	var force bool
	cmd := &cobra.Command{
		Use:   "import [-o FILE] FILE",
		Short: "Turn enaio's settings into an env file",
		Long: `Turn enaio's settings into an env file. FILE is webclient's osweb-prod.yml, an
export of the server's registry entries (.reg), or a properties file. The env file
is printed, or written with -o to a new file that only you can read; --force
replaces a file that exists. A value that enaio has encrypted is left empty. Keys
that smtpsend does not know are listed as warnings.`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return exit.Usagef("config import takes one file, got %d arguments", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			if output == "" && cmd.Flags().Changed("output") { // a variable of the shell that is not set
				return exit.Usagef("--output \"\": is not the name of a file")
			}
			return runConfigImport(cmd.Context(), g, args[0], output, force)
		},
	}
	cmd.Flags().StringVarP(&output, "output", "o", "", "write a new `FILE` with mode 0600 instead of printing")
	cmd.Flags().BoolVar(&force, "force", false, "replace the file of --output")
	return cmd
}

func runConfigImport(ctx context.Context, g *application, name, output string, force bool) error {
	data, err := textfile.Read(ctx, name, nil, limits.Import)
	if err != nil {
		return err
	}
	in, err := enaio.Import(ctx, name, []byte(data))
	if ctx.Err() != nil {
		return err
	}
	if err != nil {
		return exit.With(exit.Data, &badinput.FileError{Path: name, Err: err})
	}
	view.Warnings(g.out, in.Problems)
	if output == "" {
		g.out.Exactly(in.EnvFile())
		return nil
	}
	if force {
		err = ownfile.Replace(output, []byte(in.EnvFile()), 0o600)
	} else {
		err = ownfile.WriteNew(output, []byte(in.EnvFile()))
	}
	if errors.Is(err, fs.ErrExist) {
		err = fmt.Errorf("%s exists, and may hold what you have entered: --force replaces it", output)
	}
	if err != nil {
		return exit.With(exit.CannotCreate, err)
	}
	return nil
}
