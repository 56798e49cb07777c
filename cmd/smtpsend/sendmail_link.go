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
		Short:   "Make sendmail, mailq and newaliases in a directory, links to this program",
		Long: `Make the links sendmail, mailq and newaliases in DIR, for programs that call
/usr/sbin/sendmail. Files of these names that are not links to smtpsend are left
alone, unless --force says otherwise. On Windows they are copies.`,
		Example: "  sudo smtpsend link-sendmail /usr/local/sbin",
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return exit.Usagef("link-sendmail needs one directory, got %d arguments", len(args))
			}
			return runLinkSendmail(cmd.Context(), g, args[0], force)
		},
	}
	cmd.Flags().BoolVar(&force, "force", false, "replace what has these names")
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
