package main

import (
	"context"
	"encoding/json"
	"errors"
	"sync"
	"time"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/courier"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/mailbox"
	"github.com/smtpsend/smtpsend/internal/outbox/queueid"
	"github.com/smtpsend/smtpsend/internal/outbox/spool"
	"github.com/smtpsend/smtpsend/internal/submission"
)

// openOutbox opens the outbox of the settings.
func (g *globals) openOutbox(ctx context.Context, cfg *config.Config) (*outbox.Outbox, error) {
	return g.openOutboxBy(ctx, cfg, outbox.Open)
}

// readOutbox opens the outbox of the settings for who only looks, and closes it
// again: also where the disk cannot be written.
func (g *globals) readOutbox(ctx context.Context, cfg *config.Config, do func(*outbox.Outbox) error) error {
	box, err := g.openOutboxBy(ctx, cfg, outbox.OpenToRead)
	if err != nil {
		return err
	}
	err = do(box)
	if e := box.Close(); err == nil {
		err = exit.Outbox(e)
	}
	return err
}

func (g *globals) openOutboxBy(ctx context.Context, cfg *config.Config, open func(context.Context, string, outbox.Options) (*outbox.Outbox, error)) (*outbox.Outbox, error) {
	if cfg.StateDir == "" {
		return nil, exit.With(exit.Config, errors.New("no directory for the outbox: set "+config.Prefix+"STATE_DIR"))
	}
	if err := g.becomeOwnerOf(cfg.StateDir); err != nil {
		return nil, exit.With(exit.Config, err)
	}
	o := outbox.Options{
		Limits: mailbox.Limits{PerMinute: cfg.MessagesPerMinute, RecipientsPerDay: cfg.RecipientsPerDay},
		Minute: time.Minute / time.Duration(cfg.TimeScale), Day: 24 * time.Hour / time.Duration(cfg.TimeScale),
		Warn: func(text string) { g.Warningf("%s", text) },
	}
	if cfg.InDoubt == config.InDoubtHold {
		o.InDoubt = outbox.DoubtHold
	}
	box, err := open(ctx, cfg.StateDir, o)
	if err != nil {
		return nil, exit.Outbox(err)
	}
	return box, nil
}

// enqueue takes a message into the outbox for the recipients of its envelope, as
// the rest says: mailbox, source, key, time. known says that its key was there.
func (g *globals) enqueue(ctx context.Context, cfg *config.Config, m *message.Mail, as spool.Message) (qid queueid.ID, known bool, err error) {
	box, err := g.openOutbox(ctx, cfg)
	if err != nil {
		return "", false, err
	}
	defer box.Close()
	as.Envelope, as.MessageID, as.Size = m.Envelope, m.MessageID, m.Content.Size()
	qid, known, err = box.AcceptContent(ctx, as, m.Content)
	return qid, known, exit.Outbox(err)
}

// courierOptions are what the courier of these settings needs.
func (g *globals) courierOptions(cfg *config.Config) (courier.Options, error) {
	// One for all mailboxes, so that their sessions share a token also when it
	// cannot be stored.
	shared := sync.OnceValues(func() (submission.Options, error) { return g.connection(cfg, "") })
	o := courier.Options{
		Connection: func(mailbox string) (submission.Options, error) {
			connection, err := shared()
			if connection.Mailbox == "" {
				connection.Mailbox = mailbox
			}
			return connection, err
		},
		Claims: func(token submission.Token) *diagnosis.Claims {
			_, claims := facts(cfg, "", "", token)
			return claims
		},
		Facts: func(mailbox string) diagnosis.Facts {
			known, _ := facts(cfg, mailbox, "", submission.Token{})
			return known
		},
		Logger:  g.Logger(),
		Trouble: func(err error) { g.Warningf("tried again: %v", err) },
	}
	if g.timeoutGiven {
		o.Timeout = g.timeout
	}
	return o, g.noticeRoads(cfg, &o)
}

// noticeRoads says how the operator is told.
func (g *globals) noticeRoads(cfg *config.Config, o *courier.Options) (err error) {
	if !cfg.NotifyCommand.IsZero() {
		o.Notify = func(ctx context.Context, i courier.Incident) error {
			text, err := json.MarshalIndent(i, "", "  ")
			if err != nil {
				return err
			}
			return cfg.Notify(ctx, append(text, '\n'))
		}
		o.Unnotified = func(err error) { g.Warningf("nobody was told; tried again later: %v", err) }
	}
	if cfg.Operator == "" || cfg.MailSender == "" {
		return nil
	}
	if o.Operator, err = message.ParseAddress(config.Prefix+"OPERATOR", cfg.Operator); err != nil {
		return exit.With(exit.Config, err)
	}
	if o.From, err = message.ParseAddress(config.Prefix+"MAIL_SENDER", cfg.MailSender); err != nil {
		return exit.With(exit.Config, err)
	}
	o.OneUser = cfg.PlainUser() != ""
	if cfg.SMTPUserName != "" && !o.OneUser {
		if o.Mailbox, err = message.ParseAddress(config.Prefix+"SMTP_USER_NAME", cfg.SMTPUserName); err != nil {
			return exit.With(exit.Config, err)
		}
	}
	return nil
}
