package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/exit/ending"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/progress"
	"github.com/smtpsend/smtpsend/internal/tally"
	"github.com/smtpsend/smtpsend/internal/view"
)

func newQueueAct(g *application, a queueAction) *cobra.Command {
	var q queueFlags
	cmd := &cobra.Command{
		Use:   a.verb + " [flags] [QUEUE-ID...]",
		Short: a.short,
		Long:  a.long,
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runQueueAct(cmd.Context(), g, &q, a.action, args)
		},
	}
	q.define(cmd)
	cmd.Flags().BoolVar(&q.all, "all", false, "every message")
	if a.action == outbox.Discard {
		cmd.Flags().BoolVar(&q.yes, "yes", false, "remove waiting and held messages without asking")
	}
	return cmd
}

func runQueueAct(ctx context.Context, g *application, q *queueFlags, action outbox.Action, args []string) error {
	return withOutbox(ctx, g, func(box *outbox.Outbox) error {
		ofMailbox := action == outbox.Hold || action == outbox.Free
		if ofMailbox && q.mailboxAlone(args) {
			return actOnMailbox(ctx, g, box, q.mailbox, action)
		}
		f, err := q.filter(ctx, box, args, time.Now())
		if err != nil {
			return err
		}
		named := f
		if action == outbox.Discard {
			if f, err = toRemove(ctx, g, box, f, q.yes); err != nil {
				return ending.Outbox(err)
			}
		}
		n, left, err := operator.ActOnEach(ctx, box, action, f)
		if err != nil {
			return ending.Outbox(err)
		}
		if err := noteOthers(ctx, g, box, action, named); err != nil {
			return ending.Outbox(err)
		}
		acted := view.NewActed(action, n, left)
		g.show(acted)
		return exit.Told(acted.ExitCode, errors.New(acted.Text()))
	})
}

// noteOthers says what the action has left as it was.
func noteOthers(ctx context.Context, g *application, box *outbox.Outbox, action outbox.Action, f operator.Filter) error {
	if action != outbox.Retry && action != outbox.Free {
		n, err := operator.UnderWay(ctx, box, f)
		progress.UnderWay(g.out, action, n)
		return err
	}
	stopped, err := tally.New(tally.Options{}).Stopped(ctx, box)
	progress.Stopped(g.out, stopped)
	return err
}
