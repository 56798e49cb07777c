package relay

import (
	"context"
	"time"
)

// Hurried are options by which a wrong password does not wait.
func Hurried(o Options) Options {
	o.sleep = func(ctx context.Context, _ time.Duration) error { return ctx.Err() }
	return o
}

// Untaken is the reply for an error of the outbox.
func (r *Relay) Untaken(err error) (code int, text string) {
	refused := r.untaken(err)
	return refused.reply, refused.enhanced + " " + refused.text
}
