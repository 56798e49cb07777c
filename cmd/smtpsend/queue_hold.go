package main

import (
	"context"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/exit/ending"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/view"
)

// actOnMailbox holds or releases a mailbox, not its messages.
func actOnMailbox(ctx context.Context, g *application, box *outbox.Outbox, mailbox string, action outbox.Action) error {
	err := error(nil)
	if action == outbox.Hold {
		err = box.Mailboxes().Hold(ctx, mailbox, "held by an operator")
	} else {
		err = box.Mailboxes().Release(ctx, mailbox)
	}
	if err != nil {
		return ending.Outbox(err)
	}
	g.show(view.MailboxActed{Action: action, Mailbox: mailbox, ExitCode: exit.OK})
	return nil
}
