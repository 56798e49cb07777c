package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/exchange"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/mailtemplate"
	"github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/outbox/spool"
	"github.com/smtpsend/smtpsend/internal/submission"
)

// sendFlags are what "send" is told.
type sendFlags struct {
	from, subject, mailbox  string
	to, cc, bcc, replyTo    []string
	toFile, ccFile, bccFile []string
	text, textFile          string
	html, htmlFile          string
	markdownFile            string
	embed, skipEmpty        bool
	attach, inline, header  []string
	priority, inReplyTo     string
	references, unsubscribe []string
	message                 string
	template, data          string
	attachDir               string
	set                     []string
	save, preview           string
	dryRun, noPipelining    bool
	allOrNone               bool
	attempts                int
	queue                   bool
	at, key                 string
	readyAt                 time.Time // of --at, else of the template
	charset                 string
	texts                   *texts // reads files and standard input in it
	attached                attachments
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
			s.to = append(s.to, args...)
			return runSend(cmd.Context(), g, &s, cmd.Flags().Changed)
		},
	}
	s.define(cmd.Flags())
	return cmd
}

// runSend is the whole way of a message: settings, mail object, submission,
// receipt.
func runSend(ctx context.Context, g *globals, s *sendFlags, given func(string) bool) (err error) {
	if s.attempts < 0 {
		return exit.Usagef("--attempts %d is negative", s.attempts)
	}
	if err := s.excluded(given); err != nil {
		return err
	}
	if s.texts, err = newTexts(g, g.stdin, s.charset); err != nil {
		return err
	}
	s.attached.g = g
	defer s.attached.close()
	if s.at != "" {
		if s.readyAt, err = mailtemplate.ParseTime("--at", s.at); err != nil {
			return err
		}
	}
	for _, what := range s.fromStdin(given) {
		g.stdinFor = what
	}
	cfg, err := g.settings(ctx, s.dryRun || s.queue)
	if err != nil {
		return err
	}
	mail, from, err := s.mail(ctx, g, cfg, given)
	if err != nil {
		return err
	}
	if mail == nil {
		return nil // --skip-empty
	}
	defer mail.Close()
	if s.dryRun || cfg.NoMails {
		return notSubmitted(g, mail, s.dryRun)
	}
	if s.allOrNone {
		if cfg, err = s.wholly(cfg, len(mail.Envelope.ForwardPaths)); err != nil {
			return err
		}
	}
	if s.queue || cfg.Queue == config.QueueAlways {
		return g.queued(ctx, cfg, mail, spool.Message{Source: "send", Key: s.key, ReadyAt: s.readyAt})
	}
	if s.key != "" || !s.readyAt.IsZero() {
		return exit.Usagef("a time (--at) and a --key are for the outbox: add --queue")
	}
	o, err := g.connection(cfg, mail.Envelope.ReversePath)
	if err != nil {
		return err
	}
	if s.mailbox != "" {
		o.Mailbox = mail.Envelope.ReversePath
	}
	o.NoPipelining, o.AllOrNone = s.noPipelining, s.allOrNone
	receipt := submission.Submit(ctx, o, mail, submission.Policy{
		Deadline: time.Now().Add(g.left()), Attempts: s.attempts, Waiting: g.waiting,
	})
	return g.conclusion(ctx, cfg, mail, from, receipt)
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
func (g *globals) conclusion(ctx context.Context, cfg *config.Config, m *message.Mail, from string, r *submission.Receipt) error {
	known, claims := facts(cfg, r.Mailbox, from, r.Token)
	shown := newReceiptView(r, known, claims)
	g.fallBack(ctx, cfg, m, r, "send", &shown)
	if g.json {
		g.JSON(shown)
	} else {
		g.printReceipt(shown)
	}
	if shown.ExitCode == exit.OK {
		return nil
	}
	return &exit.Error{Code: shown.ExitCode, Err: errors.New(shown.Summary), Shown: true}
}

// notSubmitted says what would have been submitted, and why it was not.
func notSubmitted(g *globals, m *message.Mail, dryRun bool) error {
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
