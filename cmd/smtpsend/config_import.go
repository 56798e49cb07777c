package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/enaio"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/textfile"
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
				return exit.Usagef("--output \"\": names no file")
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
	g.warnings(in.Problems)
	if output == "" {
		g.Exactly(in.EnvFile())
		return nil
	}
	if force {
		err = ownfile.Replace(output, []byte(in.EnvFile()), 0o600)
	} else {
		err = writeNew(output, []byte(in.EnvFile()))
	}
	if err != nil {
		return exit.With(exit.CannotCreate, err)
	}
	return nil
}

// writeNew writes a file that did not exist. What is not whole is not left there.
func writeNew(name string, data []byte) error {
	f, err := ownfile.Create(name)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists, and may hold what you have entered: --force replaces it", name)
	}
	if err != nil {
		return err
	}
	_, err = f.Write(data)
	if err = errors.Join(err, f.Close()); err != nil {
		_ = os.Remove(name)
	}
	return err
}
