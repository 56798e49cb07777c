package courier

import (
	"context"
	"errors"
	"sync"

	"github.com/smtpsend/smtpsend/internal/outbox/store"
)

// failures are the errors of the outbox in one run. They are for several goroutines.
type failures struct {
	trouble func(error) // Options.Trouble

	mu     sync.Mutex
	ended  error // nothing more can be recorded
	warned bool  // trouble was called
}

// first is the error that ends the run, nil while there is none.
func (f *failures) first() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.ended
}

// add remembers the first error.
func (f *failures) add(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.ended == nil && err != nil && !errors.Is(err, store.ErrLost) && !errors.Is(err, context.Canceled) {
		f.ended = err
	}
}

// addUnlessPassing is for what is done at a later look, or by the next run, when
// another program has the outbox locked or there is no room for a notice.
func (f *failures) addUnlessPassing(err error) {
	switch {
	case errors.Is(err, store.ErrFull):
		f.passing(err)
	case !errors.Is(err, store.ErrBusy):
		f.add(err)
	}
}

// passing tells, once, that the outbox cannot be written just now.
func (f *failures) passing(err error) {
	f.mu.Lock()
	defer f.mu.Unlock()
	if !f.warned && f.trouble != nil {
		f.trouble(err)
	}
	f.warned = true
}
