package draft

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/smtpsend/smtpsend/internal/exit"
)

// errSlow is the cause of the context with which composing ends.
var errSlow = errors.New("composing takes too long")

// Budget is the time that composing and submitting a message may take together.
// What waits for standard input takes none of it: a person may be typing. It is for
// one goroutine.
type Budget struct {
	limit time.Duration
	by    string
	used  time.Duration
}

// NewBudget makes a budget. by is what limits the time, such as --timeout, for the
// error of Run.
func NewBudget(limit time.Duration, by string) *Budget { return &Budget{limit: limit, by: by} }

// Run runs f, which makes a message or a part of it, for as long as the budget
// lasts. Its error then has the exit code of bad data.
func (b *Budget) Run(ctx context.Context, f func(context.Context) error) error {
	inner, cancel := context.WithTimeoutCause(ctx, b.Left(), errSlow)
	defer cancel()
	started := time.Now()
	err := f(inner)
	b.used += time.Since(started)
	if errors.Is(err, errSlow) {
		return exit.With(exit.Data, fmt.Errorf("composing the message took longer than %s %v", b.by, b.limit))
	}
	return err
}

// Left is how much of the budget Run has left for the rest.
func (b *Budget) Left() time.Duration { return b.limit - b.used }
