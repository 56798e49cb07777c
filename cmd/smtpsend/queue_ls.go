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

func newQueueLs(g *application) *cobra.Command {
	var q queueFlags
	cmd := &cobra.Command{
		Use:   "ls [flags]",
		Short: "List messages, newest first, with the reason why each one waits, and until when",
		Args:  usage.NoArguments,
		RunE:  func(cmd *cobra.Command, _ []string) error { return runQueueLs(cmd.Context(), g, &q) },
	}
	q.define(cmd)
	cmd.Flags().BoolVar(&q.all, "all", false, "list finished messages too")
	cmd.Flags().IntVarP(&q.limit, "limit", "n", 50, "at most `N` messages; 0 is all")
	return cmd
}

func runQueueLs(ctx context.Context, g *application, q *queueFlags) error {
	return g.lookInto(ctx, func(box *outbox.Outbox) error {
		f, err := q.filter(ctx, box, nil, time.Now())
		if err != nil {
			return err
		}
		if !q.all && len(f.States) == 0 && f.Since.IsZero() {
			f.States = []outbox.State{outbox.Ready, outbox.Sending, outbox.Held, outbox.Dead}
		}
		f.All = false
		list, more, err := operator.Limited(f, func(f operator.Filter) ([]operator.Mail, error) { return operator.List(ctx, box, f) })
		if err != nil {
			return ending.Outbox(err)
		}
		g.show(view.NewMails(list, more))
		return nil
	})
}
