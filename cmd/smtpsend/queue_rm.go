package main

import (
	"context"
	"errors"
	"fmt"
	"slices"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/outbox/queueid"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
	"github.com/smtpsend/smtpsend/internal/stdio"
	"github.com/smtpsend/smtpsend/internal/view"
)

// waitingStates are those of messages that are submitted sooner or later.
var waitingStates = []outbox.State{outbox.Ready, outbox.Held}

// toRemove is the filter with which "queue rm" goes on. Messages that wait are in
// it with --yes alone, or when a person at the terminal says so: no one else has
// them, and nothing is left that could be released or looked at.
func toRemove(ctx context.Context, g *application, box *outbox.Outbox, f operator.Filter, yes bool) (operator.Filter, error) {
	if yes {
		return f, nil
	}
	if _, err := countOf(ctx, box, f); err != nil { // such as a filter without bounds
		return f, err
	}
	waiting, err := countOf(ctx, box, within(f, waitingStates))
	if err != nil {
		return f, err
	}
	if waiting == 0 {
		// Nor those that come to wait meanwhile.
		return within(f, []outbox.State{outbox.Sent, outbox.Dead, outbox.Cancelled}), nil
	}
	what := fmt.Sprintf("%d %s and would never be sent", waiting, view.Plural(waiting, "message waits", "messages wait"))
	if !stdio.IsTerminal(g.stdin) || g.json {
		return f, exit.Usagef("%s; nothing was removed: use --yes to remove, or queue cancel to keep the history", what)
	}
	agreed, err := g.Agreed(g.stdin, what+". Remove? [y/N] ")
	if err == nil && !agreed {
		err = exit.Usagef("nothing was removed")
	}
	return f, err
}

// within narrows a filter to states.
func within(f operator.Filter, states []outbox.State) operator.Filter {
	if len(f.States) > 0 {
		states = slices.DeleteFunc(slices.Clone(states), func(s outbox.State) bool { return !slices.Contains(f.States, s) })
	}
	if len(states) == 0 {
		states = []outbox.State{""} // which no message has
	}
	f.States = states
	return f
}

// countOf is how many messages a filter names. Of ids that are not known it says
// nothing: act does.
func countOf(ctx context.Context, box *outbox.Outbox, f operator.Filter) (n int, err error) {
	if len(f.QIDs) == 0 {
		return operator.Count(ctx, box, f)
	}
	for _, qid := range f.QIDs {
		one := f
		one.QIDs = []queueid.ID{qid}
		some, err := operator.Count(ctx, box, one)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return 0, err
		}
		n += some
	}
	return n, nil
}
