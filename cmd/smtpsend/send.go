package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/account"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/draft"
	"github.com/smtpsend/smtpsend/internal/exchange"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/submission"
	"github.com/smtpsend/smtpsend/internal/view"
)

// sendFlags are what "send" is told.
type sendFlags struct {
	draft.Options
	dryRun, noPipelining bool
	allOrNone            bool
	attempts             int
	queue                bool
	key                  string
}

func newSend(g *globals) *cobra.Command {
	var s sendFlags
	cmd := &cobra.Command{
		Use:     "send [flags] [RECIPIENT...]",
		GroupID: groupSubmit,
		Short:   "Compose a message and submit it",
		Long: `Compose a message and submit it, to the recipients of --to, --cc and --bcc and to
those given as arguments. Without a body among the flags the text is read from
standard input. Ends with a receipt: what became of the message for each
recipient, in the server's words.

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
func runSend(ctx context.Context, g *globals, s *sendFlags) error {
	if s.attempts < 0 {
		return exit.Usagef("--attempts %d is negative", s.attempts)
	}
	if err := s.Check(); err != nil {
		return err
	}
	budget := draft.NewBudget(g.timeout, "--timeout")
	composer, err := draft.New(s.Options, draft.Environment{
		Stdin: g.stdin, Budget: budget, Warn: g.Warningf, Reading: func(what string) { g.Reading(what, g.stdin) },
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
func (s *sendFlags) compose(ctx context.Context, g *globals, composer *draft.Composer, cfg *config.Config) (*draft.Made, error) {
	mail, err := composer.Compose(ctx, cfg)
	if errors.Is(err, draft.ErrEmpty) {
		g.Printf("not submitted: %v (--skip-empty)\n", err)
		return nil, nil
	}
	if refused, ok := errors.AsType[*draft.RefusedError](err); ok {
		return nil, s.asFlags(refused.Err, composer)
	}
	if err != nil {
		return nil, err
	}
	if mail.Composed != nil {
		view.Doubts(g.Printer, mail.Composed)
	} else {
		view.SizeDoubt(g.Printer, mail.Size)
	}
	if err := mail.Keep(ctx); err != nil {
		return nil, errors.Join(err, mail.Close())
	}
	return mail, nil
}

// submit submits the message, or puts it into the outbox.
func (s *sendFlags) submit(ctx context.Context, g *globals, cfg *config.Config, mail *draft.Made, at time.Time, budget *draft.Budget) (err error) {
	if s.allOrNone {
		if cfg, err = s.wholly(cfg, len(mail.Envelope.ForwardPaths)); err != nil {
			return err
		}
	}
	if s.queue || cfg.Queue == config.QueueAlways {
		return g.queued(ctx, cfg, mail.Mail, outbox.Message{Source: "send", Key: s.key, ReadyAt: at})
	}
	if s.key != "" || !at.IsZero() {
		return exit.Usagef("a time (--at) and a --key are for the outbox: add --queue")
	}
	o, err := g.account(cfg).Session(mail.Envelope.ReversePath)
	if err != nil {
		return err
	}
	if s.Mailbox != "" {
		o.Mailbox = mail.Envelope.ReversePath
	}
	o.NoPipelining, o.AllOrNone = s.noPipelining, s.allOrNone
	receipt := submission.Submit(ctx, o, mail.Mail, submission.Policy{
		Deadline: time.Now().Add(budget.Left()), Attempts: s.attempts, Waiting: g.waiting,
	})
	return g.conclusion(ctx, cfg, mail.Mail, mail.From, receipt)
}

// wholly refuses --all-or-none where it could not be kept, and gives settings
// with which it is: the outbox serves each recipient as it can, and what one
// transaction was accepted for cannot be taken back when the next is refused.
func (s *sendFlags) wholly(cfg *config.Config, recipients int) (*config.Config, error) {
	if s.queue || cfg.Queue == config.QueueAlways {
		return nil, exit.Usagef("--all-or-none cannot be kept by the outbox, which serves each recipient as it can")
	}
	if recipients > exchange.RecipientsPerMessage {
		return nil, exit.Usagef("--all-or-none cannot be kept for %d recipients: more than %d need several transactions", recipients, exchange.RecipientsPerMessage)
	}
	direct := *cfg
	direct.Queue = config.QueueNever
	return &direct, nil
}

// waiting says why nothing happens.
func (g *globals) waiting(wait time.Duration, because diagnosis.Finding) {
	if g.Verbose || g.Watched() {
		g.Line("waiting", "%v: %s", wait.Round(100*time.Millisecond), because.Title)
	}
}

// conclusion shows the receipt and ends the verb with its exit code. What has to
// be tried again goes into the outbox first, where the settings say so: then
// nothing is lost, and the verb ends well.
func (g *globals) conclusion(ctx context.Context, cfg *config.Config, m *mailobject.Mail, from string, r *submission.Receipt) error {
	known, claims := account.Known(cfg, r.Mailbox, from, r.Token)
	shown := view.NewReceipt(r, known, claims)
	g.fallBack(ctx, cfg, m, r, "send", &shown)
	if g.json {
		g.JSON(shown)
	} else {
		shown.Print(g.Printer)
	}
	if shown.ExitCode == exit.OK {
		return nil
	}
	return &exit.Error{Code: shown.ExitCode, Err: errors.New(shown.Summary), Shown: true}
}

// notSubmitted says what would have been submitted, and why it was not.
func notSubmitted(g *globals, m *mailobject.Mail, dryRun bool) error {
	why := "SMTPSEND_NO_MAILS=1"
	if dryRun {
		why = "--dry-run"
	}
	if g.json {
		g.JSON(map[string]any{
			"submitted": false, "reason": why, "message_id": m.MessageID, "mailbox": m.Envelope.ReversePath,
			"recipients": m.Envelope.ForwardPaths, "size": m.Content.Size(), "exit_code": exit.OK,
		})
		return nil
	}
	g.Printf("not submitted: %s\n", why)
	for _, path := range m.Envelope.ForwardPaths {
		g.Printf("recipient:  %s\n", path)
	}
	g.Printf("mailbox:    %s\nmessage-id: %s\nsize:       %d octets\n", m.Envelope.ReversePath, m.MessageID, m.Content.Size())
	return nil
}
