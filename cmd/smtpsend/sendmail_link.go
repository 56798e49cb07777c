package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/ownfile"
)

func newLinkSendmail(g *application) *cobra.Command {
	force := false
	cmd := &cobra.Command{
		Use:     "link-sendmail DIR",
		GroupID: groupSetUp,
		Short:   "Create the links sendmail, mailq and newaliases to this program in a directory",
		Long: `Create the links sendmail, mailq and newaliases in DIR, for programs that call
/usr/sbin/sendmail. Files with these names that are not links to smtpsend are not
replaced, unless you give --force. On Windows the links are copies.`,
		Example: "  sudo smtpsend link-sendmail /usr/local/sbin",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return exit.Usagef("link-sendmail needs one directory, got %d arguments", len(args))
			}
			return runLinkSendmail(cmd.Context(), g, args[0], force)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "replace files that have these names")
	return cmd
}

func runLinkSendmail(ctx context.Context, g *application, dir string, force bool) error {
	self, err := os.Executable()
	if err != nil {
		return exit.With(exit.NoInput, fmt.Errorf("finding this program: %w", err))
	}
	for _, name := range []string{"sendmail", "mailq", "newaliases"} {
		path := filepath.Join(dir, name)
		if err := linkTo(ctx, self, path, force); err != nil {
			return exit.With(exit.CannotCreate, err)
		}
		g.Printf("%s -> %s\n", path, self)
	}
	return nil
}

func linkTo(ctx context.Context, self, path string, force bool) error {
	if runtime.GOOS == "windows" {
		return copyTo(ctx, self, path+".exe", force)
	}
	target, err := os.Readlink(path)
	switch {
	case err == nil && target == self:
		return nil
	case errors.Is(err, fs.ErrNotExist):
	case !force:
		return fmt.Errorf("%s exists and is not a link to this program: --force replaces it", path)
	default:
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return os.Symlink(self, path)
}

// copyTo is for Windows, where links need a right that users lack.
func copyTo(ctx context.Context, self, path string, force bool) error {
	create := ownfile.Create
	if force {
		create = func(name string) (*os.File, error) { return ownfile.Output(ctx, name) }
	}
	in, err := ownfile.Open(self)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := create(path)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s exists: --force replaces it", path)
	}
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		return errors.Join(err, out.Close())
	}
	return out.Close()
}
