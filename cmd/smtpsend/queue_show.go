package main

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/exit/ending"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/outbox/queueid"
	"github.com/smtpsend/smtpsend/internal/view"
)

func newQueueShow(g *application) *cobra.Command {
	return &cobra.Command{
		Use:   "show QUEUE-ID...",
		Short: "Show a message: envelope, outcome for each recipient, and every attempt with the server's reply",
		Args:  someIDs,
		RunE:  func(cmd *cobra.Command, args []string) error { return runQueueShow(cmd.Context(), g, args) },
	}
}

func someIDs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return exit.Usagef("%q needs a queue id; see smtpsend queue ls", cmd.CommandPath())
	}
	return nil
}

func runQueueShow(ctx context.Context, g *application, ids []string) error {
	return g.lookInto(ctx, func(box *outbox.Outbox) error {
		var details []operator.Detail
		for _, id := range ids {
			d, err := operator.Show(ctx, box, queueid.ID(id))
			if err != nil {
				return ending.Outbox(fmt.Errorf("%s: %w", id, err))
			}
			details = append(details, d)
		}
		g.show(view.NewDetails(details, false))
		return nil
	})
}
