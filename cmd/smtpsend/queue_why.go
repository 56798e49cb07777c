package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/exit/ending"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/view"
)

func newQueueWhy(g *application) *cobra.Command {
	return &cobra.Command{
		Use:   "why [MAILBOX...]",
		Short: "Show for each mailbox how many messages wait, why it is paused or held, and until when",
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.lookInto(cmd.Context(), func(box *outbox.Outbox) error { return runQueueWhy(cmd.Context(), g, box, args) })
		},
	}
}

func runQueueWhy(ctx context.Context, g *application, box *outbox.Outbox, names []string) error {
	list, err := operator.Mailboxes(ctx, box)
	if len(names) > 0 {
		list = nil
		for _, name := range names {
			m, e := operator.OneMailbox(ctx, box, name)
			list, err = append(list, m), errors.Join(err, e)
		}
	}
	if err != nil {
		return ending.Outbox(err)
	}
	g.show(view.NewMailboxes(list))
	return nil
}
