package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/outbox/queueid"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
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
			return runQueueAct(cmd.Context(), g, &q, a.action, a.past, args)
		},
	}
	q.define(cmd)
	cmd.Flags().BoolVar(&q.all, "all", false, "every message")
	if a.action == outbox.Discard {
		cmd.Flags().BoolVar(&q.yes, "yes", false, "remove waiting and held messages without asking")
	}
	return cmd
}

func runQueueAct(ctx context.Context, g *application, q *queueFlags, action outbox.Action, past string, args []string) error {
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
		return tellActed(g, action, past, n, notDone)
	})
}

// tellActed says to how many messages the action was done, and to which it was not.
func tellActed(g *application, action outbox.Action, past string, n int, notDone []string) error {
	code := exit.OK
	if len(notDone) > 0 {
		code = exit.NoInput
	}
	if g.json {
		g.JSON(map[string]any{"action": action, "messages": n, "not_done": notDone, "exit_code": code})
	} else if n > 0 || len(notDone) == 0 {
		g.Printf("%d %s %s\n", n, view.Plural(n, "message", "messages"), past)
	}
	for _, text := range notDone {
		if !g.json {
			g.Errorf("%s", text)
		}
	}
	if code == exit.OK {
		return nil
	}
	return &exit.Error{Code: code, Err: errors.New(strings.Join(notDone, "; ")), Shown: true}
}

// noteOthers says what the action has left as it was.
func noteOthers(ctx context.Context, g *application, box *outbox.Outbox, action outbox.Action, f operator.Filter) error {
	if action != outbox.Retry && action != outbox.Free {
		return noteSending(ctx, g, box, action, f)
	}
	stopped, err := tally.New(tally.Options{}).Stopped(ctx, box)
	view.Stopped(g.Printer, stopped)
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
		g.Line("note", "%s being submitted: %s does not apply to them now", view.Plural(len(list), "1 more is", fmt.Sprint(len(list))+" more are"), action)
	}
	return err
}

// act does the action to what f names. Messages that are named one by one are
// handled one by one: of each it says why nothing was done to it.
func act(ctx context.Context, box *outbox.Outbox, action outbox.Action, f operator.Filter) (n int, notDone []string, err error) {
	notDone = []string{}
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
