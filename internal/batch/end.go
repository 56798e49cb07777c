package batch

import (
	"context"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/exit/ending"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/mailbox"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/tally"
)

// End is the outcome of the batch, as far as this run can say.
type End struct {
	Account  Account
	Added    Added
	NotTaken int // rows of the file that are not in the outbox
	Ending   ending.Ending
}

// End reads the account of the batch. failed is the error of Do; interrupted, that
// its context ended.
func (run *Run) End(ctx context.Context, interrupted bool, failed error) (End, error) {
	account, err := Take(ctx, run.box, run.entry)
	if err != nil {
		return End{}, ending.Outbox(err)
	}
	run.mu.Lock()
	defer run.mu.Unlock()
	return End{
		Account: account, Added: run.added, NotTaken: max(0, run.inFile()-run.added.New-run.added.Known),
		Ending: run.ending(ctx, account, interrupted, failed),
	}, nil
}

// ending is the account, and why rows were not accepted.
func (run *Run) ending(ctx context.Context, a Account, interrupted bool, failed error) ending.Ending {
	e := ending.Ending{Accepted: a.Accepted, Refused: a.Refused, InDoubt: a.InDoubt}
	if !run.o.AddOnly {
		e.Kept = a.Waiting
	}
	switch {
	case interrupted:
		e.Broken = exit.Interrupted
	case failed != nil:
		e.Broken = ending.Code(failed)
	case e.Kept+e.Refused > 0:
		e.Failures = run.failures(ctx, e.Kept > 0)
	}
	return e
}

// failures are the exit codes of what kept rows from being accepted: as this run
// saw it, else as the outbox remembers it.
func (run *Run) failures(ctx context.Context, waiting bool) []int {
	codes, lost := run.tally.Failures()
	if waiting {
		if codes = append(codes, run.pauses(ctx)...); len(codes) == 0 {
			codes = []int{exit.TryAgain}
		}
	}
	if codes = append(codes, lost...); len(codes) > 0 {
		return codes
	}
	list, err := operator.List(ctx, run.box, operator.Filter{Batch: run.entry.ID, States: []outbox.State{outbox.Dead}, Limit: remembered})
	for _, m := range list {
		if err == nil {
			codes = append(codes, tally.LostCode(m))
		}
	}
	return codes
}

// remembered is how many of the last refusals of a batch are looked at.
const remembered = 100

// pauses are the exit codes of what the batch's mailboxes wait for.
func (run *Run) pauses(ctx context.Context) []int {
	names, err := run.mailboxes(ctx)
	if err != nil {
		return nil
	}
	var codes []int
	for _, name := range names {
		m, err := operator.OneMailbox(ctx, run.box, name)
		if err == nil && m.Pause != "" && m.Pause != mailbox.PauseOperator {
			codes = append(codes, run.tally.PauseCode(m))
		}
	}
	return codes
}
