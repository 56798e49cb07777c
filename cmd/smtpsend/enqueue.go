package main

import (
	"context"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/outbox/spool"
	"github.com/smtpsend/smtpsend/internal/setting/choice"
	"github.com/smtpsend/smtpsend/internal/submission"
	"github.com/smtpsend/smtpsend/internal/view"
)

// queued puts a message into the outbox instead of submitting it, and says so.
func queued(ctx context.Context, g *application, cfg *config.Config, m *mailobject.Mail, as spool.Message) error {
	as.Mailbox = m.Envelope.ReversePath
	qid, known, err := g.enqueue(ctx, cfg, m, as)
	if err != nil {
		return err
	}
	if known {
		g.show(view.NewQueuedBefore(qid))
	} else {
		g.show(view.NewQueued(qid, m, as.ReadyAt))
	}
	return nil
}

// fallBack puts what could not be submitted now into the outbox, where the settings
// say so: the recipients that were deferred or not attempted, never those in doubt.
// The view then tells of the queue id, and counts them as served; when the outbox
// fails it stays as it was.
func (g *application) fallBack(ctx context.Context, cfg *config.Config, m *mailobject.Mail, r *submission.Receipt, source string, shown *view.Receipt) {
	if cfg.Queue != choice.QueueFallback || !shown.Ending.Passes() {
		return
	}
	rest := *m
	rest.Envelope.ForwardPaths = r.Open()
	qid, _, err := g.enqueue(context.WithoutCancel(ctx), cfg, &rest, spool.Message{Mailbox: r.Mailbox, Source: source})
	if err != nil {
		g.out.Errorf("queueing: %v", err)
		return
	}
	shown.Queued, shown.OutboxID = len(rest.Envelope.ForwardPaths), string(qid)
	shown.Ending.Accepted, shown.Ending.Open = shown.Ending.Accepted+shown.Queued, 0
	shown.ExitCode = shown.Ending.Code()
}
