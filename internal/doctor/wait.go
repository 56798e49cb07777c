package doctor

import (
	"context"
	"time"
)

// Pace is the pause between two examinations while one waits for Exchange.
// It keeps what it knows of an application's permissions for 30 minutes after
// the last sign-in, and for up to two hours when sign-ins go on (Microsoft,
// "Role Based Access Control for Applications in Exchange Online"). A pause
// begins when an examination ends and AUTH comes late in the next one, so that
// more than 30 minutes lie between two sign-ins.
const Pace = 30 * time.Minute

// Repeat calls examine, and again after each pause, until it returns true or ctx
// ends, and returns the cause of ctx's end then. While it pauses it calls left,
// when not nil, each second with what is left of the pause, at its start with
// all of it and at its end with 0.
func Repeat(ctx context.Context, pause time.Duration, examine func(context.Context) bool, left func(time.Duration)) error {
	for {
		if examine(ctx) {
			return nil
		}
		if err := countDown(ctx, pause, left); err != nil {
			return err
		}
	}
}

func countDown(ctx context.Context, pause time.Duration, left func(time.Duration)) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	end := time.Now().Add(pause)
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for {
		// The wall clock, because a laptop that slept has waited as well.
		rest := max(0, end.Round(0).Sub(time.Now().Round(0)).Round(time.Second))
		if left != nil {
			left(rest)
		}
		if rest == 0 {
			return nil
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}
