package main

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/smtpsend/smtpsend/internal/outbox"
)

// waitingStates are those of messages that are submitted sooner or later.
var waitingStates = []outbox.State{outbox.Ready, outbox.Held}

// toRemove is the filter with which "queue rm" goes on. Messages that wait are in
// it with --yes alone, or when somebody at the terminal says so: no one else has
// them, and nothing is left that could be released or looked at.
func (g *globals) toRemove(ctx context.Context, box *outbox.Outbox, f outbox.Filter, yes bool) (outbox.Filter, error) {
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
	what := fmt.Sprintf("%d %s and would never be sent", waiting, plural(waiting, "message waits", "messages wait"))
	if !isTerminal(g.stdin) || g.json {
		return f, usagef("%s; nothing was removed: --yes removes, and queue cancel keeps the history", what)
	}
	agreed, err := g.agreed(what + ". Remove? [y/N] ")
	if err == nil && !agreed {
		err = usagef("nothing was removed")
	}
	return f, err
}

// agreed asks a question at the terminal. Everything but yes is no.
func (g *globals) agreed(question string) (bool, error) {
	talk := g.conversation()
	if _, err := io.WriteString(talk, "smtpsend: "+question); err != nil {
		return false, err
	}
	answer, err := bufio.NewReader(io.LimitReader(talk, 100)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return true, nil
	}
	return false, nil
}

// within narrows a filter to states.
func within(f outbox.Filter, states []outbox.State) outbox.Filter {
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
func countOf(ctx context.Context, box *outbox.Outbox, f outbox.Filter) (n int, err error) {
	if len(f.QIDs) == 0 {
		return box.Count(ctx, f)
	}
	for _, qid := range f.QIDs {
		one := f
		one.QIDs = []outbox.QID{qid}
		some, err := box.Count(ctx, one)
		if err != nil && !errors.Is(err, outbox.ErrNotFound) {
			return 0, err
		}
		n += some
	}
	return n, nil
}
