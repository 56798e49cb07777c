package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/outbox/queueid"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
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
		cmd.Flags().BoolVar(&q.yes, "yes", false, "remove messages that wait, without a question")
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
				return exit.Outbox(err)
			}
		}
		n, notDone, err := act(ctx, box, action, f)
		if err != nil {
			return exit.Outbox(err)
		}
		if err := noteOthers(ctx, g, box, action, named); err != nil {
			return exit.Outbox(err)
		}
		acted := view.NewActed(action, n, notDone)
		g.show(acted)
		return exit.Told(acted.ExitCode, errors.New(acted.Text()))
	})
}

// noteOthers says what the action has left as it was.
func noteOthers(ctx context.Context, g *application, box *outbox.Outbox, action outbox.Action, f operator.Filter) error {
	if action != outbox.Retry && action != outbox.Free {
		return noteSending(ctx, g, box, action, f)
	}
	stopped, err := tally.New(tally.Options{}).Stopped(ctx, box)
	progress.Stopped(g.Printer, stopped)
	return err
}

// noteSending says how many of the messages that a filter names were left out
// because they are being submitted.
func noteSending(ctx context.Context, g *application, box *outbox.Outbox, action outbox.Action, f operator.Filter) error {
	otherStates := len(f.States) > 0 && !slices.Contains(f.States, outbox.Sending)
	if len(f.QIDs) > 0 || otherStates {
		return nil
	}
	f.States = []outbox.State{outbox.Sending}
	list, err := operator.List(ctx, box, f)
	if err == nil && len(list) > 0 {
		g.Line("note", "%s being submitted: %s does not apply to what is under way", view.Plural(len(list), "1 more is", fmt.Sprint(len(list))+" more are"), action)
	}
	return err
}

// act does the action to what f names. Messages that are named one by one are
// handled one by one: of each it says why nothing was done to it.
func act(ctx context.Context, box *outbox.Outbox, action outbox.Action, f operator.Filter) (n int, notDone []string, err error) {
	if len(f.QIDs) == 0 {
		n, err = operator.Act(ctx, box, action, f)
		return n, notDone, err
	}
	for _, qid := range f.QIDs {
		one := f
		one.QIDs = []queueid.ID{qid}
		done, err := operator.Act(ctx, box, action, one)
		if n += done; done > 0 {
			continue
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return n, notDone, err
		}
		d, err := operator.Show(ctx, box, qid)
		switch {
		case errors.Is(err, store.ErrNotFound):
			notDone = append(notDone, fmt.Sprintf("%s: no such message", qid))
		case err != nil:
			return n, notDone, err
		default:
			notDone = append(notDone, fmt.Sprintf("%s is %s: %s does not apply", qid, d.State, action))
		}
	}
	return n, notDone, nil
}
