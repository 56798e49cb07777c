package courier

import (
	"context"
	"errors"
	"time"

	"github.com/smtpsend/smtpsend/internal/backoff"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
)

// recordTime is how long writing down how an attempt ended is tried, every
// recordAgain, while the disk is full or another program has the outbox locked:
// what is not written down is in doubt, although it is known.
const (
	recordTime  = 10 * time.Minute
	recordAgain = time.Second
)

// recorder writes down how attempts ended.
type recorder struct {
	sender   *outbox.Sender
	work     context.Context // of the run, whose end leaves one try
	failures *failures
}

// attempt writes down how the attempt of a message ended.
func (r recorder) attempt(claim *outbox.Claim, result outbox.Result) (outbox.Settled, error) {
	return r.write(func(ctx context.Context) (outbox.Settled, error) { return r.sender.Finish(ctx, claim, result) })
}

// write writes something down. It outlives the end of the work by one try: what
// was cut off has to be recorded as what it is, in doubt.
func (r recorder) write(record func(context.Context) (outbox.Settled, error)) (outbox.Settled, error) {
	for start := time.Now(); ; {
		settled, err := record(context.WithoutCancel(r.work))
		passing := errors.Is(err, store.ErrBusy) || errors.Is(err, store.ErrFull)
		if !passing || time.Since(start) > recordTime || r.work.Err() != nil {
			return settled, err
		}
		r.failures.passing(err)
		_ = backoff.Sleep(r.work, recordAgain) // one more try follows when the work ends
	}
}
