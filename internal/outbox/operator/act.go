package operator

import (
	"context"
	"errors"

	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/queueid"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
)

// some is how many messages one transaction handles: others write in between.
const some = 500

// Left is a message to which an action was not done.
type Left struct {
	QID   queueid.ID
	State outbox.State // in which it stays; "" when there is no such message
}

// ActOnEach is Act, but that messages that are named one by one are handled one by
// one: left are those to which the action does not apply. One that was released with
// another of its sender, named before it, is not left.
func ActOnEach(ctx context.Context, box *outbox.Outbox, a outbox.Action, f Filter) (n int, left []Left, err error) {
	if len(f.QIDs) == 0 {
		n, err = Act(ctx, box, a, f)
		return n, nil, err
	}
	held := make(map[queueid.ID]bool)
	if a == outbox.Free {
		if held, err = heldOf(ctx, box, f); err != nil {
			return 0, nil, err
		}
	}
	for _, one := range f.each() {
		done, err := Act(ctx, box, a, one)
		if n += done; done > 0 {
			continue
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return n, left, err
		}
		d, err := Show(ctx, box, one.QIDs[0])
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return n, left, err
		}
		if held[one.QIDs[0]] && d.State == outbox.Ready {
			n++
			continue
		}
		left = append(left, Left{QID: one.QIDs[0], State: d.State})
	}
	return n, left, nil
}

// heldOf are those of the messages that f names which are held.
func heldOf(ctx context.Context, box *outbox.Outbox, f Filter) (map[queueid.ID]bool, error) {
	held := make(map[queueid.ID]bool)
	for _, one := range f.each() {
		d, err := Show(ctx, box, one.QIDs[0])
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return nil, err
		}
		held[one.QIDs[0]] = err == nil && d.State == outbox.Held
	}
	return held, nil
}

// Act does the action to the messages that f names, and returns to how many it
// applied. Large numbers go in several transactions, so that others write in
// between. ErrNoFilter is returned for a filter without bounds, unless it says
// All.
func Act(ctx context.Context, box *outbox.Outbox, a outbox.Action, f Filter) (n int, err error) {
	if !f.bounded() {
		return 0, ErrNoFilter
	}
	limit := f.Limit
	f.Oldest = false
	for {
		f.Limit = some
		if limit > 0 {
			f.Limit = min(some, limit)
		}
		found, last := 0, queueid.ID("")
		done, err := box.Act(ctx, a, func(t *store.Tx) ([]int64, error) {
			messages, ids, err := list(t, box, f)
			if found = len(ids); found > 0 {
				last = messages[found-1].QID
			}
			return ids, err
		})
		if n += done; err != nil {
			return n, err
		}
		if limit -= found; found < f.Limit || limit == 0 {
			return n, nil
		}
		f.Before = last
	}
}
