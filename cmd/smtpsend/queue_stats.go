package main

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/view"
)

func newQueueStats(g *globals) *cobra.Command {
	var span string
	cmd := &cobra.Command{
		Use:   "stats",
		Short: "Count what waits and what was finished",
		Args:  noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return g.lookInto(cmd.Context(), func(box *outbox.Outbox) error { return runQueueStats(cmd.Context(), g, box, span) })
		},
	}
	cmd.Flags().StringVar(&span, "since", "24h", "count what was finished since `TIME`")
	return cmd
}

func runQueueStats(ctx context.Context, g *globals, box *outbox.Outbox, span string) error {
	from, err := timeOf(span, time.Now())
	if err != nil {
		return err
	}
	finished, err := box.Finished(ctx, from)
	if err != nil {
		return exit.Outbox(err)
	}
	mailboxes, err := box.Mailboxes(ctx)
	if err != nil {
		return exit.Outbox(err)
	}
	waiting := make(map[outbox.State]int)
	held, paused := 0, 0
	for _, m := range mailboxes {
		switch {
		case m.Held():
			held++
		case m.Pause != "":
			paused++
		}
		for state, n := range m.Counts {
			waiting[state] += n
		}
	}
	if g.json {
		g.JSON(map[string]any{"waiting": waiting, "finished": finished, "since": from, "mailboxes": len(mailboxes),
			"held_mailboxes": held, "paused_mailboxes": paused, "exit_code": exit.OK})
		return nil
	}
	g.Printf("waiting   %d ready, %d sending, %d held, in %d %s\n", waiting[outbox.Ready], waiting[outbox.Sending], waiting[outbox.Held],
		len(mailboxes), view.Plural(len(mailboxes), "mailbox", "mailboxes"))
	if held+paused > 0 {
		g.Printf("          %d %s held, %d paused: smtpsend queue why\n", held, view.Plural(held, "mailbox", "mailboxes"), paused)
	}
	g.Printf("finished  %d sent, %d dead, %d cancelled since %s\n", finished[outbox.Sent], finished[outbox.Dead], finished[outbox.Cancelled],
		from.Local().Format("2006-01-02 15:04"))
	return nil
}
