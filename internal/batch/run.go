package batch

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/smtpsend/smtpsend/internal/courier"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/exit/ending"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/mailbox"
	"github.com/smtpsend/smtpsend/internal/outbox/mailmerge"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
	"github.com/smtpsend/smtpsend/internal/rows"
	"github.com/smtpsend/smtpsend/internal/tally"
)

// RunOptions say what a run submits, and by what.
type RunOptions struct {
	Name    string // of the batch
	Keyed   bool   // a column names the rows
	File    *rows.File
	Plan    Plan
	Checked Checked // the file, by this plan

	Box     *outbox.Outbox
	AddOnly bool // rows are put into the outbox, and something else submits them
	// Courier are the options of the courier. It is not called with AddOnly.
	Courier func() (courier.Options, error)
	// Lock makes this process the one that submits, or returns store.ErrLocked.
	Lock func(context.Context, *outbox.Outbox) (*outbox.Sender, error)
	// Tally makes the tally of the batch's attempts.
	Tally func(mailmerge.Batch) *tally.Tally

	// Tell gets what happens.
	Tell func(Event)
	// Every is how often Progress is told at most; negative: never.
	Every time.Duration
}

// Run is one start of a batch.
type Run struct {
	o       RunOptions
	box     *outbox.Outbox
	entry   mailmerge.Batch
	started time.Time
	before  Account // at the start
	tally   *tally.Tally

	mu    sync.Mutex
	added Added
}

// Start begins the batch in the outbox, or goes on with it.
func Start(ctx context.Context, o RunOptions) (*Run, error) {
	entry, before, err := mailmerge.Start(ctx, o.Box, o.Name, o.File.Sum(), int64(o.Checked.Rows))
	if err != nil {
		return nil, ending.Outbox(err)
	}
	run := &Run{o: o, box: o.Box, entry: entry, started: time.Now(), tally: o.Tally(entry)}
	changed := before.SourceSum != "" && before.SourceSum != o.File.Sum()
	if changed && o.Keyed && o.Checked.Known > 0 {
		o.Tell(SourceChanged{o.Checked.Known})
	}
	if run.before, err = Take(ctx, o.Box, entry); err != nil {
		return nil, ending.Outbox(err)
	}
	if run.before.Total() > 0 {
		before.Name = entry.Name
		o.Tell(GoesOn{before, run.before})
	}
	return run, nil
}

// Batch is the batch in the outbox.
func (run *Run) Batch() mailmerge.Batch { return run.entry }

// Do adds the rows and submits them, at the same time. While another process submits
// from the outbox, it submits these rows too; when it ends, this one goes on. Errors
// have exit codes (internal/exit). Take the outcome from End.
func (run *Run) Do(ctx context.Context) error {
	in, err := run.o.File.Rows()
	if err != nil {
		return err
	}
	if run.o.AddOnly {
		return ending.Outbox(run.add(ctx, in))
	}
	done := make(chan struct{})
	var addErr error
	go func() {
		defer close(done)
		if addErr = run.add(ctx, in); addErr != nil && ctx.Err() == nil {
			run.o.Tell(Stuck{addErr}) // the rest may take days
		}
	}()
	err = run.submit(ctx, done)
	<-done
	return ending.Outbox(errors.Join(addErr, err))
}

// add takes the rows, which are as many as were checked.
func (run *Run) add(ctx context.Context, in *rows.Reader) error {
	added, err := Add(ctx, in, run.o.Plan, run.box, run.entry, run.note)
	if n := run.inFile(); err == nil && added.New+added.Known != n {
		err = exit.With(exit.Data, fmt.Errorf("the file was changed meanwhile: it had %s when it was checked, and %d when they were put into the outbox",
			counted(n, "row"), added.New+added.Known))
	}
	return err
}

// inFile is how many rows the file had when it was checked.
func (run *Run) inFile() int { return run.o.Checked.Rows + run.o.Checked.Twice }

// note remembers how far adding is.
func (run *Run) note(a Added) {
	run.mu.Lock()
	defer run.mu.Unlock()
	run.added = a
}

