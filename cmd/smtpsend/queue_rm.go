package main

import (
	"context"
	"fmt"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/stdio"
	"github.com/smtpsend/smtpsend/internal/view"
)

// toRemove is the filter with which "queue rm" goes on. Messages that wait are in
// it with --yes alone, or when a person at the terminal says so: no one else has
// them, and nothing is left that could be released or looked at.
func toRemove(ctx context.Context, g *application, box *outbox.Outbox, f operator.Filter, yes bool) (operator.Filter, error) {
	if yes {
		return f, nil
	}
	if _, err := operator.CountNamed(ctx, box, f); err != nil { // such as a filter without bounds
		return f, err
	}
	waiting, err := operator.CountNamed(ctx, box, f.Within(outbox.Ready, outbox.Held))
	if err != nil {
		return f, err
	}
	if waiting == 0 {
		// Nor those that come to wait meanwhile.
		return f.Within(outbox.Sent, outbox.Dead, outbox.Cancelled), nil
	}
	what := fmt.Sprintf("%d %s and would never be sent", waiting, view.Plural(waiting, "message waits", "messages wait"))
	if !stdio.IsTerminal(g.stdin) || g.json {
		return f, exit.Usagef("%s; nothing was removed: use --yes to remove, or queue cancel to keep the history", what)
	}
	agreed, err := g.out.Agreed(g.stdin, what+". Remove? [y/N] ")
	if err == nil && !agreed {
		err = exit.Usagef("nothing was removed")
	}
	return f, err
}
