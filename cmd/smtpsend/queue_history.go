package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/exit/ending"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/usage"
	"github.com/smtpsend/smtpsend/internal/view"
)

func newQueueHistory(g *application) *cobra.Command {
	var q queueFlags
	cmd := &cobra.Command{
		Use:     "history [flags]",
		Short:   "Show what happened to the messages of a day or of an address",
		Example: `  smtpsend queue history --to ann@contoso.com --on tuesday`,
		Args:    usage.NoArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runQueueHistory(cmd.Context(), g, &q) },
	}
	q.define(cmd)
	cmd.Flags().IntVarP(&q.limit, "limit", "n", 20, "at most `N` messages; 0 is all")
	return cmd
}

func runQueueHistory(ctx context.Context, g *application, q *queueFlags) error {
	return g.lookInto(ctx, func(box *outbox.Outbox) error {
		f, err := q.filter(ctx, box, nil, time.Now())
		if err != nil {
			return err
		}
		details, more, err := operator.Limited(f, func(f operator.Filter) ([]operator.Detail, error) { return operator.History(ctx, box, f) })
		if err != nil {
			return ending.Outbox(err)
		}
		g.show(view.NewDetails(details, more))
		return nil
	})
}
