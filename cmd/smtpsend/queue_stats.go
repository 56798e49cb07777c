package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/exit/ending"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/usage"
	"github.com/smtpsend/smtpsend/internal/view"
)

func newQueueStats(g *application) *cobra.Command {
	var span string
	cmd := &cobra.Command{
		Use:   "stats",
		Short: "Count waiting and finished messages",
		Args:  usage.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.lookInto(cmd.Context(), func(box *outbox.Outbox) error { return runQueueStats(cmd.Context(), g, box, span) })
		},
	}
	cmd.Flags().StringVar(&span, "since", "24h", "count messages that finished since `TIME`")
	return cmd
}

func runQueueStats(ctx context.Context, g *application, box *outbox.Outbox, span string) error {
	from, err := operator.ParseTime(span, time.Now())
	if err != nil {
		return exit.With(exit.Usage, err)
	}
	finished, err := operator.Finished(ctx, box, from)
	if err != nil {
		return ending.Outbox(err)
	}
	mailboxes, err := operator.Mailboxes(ctx, box)
	if err != nil {
		return ending.Outbox(err)
	}
	g.show(view.NewStats(mailboxes, finished, from))
	return nil
}
