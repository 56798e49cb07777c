package entra

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"net/http"
	"strconv"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/backoff"
)

const (
	// maxAttempts with firstPause waits 4 to 8 s in all: enough for a failover
	// behind the endpoint, short enough for someone who waits at a prompt. What
	// takes longer is for the queue to try again.
	maxAttempts = 5
	firstPause  = 500 * time.Millisecond

	// maxPause is the longest Retry-After that is waited for when the context
	// has no deadline. Entra asks for 60 s.
	maxPause = 5 * time.Minute
)

// pause tells whether to ask again after e and how long to wait before.
func pause(ctx context.Context, e *Error) (wait time.Duration, again bool) {
	if ctx.Err() != nil || !e.Transient() || e.Attempts >= maxAttempts {
		return 0, false
	}
	if e.told {
		// Never earlier than asked, and not all clients at the same instant.
		wait = e.RetryAfter + rand.N(min(e.RetryAfter/10, 2*time.Second)+1)
	} else {
		wait = backoff.Spread(backoff.Doubling(firstPause, maxPause, e.Attempts))
	}
	if e.RetryAfter > maxPause {
		return wait, false
	}
	if deadline, ok := ctx.Deadline(); ok && time.Until(deadline) <= wait {
		return wait, false
	}
	return wait, true
}

// retryAfter reads Retry-After, which is seconds or a date (RFC 9110 10.2.3).
// A date in the past is 0; what is left until a date is rounded up, since dates
// are cut to seconds.
func retryAfter(h http.Header) (d time.Duration, told bool) {
	value := strings.TrimSpace(h.Get("Retry-After"))
	if seconds, err := strconv.ParseUint(value, 10, 31); err == nil || errors.Is(err, strconv.ErrRange) {
		return time.Duration(seconds) * time.Second, true // out of range, it is the largest
	}
	if at, err := http.ParseTime(value); err == nil {
		left := min(time.Until(at), math.MaxInt32*time.Second) + time.Second - 1
		return max(0, left.Truncate(time.Second)), true
	}
	return 0, false
}
