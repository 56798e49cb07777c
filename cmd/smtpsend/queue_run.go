package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/courier"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/exit/ending"
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
		Short: "Submit what is due; with --drain, continue until only held messages are left",
		Long: `Submit what is due. A paused mailbox continues by itself at a known time. A held
mailbox is tried from time to time with a sign-in, and continues when the sign-in is
accepted; --drain does not wait for it. For each of them one line says why it is
paused or held, and which command makes it continue at once.

Exit codes: 0 all that was due was submitted, within the limits; 4 in doubt; 3 some
were submitted and others refused. Otherwise the code says why messages wait or were
refused, as with send: 75 try again later, 76 TLS or protocol, 77 sign-in refused,
69 refused for good.`,
		Args: usage.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return runQueueRun(cmd.Context(), g, drain) },
	}
	cmd.Flags().BoolVar(&drain, "drain", false, "also wait for messages that are due later, until only held ones are left")
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
			return ending.Outbox(err)
		}
		progress.Pauses(g.out, list)
	}
	if err := courier.Run(ctx, box, sender, o); err != nil {
		return ending.Outbox(err)
	}
	if _, err := sender.Purge(context.WithoutCancel(ctx)); err != nil {
		return ending.Outbox(err)
	}
	stopped, err := t.Stopped(context.WithoutCancel(ctx), box)
	if err != nil {
		return ending.Outbox(err)
	}
	progress.Stopped(g.out, stopped)
	return concludeRun(ctx, g, t.Sum())
}

// lock makes this process the one that submits, and says what the last one
// left.
func (g *application) lock(ctx context.Context, box *outbox.Outbox) (*outbox.Sender, error) {
	sender, left, err := box.Lock(ctx)
	if err != nil {
		return nil, ending.Outbox(err)
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
