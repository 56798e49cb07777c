package main

import (
	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/outbox"
)

func newQueueBackup(g *application) *cobra.Command {
	return &cobra.Command{
		Use:   "backup FILE",
		Short: "Write a copy of the outbox to a new file; other commands may run meanwhile",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return exit.Usagef("%q takes one file", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.lookInto(cmd.Context(), func(box *outbox.Outbox) error {
				if err := box.Backup(cmd.Context(), args[0]); err != nil {
					return exit.With(exit.CannotCreate, err)
				}
				if g.json {
					g.JSON(map[string]any{"file": args[0], "exit_code": exit.OK})
				} else {
					g.Printf("copied to %s\n", args[0])
				}
				return nil
			})
		},
	}
}