// submit runs the courier until the batch is over, once this process may.
func (run *Run) submit(ctx context.Context, added <-chan struct{}) error {
	o, err := run.o.Courier()
	if err != nil {
		return err
	}
	show := run.progress()
	defer run.o.Tell(ProgressEnds{})
	o.Settled, o.Probed = run.tally.Settled, run.tally.Probed
	o.Until = func(ctx context.Context) (bool, error) {
		show(ctx)
		select {
		case <-added:
			return run.over(ctx)
		default:
			return false, nil
		}
	}
	if err := run.tryStopped(ctx); err != nil {
		return err
	}
	sender, err := run.await(ctx, o.Until)
	if err != nil || sender == nil {
		return err
	}
	err = courier.Run(ctx, run.box, sender, o)
	if _, purged := sender.Purge(context.WithoutCancel(ctx)); err == nil {
		err = purged
	}
	return errors.Join(err, sender.Release())
}

// tryStopped releases the mailboxes of the batch that something wrong holds, or some of
// their senders, or a
// server that could not be used makes pause, but not those that an operator held:
// who starts the batch again has fixed it, or wants to know. One message is tried,
// and none is burned when it is still wrong.
func (run *Run) tryStopped(ctx context.Context) error {
	names, err := run.mailboxes(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		m, err := operator.OneMailbox(ctx, run.box, name)
		submits := err == nil && !m.Stopped() && m.Pause != mailbox.PauseServer && len(m.Senders) == 0
		if errors.Is(err, store.ErrNotFound) || submits {
			continue
		}
		if err == nil {
			m.Name = name
			run.o.Tell(TriedAgain{m})
			err = run.box.Mailboxes().Release(ctx, name)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

// mailboxes are those of the file's rows, and of rows of an earlier file that
// wait.
func (run *Run) mailboxes(ctx context.Context) ([]string, error) {
	left, err := mailmerge.StillLeft(ctx, run.box, run.entry.ID)
	if err != nil {
		return nil, err
	}
	names := slices.AppendSeq(slices.Collect(maps.Keys(left)), maps.Keys(run.o.Checked.Mailboxes))
	slices.Sort(names)
	return slices.Compact(names), nil
}

// await takes the outbox's lock. While another process has it, over is asked
// once a second; without a sender the batch was over before.
func (run *Run) await(ctx context.Context, over func(context.Context) (bool, error)) (*outbox.Sender, error) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for told := false; ; told = true {
		sender, err := run.o.Lock(ctx, run.box)
		if !errors.Is(err, store.ErrLocked) {
			return sender, err
		}
		if !told {
			run.o.Tell(OtherSender{})
		}
		if done, err := over(ctx); err != nil || done {
			return nil, err
		}
		select {
		case <-tick.C:
		case <-ctx.Done():
			return nil, nil
		}
	}
}

// over reports that every row is finished, or waits for a person.
func (run *Run) over(ctx context.Context) (bool, error) {
	account, err := Take(ctx, run.box, run.entry)
	if err != nil || account.Waiting == 0 {
		return err == nil, err
	}
	moving, err := mailmerge.Moving(ctx, run.box, run.entry.ID) // of an earlier file's mailboxes too
	if err != nil {
		return false, err
	}
	for name := range moving {
		m, err := operator.OneMailbox(ctx, run.box, name)
		if err != nil {
			return false, err
		}
		if !m.Held() {
			return false, nil
		}
	}
	sending, err := operator.List(ctx, run.box, operator.Filter{Batch: run.entry.ID, States: []outbox.State{outbox.Sending}, Limit: 1})
	return err == nil && len(sending) == 0, err
}

// progress returns what tells how far the batch is, as often as it may.
func (run *Run) progress() func(context.Context) {
	var last time.Time
	return func(ctx context.Context) {
		if run.o.Every < 0 || time.Since(last) < run.o.Every {
			return
		}
		account, err := Take(ctx, run.box, run.entry)
		if err != nil {
			return
		}
		last = time.Now()
		p := Progress{
			Account: account, Rows: max(run.o.Checked.Rows, account.Total()), // an earlier file may have had others
			Done: account.Total() - account.Waiting, Elapsed: time.Since(run.started),
		}
		p.Here = p.Done - (run.before.Total() - run.before.Waiting)
		run.waits(ctx, &p)
		run.o.Tell(p)
	}
}

// waits says what the batch waits for.
func (run *Run) waits(ctx context.Context, p *Progress) {
	now := time.Now()
	for _, name := range slices.Sorted(maps.Keys(run.o.Checked.Mailboxes)) {
		m, err := operator.OneMailbox(ctx, run.box, name)
		if err == nil && m.WaitsUntil.Sub(now) > time.Minute {
			m.Name = name
			p.Waits = m
			return
		}
	}
	if run.o.Checked.Last.Sub(now) > time.Minute {
		p.Last = run.o.Checked.Last
	}
}
