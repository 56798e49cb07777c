package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/draft"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/outbox/spool"
	"github.com/smtpsend/smtpsend/internal/setting/choice"
	"github.com/smtpsend/smtpsend/internal/submission"
	"github.com/smtpsend/smtpsend/internal/view"
)

func newSend(g *application) *cobra.Command {
	var s sendFlags
	cmd := &cobra.Command{
		Use:     "send [flags] [RECIPIENT...]",
		GroupID: groupSubmit,
		Short:   "Compose a message and submit it",
		Long: `Compose a message and submit it to the recipients of --to, --cc and --bcc and to
those given as arguments. When no flag gives a body, the text is read from standard
input. At the end send prints a receipt: the outcome for each recipient, with the
server's reply.

` + exit.Help,
		Example: `  smtpsend send --to a@contoso.com --subject "Nightly report" --attach report.pdf < report.txt
  echo "disk full" | smtpsend send -s "db1: disk full" ops@contoso.com`,
		RunE: func(cmd *cobra.Command, args []string) error {
			s.To = append(s.To, args...)
			s.Given, s.Name = cmd.Flags().Changed, flagName
			return runSend(cmd.Context(), g, &s)
		},
	}
	s.define(cmd.Flags())
	return cmd
}

// flagName is the flag of a field of a draft.
func flagName(field string) string { return "--" + field }

// runSend is the whole way of a message: settings, mail object, submission,
// receipt.
func runSend(ctx context.Context, g *application, s *sendFlags) error {
	if s.attempts < 0 {
		return exit.Usagef("--attempts %d is negative", s.attempts)
	}
	if err := s.Check(); err != nil {
		return err
	}
	budget := draft.NewBudget(g.timeout, "--timeout")
	composer, err := draft.New(s.Options, draft.Environment{
		Stdin: g.stdin, Budget: budget, Warn: g.out.Warningf, Reading: func(what string) { g.out.Reading(what, g.stdin) },
	})
	if err != nil {
		return err
	}
	defer composer.Close()
	for _, what := range s.FromStdin() {
		g.stdinFor = what
	}
	cfg, err := g.settings(ctx, s.dryRun || s.queue)
	if err != nil {
		return err
	}
	return s.send(ctx, g, cfg, composer, budget)
}

// send is runSend when the settings are read.
func (s *sendFlags) send(ctx context.Context, g *application, cfg *config.Config, composer *draft.Composer, budget *draft.Budget) error {
	mail, err := s.compose(ctx, g, composer, cfg)
	if err != nil || mail == nil {
		return err
	}
	defer mail.Close()
	if s.dryRun || cfg.NoMails {
		return notSubmitted(g, mail.Mail, s.dryRun)
	}
	return s.submit(ctx, g, cfg, mail, composer.ReadyAt(), budget)
}

// compose makes the mail object, and writes it where flags say. It is nil when
// --skip-empty found nothing to submit.
func (s *sendFlags) compose(ctx context.Context, g *application, composer *draft.Composer, cfg *config.Config) (*draft.Made, error) {
	mail, err := composer.Compose(ctx, cfg)
	if errors.Is(err, draft.ErrEmpty) {
		g.out.Printf("not submitted: %v (--skip-empty)\n", err)
		return nil, nil
	}
	if refused, ok := errors.AsType[*draft.RefusedError](err); ok {
		return nil, s.asFlags(refused.Err, composer)
	}
	if err != nil {
		return nil, err
	}
	if mail.Composed != nil {
		view.Doubts(g.out, mail.Composed)
	} else {
		view.SizeDoubt(g.out, mail.Size)
	}
	if err := mail.Keep(ctx); err != nil {
		return nil, errors.Join(err, mail.Close())
	}
	return mail, nil
}

// submit submits the message, or puts it into the outbox.
func (s *sendFlags) submit(ctx context.Context, g *application, cfg *config.Config, mail *draft.Made, at time.Time, budget *draft.Budget) (err error) {
	if s.allOrNone {
		if cfg, err = s.wholly(cfg, len(mail.Envelope.ForwardPaths)); err != nil {
			return err
		}
	}
	if s.queue || cfg.Queue == choice.QueueAlways {
		return queued(ctx, g, cfg, mail.Mail, spool.Message{Source: "send", Key: s.key, ReadyAt: at})
	}
	if s.key != "" || !at.IsZero() {
		return exit.Usagef("--at and --key work only with the outbox: add --queue")
	}
	o, err := g.account(cfg).Session(mail.Envelope.ReversePath)
	if err != nil {
		return err
	}
	if s.Mailbox != "" {
		o.Mailbox = mail.Envelope.ReversePath
	}
	o.NoPipelining, o.NoChunking, o.AllOrNone = s.noPipelining, s.noChunking, s.allOrNone
	receipt := submission.Submit(ctx, o, mail.Mail, submission.Policy{
		Deadline: time.Now().Add(budget.Left()), Attempts: s.attempts, Waiting: g.waiting,
	})
	return conclusion(ctx, g, cfg, mail.Mail, mail.From, receipt)
}
