package main

import (
	"context"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/outbox"
)

// actOnMailbox holds or releases a mailbox, not its messages.
func actOnMailbox(ctx context.Context, g *application, box *outbox.Outbox, mailbox string, action outbox.Action) error {
	word := "released"
	err := error(nil)
	if action == outbox.Hold {
		word, err = "held", box.Mailboxes().Hold(ctx, mailbox, "held by an operator")
	} else {
		err = box.Mailboxes().Release(ctx, mailbox)
	}
	if err != nil {
		return exit.Outbox(err)
	}
	if g.json {
		g.JSON(map[string]any{"action": action, "mailbox": mailbox, "exit_code": exit.OK})
		return nil
	}
	g.Printf("mailbox %s %s\n", mailbox, word)
	return nil
}
