// Package until ends the waiting for something that cannot be told to end.
package until

import "context"

// Do runs f and returns what it returns, or the cause of ctx as soon as that has
// ended. f may then still be running: a file that opens for as long as a pipe has
// no writer, or a library that takes no context, cannot be stopped from outside.
// To leave it behind is right for a program that now tells why it ends, and ends;
// it would not be in one that goes on. So f must not touch what the caller uses
// afterwards, and nothing that f returns late is used by anybody. With a ctx that
// never ends, f runs in the caller's goroutine.
func Do[T any](ctx context.Context, f func() (T, error)) (T, error) {
	if ctx.Done() == nil {
		return f()
	}
	type result struct {
		value T
		err   error
	}
	var none T
	if ctx.Err() != nil {
		return none, context.Cause(ctx)
	}
	done := make(chan result, 1)
	go func() {
		value, err := f()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		return none, context.Cause(ctx)
	}
}
