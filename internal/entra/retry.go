package entra

import (
	"context"
	"errors"
	"math"
	"math/rand/v2"
	"net/http"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/backoff"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

const (
	// maxAttempts with firstPause waits 4 to 8 s in all: enough for a failover
	// behind the endpoint, short enough for someone who waits at a prompt. What
	// takes longer is for the queue to try again.
	maxAttempts = 5
	firstPause  = 500 * time.Millisecond

	// maxSilent is maxAttempts where the endpoint of a managed identity does not answer: it
	// is on this host or its link. Most often the host is not in Azure, and then five
	// requests would take half a minute.
	maxSilent = 2

	// maxPause is the longest Retry-After that is waited for when the context
	// has no deadline. Entra asks for 60 s.
	maxPause = 5 * time.Minute
)

// pause tells whether to ask again after e and how long to wait before.
func pause(ctx context.Context, e *Error) (wait time.Duration, again bool) {
	if ctx.Err() != nil || !e.Transient() || e.Attempts >= e.mostAttempts() {
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

// mostAttempts is how often the endpoint is asked. A connection that is refused costs no
// time: the agent is perhaps being started.
func (e *Error) mostAttempts() int {
	isSilent := e.identity && e.Err != nil && diagnosis.FaultOf(e.Err) != smtp.FaultConnectionRefused
	if isSilent {
		return maxSilent
	}
	return maxAttempts
}

// Refusal reports that the endpoint refused for good: asking again with the
// same credential is pointless.
func (e *Error) Refusal() bool { return e.Code != "" && !e.Transient() }

// Throttled reports that the client asked too often.
func (e *Error) Throttled() bool {
	return e.HTTPStatus == http.StatusTooManyRequests ||
		slices.ContainsFunc(e.AADSTS, func(n int) bool { return n == 90055 || n == 50196 })
}

// Transient reports that a later request may succeed: no answer, 408, 429,
// 5xx, an answer of someone in between (a page, nothing), or one that says so
// by itself. A certificate that cannot be verified, a TLS version without an
// overlap and a proxy that wants another sign-in stay that way, and so does what an endpoint answers in JSON of its own.
func (e *Error) Transient() bool {
	switch {
	case e.unusable != nil:
		return false
	case e.Err != nil:
		switch diagnosis.FaultOf(e.Err) {
		case smtp.FaultTLSUntrusted, smtp.FaultTLSHostname, smtp.FaultTLSExpired, smtp.FaultTLSVersion, smtp.FaultProxySignIn:
			return false
		}
		return true
	case e.Throttled(), e.HTTPStatus == http.StatusRequestTimeout, e.HTTPStatus >= 500, e.Code == "" && !e.json:
		return true
	case e.identity && (e.HTTPStatus == http.StatusNotFound || e.HTTPStatus == http.StatusGone):
		return true
	case e.Code == "temporarily_unavailable", e.Code == "server_error":
		return true
	}
	return slices.ContainsFunc(e.AADSTS, transientNumber)
}

// transientNumber tells the numbers of a directory that does not answer just
// now; some come with "invalid_request" and HTTP 400 (Microsoft's "error codes
// reference").
func transientNumber(n int) bool {
	switch n {
	case 50033, 90006, 90012, 90024, 90033, 90090:
		return true
	}
	return false
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
