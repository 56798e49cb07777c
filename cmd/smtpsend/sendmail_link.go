package main

import (
	"context"
	"fmt"
	"os"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/sendmail"
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
	err = sendmail.Link(ctx, self, dir, force, func(path string) { g.out.Printf("%s -> %s\n", path, self) })
	if err != nil {
		return exit.With(exit.CannotCreate, err)
	}
	return nil
}
