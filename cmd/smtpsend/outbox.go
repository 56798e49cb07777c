package main

import (
	"context"
	"errors"
	"time"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/courier"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/exit/ending"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/mailbox"
	"github.com/smtpsend/smtpsend/internal/outbox/queueid"
	"github.com/smtpsend/smtpsend/internal/outbox/spool"
	"github.com/smtpsend/smtpsend/internal/owner"
	"github.com/smtpsend/smtpsend/internal/setting/choice"
)

// openOutbox opens the outbox of the settings.
func (g *application) openOutbox(ctx context.Context, cfg *config.Config) (*outbox.Outbox, error) {
	return openOutboxBy(ctx, g, cfg, outbox.Open)
}

// readOutbox opens the outbox of the settings for who only looks, and closes it
// again: also where the disk cannot be written.
func (g *application) readOutbox(ctx context.Context, cfg *config.Config, do func(*outbox.Outbox) error) error {
	box, err := openOutboxBy(ctx, g, cfg, outbox.OpenToRead)
	if err != nil {
		return err
	}
	err = do(box)
	if e := box.Close(); err == nil {
		err = ending.Outbox(e)
	}
	return err
}

func openOutboxBy(ctx context.Context, g *application, cfg *config.Config, open func(context.Context, string, outbox.Options) (*outbox.Outbox, error)) (*outbox.Outbox, error) {
	if cfg.StateDir == "" {
		return nil, exit.With(exit.Config, errors.New("no directory for the outbox: set "+config.Prefix+"STATE_DIR"))
	}
	if err := becomeOwnerOf(g, cfg.StateDir); err != nil {
		return nil, exit.With(exit.Config, err)
	}
	o := outbox.Options{
		Limits: mailbox.Limits{PerMinute: cfg.MessagesPerMinute, RecipientsPerDay: cfg.RecipientsPerDay, Uncounted: cfg.Service == choice.ServiceHVE},
		Minute: time.Minute / time.Duration(cfg.TimeScale), Day: 24 * time.Hour / time.Duration(cfg.TimeScale),
		Warn: func(text string) { g.out.Warningf("%s", text) },
	}
	if cfg.InDoubt == choice.InDoubtHold {
		o.InDoubt = outbox.DoubtHold
	}
	box, err := open(ctx, cfg.StateDir, o)
	if err != nil {
		return nil, ending.Outbox(err)
	}
	return box, nil
}

// becomeOwnerOf makes root's process one of the user that dir belongs to, and says so.
func becomeOwnerOf(g *application, dir string) error {
	who, err := owner.Become(dir)
	if err == nil && who.Name != "" {
		*g.became = who
		g.out.Verbosef("continuing as %s, the owner of %s", who.Name, dir)
	}
	return err
}

// enqueue takes a message into the outbox for the recipients of its envelope, as
// the rest says: mailbox, source, key, time. known says that its key was there.
func (g *application) enqueue(ctx context.Context, cfg *config.Config, m *mailobject.Mail, as spool.Message) (qid queueid.ID, known bool, err error) {
	box, err := g.openOutbox(ctx, cfg)
	if err != nil {
		return "", false, err
	}
	defer box.Close()
	as.Envelope, as.From, as.MessageID, as.Size = m.Envelope, m.From, m.MessageID, m.Content.Size()
	qid, known, err = box.AcceptContent(ctx, as, m.Content)
	return qid, known, ending.Outbox(err)
}

// courierOptions are what the courier of these settings needs.
func (g *application) courierOptions(cfg *config.Config) (courier.Options, error) {
	o, err := courier.FromSettings(g.account(cfg))
	if err != nil {
		return o, exit.With(exit.Config, err)
	}
	o.Logger, o.Now = g.out.Logger(), func() time.Time { return clock(g) }
	o.Trouble = func(err error) { g.out.Warningf("tried again: %v", err) }
	o.Unnotified = func(err error) { g.out.Warningf("the notice could not be sent; it is tried again later: %v", err) }
	if g.timeoutGiven {
		o.Timeout = g.timeout
	}
	return o, nil
}
