package main

import (
	"errors"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/exit/ending"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/queueid"
	"github.com/smtpsend/smtpsend/internal/usage"
)

func newQueueCat(g *application) *cobra.Command {
	return &cobra.Command{
		Use:   "cat QUEUE-ID",
		Short: "Print the content of a message as it will be, or was, submitted",
		Args:  usage.One("one queue id"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.lookInto(cmd.Context(), func(box *outbox.Outbox) error {
				body, err := box.Body(cmd.Context(), queueid.ID(args[0]))
				if err != nil {
					return ending.Outbox(err)
				}
				err = g.out.Copy(body)
				if err = errors.Join(err, body.Close()); err != nil {
					return exit.With(exit.IO, err)
				}
				return nil
			})
		},
	}
}
