package main

import (
	"context"
	"errors"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/submission"
)

// queued puts a message into the outbox instead of submitting it, and says so.
func (g *globals) queued(ctx context.Context, cfg *config.Config, m *message.Mail, source string) error {
	qid, err := g.enqueue(ctx, cfg, m.Envelope.ReversePath, m, source)
	if err != nil {
		return err
	}
	if g.json {
		g.printJSON(map[string]any{
			"queued": true, "queue_id": qid, "message_id": m.MessageID, "mailbox": m.Envelope.ReversePath,
			"recipients": m.Envelope.ForwardPaths, "size": m.Content.Size(), "exit_code": exitOK,
		})
		return nil
	}
	g.printf("queued as %s; smtpsend queue run submits it\n", qid)
	return nil
}

// saved puts what could not be submitted now into the outbox, so that it is not
// lost: the recipients that were deferred or not attempted, never those in
// doubt. It reports whether there were any.
func (g *globals) saved(ctx context.Context, cfg *config.Config, m *message.Mail, r *submission.Receipt, source string) (bool, error) {
	var open []string
	for _, rcpt := range r.Recipients {
		if rcpt.Outcome == submission.Transient || rcpt.Outcome == submission.NotAttempted {
			open = append(open, rcpt.ForwardPath)
		}
	}
	if len(open) == 0 {
		return false, nil
	}
	rest := *m
	rest.Envelope.ForwardPaths = open
	qid, err := g.enqueue(context.WithoutCancel(ctx), cfg, r.Mailbox, &rest, source)
	if err != nil {
		return false, err
	}
	if !g.json {
		g.line("note", "queued as %s for %d %s; smtpsend queue run submits it", qid, len(open), plural(len(open), "recipient", "recipients"))
	}
	return true, nil
}

// errNotSaved is the end of a message that was neither submitted nor queued.
var errNotSaved = errors.New("and it could not be queued")
