package main

import (
	"context"
	"errors"
	"os"
	"strconv"
	"time"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/exit/ending"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/view/mailq"
)

// outboxSettings are those that say where the outbox is, and whether it was ever
// used.
func (m *mailer) outboxSettings(ctx context.Context) (cfg *config.Config, used bool, err error) {
	o := m.app.options()
	o.Offline, o.NoSecrets, o.Stdin = true, true, nil
	if cfg, err = config.Load(ctx, o); err != nil {
		return nil, false, err
	}
	return cfg, cfg.StateDir != "" && outbox.Exists(cfg.StateDir), nil
}

// listQueue is -bp: what waits in the outbox, as Postfix's mailq has it.
func (m *mailer) listQueue(ctx context.Context) error {
	cfg, used, err := m.outboxSettings(ctx)
	if err != nil {
		return err
	}
	if !used {
		mailq.List{}.Print(m.app.out)
		return nil
	}
	return m.app.readOutbox(ctx, cfg, func(box *outbox.Outbox) error {
		waiting, err := operator.History(ctx, box, operator.Filter{States: []outbox.State{outbox.Ready, outbox.Sending, outbox.Held}, Oldest: true})
		if err == nil {
			mailq.New(waiting, time.Now()).Print(m.app.out)
		}
		return ending.Outbox(err)
	})
}

// flush is -q: submit what is due now, as queue run does.
func (m *mailer) flush(ctx context.Context) error {
	if _, used, err := m.outboxSettings(ctx); err != nil || !used {
		return err
	}
	if m.calledByAnother() {
		return exit.With(exit.NotAuthorised, errors.New("sendmail: -q: the outbox belongs to another user. A user who starts a run could also end it in the middle, "+
			"and then mail would be sent twice. smtpsend queue run (the unit smtpsend-queue.timer) submits what waits"))
	}
	return runQueueRun(ctx, m.app.toStderr(), false)
}

// calledByAnother reports that sudo runs this for a user who is neither root nor
// the one that it runs as. sudo itself sets SUDO_UID.
func (m *mailer) calledByAnother() bool {
	by := m.variable("SUDO_UID")
	return by != "" && by != "0" && by != strconv.Itoa(os.Geteuid())
}
