package main

import (
	"context"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/usage"
)

func newQueue(g *application) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "queue",
		GroupID: groupSubmit,
		Short:   "Show the outbox, change messages that wait, and submit what is due",
		Long: `The outbox keeps messages until Exchange has taken them. One process at a time
submits from it: "smtpsend queue run", or a batch. All other commands can run at
the same time.

` + exit.Help,
		Args: usage.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newQueueLs(g), newQueueShow(g), newQueueWhy(g), newQueueHistory(g), newQueueStats(g), newQueueRun(g),
		newQueueCat(g), newQueueBackup(g))
	for _, a := range queueActions {
		cmd.AddCommand(newQueueAct(g, a))
	}
	return cmd
}

// withOutbox opens the outbox for a verb that needs no credentials.
func withOutbox(ctx context.Context, g *application, do func(*outbox.Outbox) error) error {
	cfg, err := g.settings(ctx, true)
	if err != nil {
		return err
	}
	box, err := g.openOutbox(ctx, cfg)
	if err != nil {
		return err
	}
	defer box.Close()
	return do(box)
}

// lookInto is withOutbox for a verb that changes nothing.
func (g *application) lookInto(ctx context.Context, do func(*outbox.Outbox) error) error {
	cfg, err := g.settings(ctx, true)
	if err != nil {
		return err
	}
	return g.readOutbox(ctx, cfg, do)
}

// queueAction is a verb that changes messages.
type queueAction struct {
	action      outbox.Action
	verb, short string
	long        string // "" = short says all
}

var queueActions = []queueAction{
	{outbox.Retry, "retry", "Make waiting, held, refused and expired messages due now; accepted recipients get no second copy", ""},
	{outbox.Hold, "hold", "Hold waiting messages until you release them; with only --mailbox, hold the mailbox", ""},
	{outbox.Free, "release", "Release held messages; with only --mailbox, release the mailbox", ""},
	{outbox.Cancel, "cancel", "Cancel waiting and held messages: they are never submitted; their history is kept", ""},
	{outbox.Discard, "rm", "Remove messages and their history from the outbox", `Remove messages and their history from the outbox.

A waiting or held message that is removed is never sent. So rm asks before it removes
one. Without a terminal it cannot ask: then it removes waiting and held messages only
with --yes. To stop a message and keep its history, use "queue cancel".

The rows of a batch stay known: the same batch does not send them again.`},
}
