// Package tally counts the outcomes of the attempts of one run of the courier: how
// many messages were accepted, deferred and refused, which mailboxes are held or
// pause, and what all that ends with as an exit code (internal/exit/ending). It prints
// nothing: Options.Attempt gets each attempt with what is new about its mailbox.
package tally

import (
	"context"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/smtpsend/smtpsend/internal/account"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/courier"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/exit/ending"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/mailbox"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/outbox/queueid"
	"github.com/smtpsend/smtpsend/internal/submission"
)

// Options say what is counted, and who is told. The callbacks, where they are set,
// are called one at a time.
type Options struct {
	// Config names failures as send does; nil where there are no attempts.
	Config *config.Config
	// Batch, when it is not zero: the exit code is about the messages of this batch
	// alone.
	Batch int64
	// Attempt gets each attempt once it is counted.
	Attempt func(Attempt)
	// Probed gets each probe of a held mailbox.
	Probed func(courier.Probed)
}

// Attempt is the outcome of one attempt.
type Attempt struct {
	Claim   *outbox.Claim
	Receipt *submission.Receipt // nil when the settings allow no connection
	Settled outbox.Settled
	// Finding names what kept the message from anyone, as send does; zero for nothing.
	Finding diagnosis.Finding
	// NewlyHeld: the mailbox is held, not by an operator, and was not so before in
	// this run.
	NewlyHeld bool
	// FirstOfServer: the mailbox pauses because its server cannot be used, for the
	// first time in this run.
	FirstOfServer bool
}

// Tally counts attempts. It is safe for use by several goroutines.
type Tally struct {
	o Options

	mu       sync.Mutex
	accepted int
	deferred int
	refused  int
	doubt    int
	waiting  map[queueid.ID]int // exit code of the last failure of what waits
	lost     []int              // exit codes of what was given up
	partly   bool               // something that was given up was accepted for some
	stopped  map[string]int     // mailboxes that are held, with the exit code for it
	pauses   []int              // exit codes of what other mailboxes with due mail wait for
	told     map[string]bool    // mailboxes of which was said why they pause
}

// New makes a tally of nothing.
func New(o Options) *Tally {
	return &Tally{o: o, waiting: make(map[queueid.ID]int), stopped: make(map[string]int), told: make(map[string]bool)}
}

// Settled counts an attempt. It is for courier.Options.Settled.
func (t *Tally) Settled(c *outbox.Claim, r *submission.Receipt, s outbox.Settled) {
	t.mu.Lock()
	defer t.mu.Unlock()
	switch {
	case s.State == outbox.Sent:
		t.accepted++
	case s.State == outbox.Dead:
		t.refused++
	case s.Event == outbox.EventInDoubt:
		t.doubt++
	case s.Event == outbox.EventDeferred:
		t.deferred++
	}
	a := Attempt{Claim: c, Receipt: r, Settled: s, Finding: t.found(c, r)}
	code := attemptCode(r, a.Finding)
	t.keep(c, s, code)
	if !s.Held() {
		delete(t.stopped, c.Mailbox) // it was released since
	}
	_, stopped := t.stopped[c.Mailbox]
	switch {
	case s.Held() && s.Pause != mailbox.PauseOperator && !stopped:
		t.stopped[c.Mailbox] = code
		a.NewlyHeld = true
	case s.Pause == mailbox.PauseServer && !s.Held() && !t.told[c.Mailbox]:
		t.told[c.Mailbox] = true
		a.FirstOfServer = true
	}
	if t.o.Attempt != nil {
		t.o.Attempt(a)
	}
}

// Probed counts how a held mailbox was tried. It is for courier.Options.Probed.
func (t *Tally) Probed(p courier.Probed) {
	t.mu.Lock()
	defer t.mu.Unlock()
	if p.Settled.Pause == "" {
		delete(t.stopped, p.Mailbox)
	}
	if t.o.Probed != nil {
		t.o.Probed(p)
	}
}

// found names what kept a message from anyone, as send does.
func (t *Tally) found(c *outbox.Claim, r *submission.Receipt) diagnosis.Finding {
	if r == nil {
		return diagnosis.Finding{}
	}
	known, claims := account.Known(t.o.Config, c.Mailbox, "", r.Token)
	return r.Explain(known, claims).Finding
}

