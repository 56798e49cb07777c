package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/courier"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/progress"
	"github.com/smtpsend/smtpsend/internal/tally"
	"github.com/smtpsend/smtpsend/internal/usage"
	"github.com/smtpsend/smtpsend/internal/view"
)

func newQueueRun(g *application) *cobra.Command {
	var drain bool
	cmd := &cobra.Command{
		Use:   "run [--drain]",
		Short: "Submit what is due; with --drain until nothing is left that could be submitted",
		Long: `Submit what is due. A mailbox that pauses goes on by itself at the time that is
said. One that is held is tried by a sign-in when its time has come, and goes on
when that is accepted; --drain does not wait for it. Both say in a line why, and
how the mailbox goes on at once.

Exit codes: 0 what was due was submitted, within the limits; 4 in doubt; 3 some
were submitted and others refused. Else the reason why mail waits or was refused,
as send has it: 75 time fixes it, 76 TLS or protocol, 77 a refused sign-in, 69 a
refusal.`,
		Args: usage.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return runQueueRun(cmd.Context(), g, drain) },
	}
	cmd.Flags().BoolVar(&drain, "drain", false, "wait for what is due later, until nothing is left but what is held")
	return cmd
}

func runQueueRun(ctx context.Context, g *application, drain bool) error {
	cfg, err := g.settings(ctx, false)
	if err != nil {
		return err
	}
	if cfg.NoMails {
		g.out.Printf("not submitted: SMTPSEND_NO_MAILS=1\n")
		return nil
	}
	box, err := g.openOutbox(ctx, cfg)
	if err != nil {
		return err
	}
	defer box.Close()
	sender, err := g.lock(ctx, box)
	if err != nil {
		return err
	}
	defer sender.Release()
	o, err := g.courierOptions(cfg)
	if err != nil {
		return err
	}
	shown := progress.Attempts{Printer: g.out, Lines: !g.json, Waits: drain}
	t := tally.New(tally.Options{Config: cfg, Attempt: shown.Print, Probed: shown.Probed})
	o.Drain, o.Due, o.Settled, o.Probed = drain, !drain, t.Settled, t.Probed
	if drain {
		list, err := operator.Mailboxes(ctx, box)
		if err != nil {
			return exit.Outbox(err)
		}
		progress.Pauses(g.out, list)
	}
	if err := courier.Run(ctx, box, sender, o); err != nil {
		return exit.Outbox(err)
	}
	if _, err := sender.Purge(context.WithoutCancel(ctx)); err != nil {
		return exit.Outbox(err)
	}
	stopped, err := t.Stopped(context.WithoutCancel(ctx), box)
	if err != nil {
		return exit.Outbox(err)
	}
	progress.Stopped(g.out, stopped)
	return concludeRun(ctx, g, t.Sum())
}

// lock makes this process the one that submits, and says what the last one
// left.
func (g *application) lock(ctx context.Context, box *outbox.Outbox) (*outbox.Sender, error) {
	sender, left, err := box.Lock(ctx)
	if err != nil {
		return nil, exit.Outbox(err)
	}
	progress.LastRun(g.out, left)
	return sender, nil
}

// concludeRun prints the sums and ends the verb.
func concludeRun(ctx context.Context, g *application, sum tally.Sum) error {
	if ctx.Err() != nil {
		sum.Ending.Broken = exit.Interrupted
	}
	run := view.NewQueueRun(sum)
	g.show(run)
	return exit.Told(run.ExitCode, errors.New(run.Text()))
}
