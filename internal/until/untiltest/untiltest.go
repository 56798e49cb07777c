// Package untiltest helps to test that work ends with its context.
package untiltest

import "context"

// EndsAfter is a context that ends when it has been asked for its end n times: so
// a test ends work at any of its points without a clock. It is not for use by
// several goroutines at a time.
func EndsAfter(ctx context.Context, n int) context.Context { return &counted{ctx, n} }

type counted struct {
	context.Context
	n int
}

func (c *counted) Err() error {
	if c.n--; c.n < 0 {
		return context.Canceled
	}
	return nil
}
