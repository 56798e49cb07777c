package main

import (
	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/usage"
	"github.com/smtpsend/smtpsend/internal/view"
)

func newQueueBackup(g *application) *cobra.Command {
	return &cobra.Command{
		Use:   "backup FILE",
		Short: "Write a copy of the outbox to a new file; other commands may run meanwhile",
		Args:  usage.One("one file"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.lookInto(cmd.Context(), func(box *outbox.Outbox) error {
				if err := box.Backup(cmd.Context(), args[0]); err != nil {
					return exit.With(exit.CannotCreate, err)
				}
				g.show(view.Backup{File: args[0], ExitCode: exit.OK})
				return nil
			})
		},
	}
}
