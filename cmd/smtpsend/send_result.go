package main

import (
	"context"
	"errors"
	"time"

	"github.com/smtpsend/smtpsend/internal/account"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/setting/choice"
	"github.com/smtpsend/smtpsend/internal/submission"
	"github.com/smtpsend/smtpsend/internal/view"
)

// wholly refuses --all-or-none where it could not be kept, and gives settings
// with which it is: the outbox serves each recipient as it can, and what one
// transaction was accepted for cannot be taken back when the next is refused.
func (s *sendFlags) wholly(cfg *config.Config, recipients int) (*config.Config, error) {
	if s.queue || cfg.Queue == choice.QueueAlways {
		return nil, exit.Usagef("--all-or-none does not work with the outbox, which sends to each recipient when it can")
	}
	if most := cfg.Service.RecipientsPerMessage(); recipients > most {
		return nil, exit.Usagef("--all-or-none does not work for %d recipients: more than %d need several transactions", recipients, most)
	}
	direct := *cfg
	direct.Queue = choice.QueueNever
	return &direct, nil
}

// waiting says why nothing happens.
func (g *application) waiting(wait time.Duration, because diagnosis.Finding) {
	if g.out.Verbose || g.out.Watched() {
		g.out.Line("waiting", "%v: %s", wait.Round(100*time.Millisecond), because.Title)
	}
}

// conclusion shows the receipt and ends the verb with its exit code. What has to
// be tried again goes into the outbox first, where the settings say so: then
// nothing is lost, and the verb ends well.
func conclusion(ctx context.Context, g *application, cfg *config.Config, m *mailobject.Mail, from string, r *submission.Receipt) error {
	var known diagnosis.Facts
	var claims *diagnosis.Claims
	if e, _ := r.Failure(); e != nil { // nothing else is explained
		known, claims = account.Known(cfg, r.Mailbox, from, r.Token)
	}
	shown := view.NewReceipt(r, known, claims)
	g.fallBack(ctx, cfg, m, r, "send", &shown)
	g.show(shown)
	return exit.Told(shown.ExitCode, errors.New(shown.Summary))
}

// notSubmitted says what would have been submitted, and why it was not.
func notSubmitted(g *application, m *mailobject.Mail, dryRun bool) error {
	why := "SMTPSEND_NO_MAILS=1"
	if dryRun {
		why = "--dry-run"
	}
	g.show(view.NewNotSubmitted(m, why))
	return nil
}
