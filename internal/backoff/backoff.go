// Package backoff is how we wait: for a time that a context can end, and for
// pauses that grow from one attempt to the next. Its functions keep no state and
// are safe for concurrent use.
package backoff

import (
	"context"
	"math/rand/v2"
	"time"
)

// Sleep waits until d is over, and then returns nil, or until ctx ends, and then
// returns the cause. It returns the cause at once when ctx has ended before, and
// nil when d is not positive.
func Sleep(ctx context.Context, d time.Duration) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	if d <= 0 {
		return nil
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return context.Cause(ctx)
	case <-timer.C:
		return nil
	}
}

// Doubling is the pause after attempt n, counted from 1: first after the first,
// twice as long after each further one, at most longest. An n below 1 counts as 1.
func Doubling(first, longest time.Duration, n int) time.Duration {
	for d := first; ; d *= 2 {
		if d >= longest {
			return longest
		}
		if n--; n <= 0 {
			return d
		}
	}
}

// Spread is a random time from half of d to d, so that many who began to wait
// together do not come back together.
func Spread(d time.Duration) time.Duration {
	return d/2 + rand.N(d-d/2+1)
}