// attemptCode is the exit code that send would have ended with, had nothing been
// accepted.
func attemptCode(r *submission.Receipt, found diagnosis.Finding) int {
	if r == nil {
		return exit.Config // the settings allow no connection
	}
	return ending.OfReceipt(r, found).Worst()
}

// keep remembers how the message is after the attempt.
func (t *Tally) keep(c *outbox.Claim, s outbox.Settled, code int) {
	if t.o.Batch != 0 && c.Batch != t.o.Batch {
		return
	}
	delete(t.waiting, c.QID)
	switch {
	case s.State == outbox.Dead:
		t.lost = append(t.lost, lostCode(code))
		t.partly = t.partly || s.Partly
	case s.State == outbox.Ready && s.Event != outbox.EventReturned && s.Event != outbox.EventInDoubt, s.MessageHeld():
		t.waiting[c.QID] = code
	}
}

// lostCode is the exit code of a message that is not tried again, whose last
// failure has the code: one that passes was met for as long as it may be.
func lostCode(code int) int {
	if code == exit.TryAgain {
		return exit.Refused
	}
	return code
}

// LostCode is the exit code of a refused message, as the outbox remembers it.
func LostCode(m operator.Mail) int { return lostCode(ending.RememberedCode(m.Kind, m.Code)) }

// Stopped counts the mailboxes that have mail which is not submitted because they are
// held, or pause although mail is due, so that a run that had nothing to do does not
// look well. It returns those that no attempt has told of, and those that an operator
// held, which are not failures.
func (t *Tally) Stopped(ctx context.Context, box *outbox.Outbox) (list []operator.Mailbox, err error) {
	all, err := operator.Mailboxes(ctx, box)
	if err != nil {
		return nil, err
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	now := time.Now()
	for _, m := range all {
		_, told := t.stopped[m.Name]
		switch {
		case m.Counts[outbox.Ready] == 0 || told:
			continue
		case m.Pause == mailbox.PauseOperator:
		case m.Stopped():
			t.stopped[m.Name] = t.pauseCode(m)
		case m.Pause != "" && !m.OldestDue.After(now):
			t.pauses = append(t.pauses, t.pauseCode(m))
		default:
			continue
		}
		list = append(list, m)
	}
	return list, nil
}

// PauseCode is the exit code of what a mailbox waits for: as this run saw it, else
// as the outbox remembers it. A refusal that the catalogue does not know and that
// stops a mailbox is one of its sign-in.
func (t *Tally) PauseCode(m operator.Mailbox) int {
	t.mu.Lock()
	defer t.mu.Unlock()
	return t.pauseCode(m)
}

func (t *Tally) pauseCode(m operator.Mailbox) int {
	code, seen := t.stopped[m.Name]
	if seen {
		return code
	}
	code = ending.RememberedCode(m.Code, 0)
	if code == exit.Refused && m.Pause == mailbox.PauseConfiguration {
		return exit.NotAuthorised
	}
	return code
}

// Failures are the exit codes of messages that were not accepted: of those that wait,
// and of those that are not tried again.
func (t *Tally) Failures() (waiting, lost []int) {
	t.mu.Lock()
	defer t.mu.Unlock()
	return slices.Collect(maps.Values(t.waiting)), slices.Clone(t.lost)
}

// Sum is what a tally has counted: attempts by their outcomes, and mailboxes.
type Sum struct {
	Accepted, Deferred, Refused, InDoubt int
	StoppedMailboxes, PausedMailboxes    int
	Ending                               ending.Ending
}

// Sum returns what was counted so far.
func (t *Tally) Sum() Sum {
	t.mu.Lock()
	defer t.mu.Unlock()
	e := ending.Ending{
		Accepted: t.accepted, Refused: len(t.lost), Kept: len(t.waiting) + len(t.stopped) + len(t.pauses), InDoubt: t.doubt,
		Failures: slices.Concat(slices.Collect(maps.Values(t.waiting)), slices.Collect(maps.Values(t.stopped)), t.pauses, t.lost),
	}
	if t.partly {
		e.Accepted++
	}
	return Sum{
		Accepted: t.accepted, Deferred: t.deferred, Refused: t.refused, InDoubt: t.doubt,
		StoppedMailboxes: len(t.stopped), PausedMailboxes: len(t.pauses), Ending: e,
	}
}
