package tokencache

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"time"

	"golang.org/x/oauth2"
)

// refusalMemory is for how long a refusal is not asked for again: long enough
// for processes that start together, short enough for someone who fixes a
// setting and tries again.
const refusalMemory = 10 * time.Second

// Refusal is implemented by an error of a source, or by an error that it wraps, to say
// whether it is a refusal. The method returns true when it is of no use to ask again
// with the same credential. An *oauth2.RetrieveError that has an error code, and a status
// 4xx other than 408 and 429, counts as a refusal too. If the error also has the method
// MarshalJSON, its result is kept for Options.Restore.
type Refusal interface {
	error
	Refusal() bool
}

// RefusedError is a remembered refusal. The source was not asked again.
type RefusedError struct {
	Text string    // of the source's error
	At   time.Time // when the source refused
	Err  error     // what Options.Restore made, nil when it made nothing
}

// Error returns the text of the source's error, and says that it was remembered.
func (e *RefusedError) Error() string {
	return fmt.Sprintf("%s (refused less than %v ago, not asked again)", e.Text, refusalMemory)
}

// Unwrap returns Err.
func (e *RefusedError) Unwrap() error { return e.Err }

// Refusal returns true.
func (e *RefusedError) Refusal() bool { return true }

// remember stores err when it is a refusal, beside the token that is stored:
// the credential is refused, the token may serve callers who need less life.
func (c *Cache) remember(err error) {
	if !isRefusal(err) {
		return
	}
	r := &Record{Refusal: &Refused{Text: err.Error(), At: now(), Detail: detailOf(err)}}
	if old := c.load(); old != nil {
		r.Token, r.Obtained = old.Token, old.Obtained
	}
	c.save(r)
}

// remembered returns the refusal that r holds, nil when it has none that is
// recent enough for q.
func (c *Cache) remembered(r *Record, q query) error {
	if r == nil || r.Refusal == nil {
		return nil
	}
	age := now().Sub(r.Refusal.At)
	tooOldFor := q.force && !q.after(r.Refusal.At)
	if age < 0 || age >= refusalMemory || tooOldFor {
		return nil
	}
	e := &RefusedError{Text: r.Refusal.Text, At: r.Refusal.At}
	if c.o.Restore != nil && r.Refusal.Detail != nil {
		e.Err = c.o.Restore(r.Refusal.Detail)
	}
	return e
}

func isRefusal(err error) bool {
	if errors.Is(err, context.Canceled) || errors.Is(err, context.DeadlineExceeded) {
		return false
	}
	if r, ok := errors.AsType[Refusal](err); ok {
		return r.Refusal()
	}
	if r, ok := errors.AsType[*oauth2.RetrieveError](err); ok && r.Response != nil {
		status := r.Response.StatusCode
		return r.ErrorCode != "" && status >= 400 && status < 500 &&
			status != http.StatusRequestTimeout && status != http.StatusTooManyRequests
	}
	return false
}

// detailOf asks errors that offer MarshalJSON only: encoding others would take
// every exported field to the disk, of oauth2.RetrieveError the request.
func detailOf(err error) []byte {
	m, ok := errors.AsType[interface {
		error
		json.Marshaler
	}](err)
	if !ok {
		return nil
	}
	detail, err := m.MarshalJSON()
	if err != nil {
		return nil
	}
	return detail
}
