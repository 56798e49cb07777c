package main

import (
	"context"
	"time"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/submission"
)

// queued puts a message into the outbox instead of submitting it, and says so.
func (g *globals) queued(ctx context.Context, cfg *config.Config, m *message.Mail, as outbox.Message) error {
	as.Mailbox = m.Envelope.ReversePath
	qid, known, err := g.enqueue(ctx, cfg, m, as)
	if err != nil {
		return err
	}
	if g.json && known { // what else was said of it may be otherwise in the outbox
		g.printJSON(map[string]any{"queued": false, "known": true, "queue_id": qid, "exit_code": exitOK})
		return nil
	}
	if g.json {
		g.printJSON(map[string]any{
			"queued": true, "known": false, "ready_at": orNil(as.ReadyAt), "queue_id": qid, "message_id": m.MessageID, "mailbox": m.Envelope.ReversePath,
			"recipients": m.Envelope.ForwardPaths, "size": m.Content.Size(), "exit_code": exitOK,
		})
		return nil
	}
	switch {
	case known:
		g.printf("not queued: the key is known, and its message is %s\n", qid)
	case as.ReadyAt.After(time.Now()):
		g.printf("queued as %s; smtpsend queue run submits it from %s on\n", qid, as.ReadyAt.Local().Format("2006-01-02 15:04:05 -0700"))
	default:
		g.printf("queued as %s; smtpsend queue run submits it\n", qid)
	}
	return nil
}

// fallBack puts what could not be submitted now into the outbox: the recipients
// that were deferred or not attempted, never those in doubt. The view then tells
// of the queue id and of success; when the outbox fails it stays as it was.
func (g *globals) fallBack(ctx context.Context, cfg *config.Config, m *message.Mail, r *submission.Receipt, source string, view *receiptView) {
	rest := *m
	rest.Envelope.ForwardPaths = nil
	for _, rcpt := range r.Recipients {
		if rcpt.Outcome == submission.Transient || rcpt.Outcome == submission.NotAttempted {
			rest.Envelope.ForwardPaths = append(rest.Envelope.ForwardPaths, rcpt.ForwardPath)
		}
	}
	if len(rest.Envelope.ForwardPaths) == 0 {
		return
	}
	qid, _, err := g.enqueue(context.WithoutCancel(ctx), cfg, &rest, outbox.Message{Mailbox: r.Mailbox, Source: source})
	if err != nil {
		g.errorf("queueing: %v", err)
		return
	}
	view.Queued, view.OutboxID, view.ExitCode = len(rest.Envelope.ForwardPaths), string(qid), exitOK
	if r.Count(submission.Permanent) > 0 {
		view.ExitCode = exitPartly
	}
}
