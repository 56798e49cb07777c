package main

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/smtpsend/smtpsend/internal/batch"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/courier"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/mailbox"
	"github.com/smtpsend/smtpsend/internal/outbox/mailmerge"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
	"github.com/smtpsend/smtpsend/internal/printable"
)

// batchRun is a batch under way.
type batchRun struct {
	*globals
	flags   *batchFlags
	box     *outbox.Outbox
	entry   mailmerge.Batch
	checked batch.Checked
	started time.Time
	before  batch.Account // at the start
	tally   *tally

	mu    sync.Mutex
	added batch.Added
}

// start adds the rows and submits, at the same time.
func (b *batchFlags) start(ctx context.Context, g *globals, cfg *config.Config, r *rowFile, plan batch.Plan, checked batch.Checked) error {
	box, err := g.openOutbox(ctx, cfg)
	if err != nil {
		return err
	}
	defer box.Close()
	entry, before, err := mailmerge.Start(ctx, box, b.batchName(r.name), r.sum, int64(checked.Rows))
	if err != nil {
		return exit.Outbox(err)
	}
	run := &batchRun{globals: g, flags: b, box: box, entry: entry, checked: checked, started: time.Now(), tally: g.newTally(cfg)}
	run.tally.quiet, run.tally.batch = true, entry.ID
	if before.SourceSum != "" && before.SourceSum != r.sum && b.key != "" && checked.Known > 0 {
		run.Line("note", "%s is not what it was at the last start; %s whose key is known %s as taken then",
			r.name, counted(checked.Known, "row"), plural(checked.Known, "stays", "stay"))
	}
	if run.before, err = batch.Take(ctx, box, entry); err != nil {
		return exit.Outbox(err)
	}
	if run.before.Total() > 0 && !g.json {
		g.Printf("batch %q goes on; begun %s: %s\n", entry.Name, startedAgo(before.CreatedAt), run.before)
	}
	return run.conclude(ctx, run.addAndSubmit(ctx, cfg, r, plan))
}

// addAndSubmit adds the rows and submits them, at the same time. While another
// process submits from the outbox, it submits these rows too; when it ends, this
// one goes on.
func (run *batchRun) addAndSubmit(ctx context.Context, cfg *config.Config, r *rowFile, plan batch.Plan) error {
	rows, err := r.rows()
	if err != nil {
		return err
	}
	if run.flags.addOnly {
		return exit.Outbox(run.add(ctx, rows, plan))
	}
	done := make(chan struct{})
	var addErr error
	go func() {
		defer close(done)
		if addErr = run.add(ctx, rows, plan); addErr != nil && ctx.Err() == nil && !run.json {
			run.Warningf("no further rows are taken: %v", addErr) // the rest may take days
		}
	}()
	err = run.submit(ctx, cfg, done)
	<-done
	return exit.Outbox(errors.Join(addErr, err))
}

// add takes the rows, which are as many as were checked.
func (run *batchRun) add(ctx context.Context, rows *batch.Rows, plan batch.Plan) error {
	added, err := batch.Add(ctx, rows, plan, run.box, run.entry, run.note)
	if n := run.checked.Rows + run.checked.Twice; err == nil && added.New+added.Known != n {
		err = exit.With(exit.Data, fmt.Errorf("the file was changed meanwhile: %s when they were checked, %d when they were taken",
			counted(n, "row"), added.New+added.Known))
	}
	return err
}

// notTaken is how many rows of the file are not in the outbox.
func (run *batchRun) notTaken() int {
	run.mu.Lock()
	defer run.mu.Unlock()
	return max(0, run.checked.Rows+run.checked.Twice-run.added.New-run.added.Known)
}

// submit runs the courier until the batch is over, once this process may.
func (run *batchRun) submit(ctx context.Context, cfg *config.Config, added <-chan struct{}) error {
	o, err := run.courierOptions(cfg)
	if err != nil {
		return err
	}
	t := run.tally
	show := run.progress()
	defer show(nil)
	o.Settled, o.Probed = t.settled, t.probed
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

// tryStopped releases the mailboxes of the batch that something wrong holds, or a
// server that could not be used makes pause, but not those that an operator held:
// who starts the batch again has fixed it, or wants to know. One message is tried,
// and none is burned when it is still wrong.
func (run *batchRun) tryStopped(ctx context.Context) error {
	names, err := run.mailboxes(ctx)
	if err != nil {
		return err
	}
	for _, name := range names {
		m, err := operator.OneMailbox(ctx, run.box, name)
		if errors.Is(err, store.ErrNotFound) || (err == nil && !m.Stopped() && m.Pause != mailbox.PauseServer) {
			continue
		}
		if err == nil {
			word := "paused"
			if m.Held() {
				word = "was held"
			}
			run.Line("note", "mailbox %s %s (%s): tried again", name, word, m.Code)
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
func (run *batchRun) mailboxes(ctx context.Context) ([]string, error) {
	left, err := mailmerge.StillLeft(ctx, run.box, run.entry.ID)
	if err != nil {
		return nil, err
	}
	names := slices.AppendSeq(slices.Collect(maps.Keys(left)), maps.Keys(run.checked.Mailboxes))
	slices.Sort(names)
	return slices.Compact(names), nil
}

// await takes the outbox's lock. While another process has it, over is asked
// once a second; without a sender the batch was over before.
func (run *batchRun) await(ctx context.Context, over func(context.Context) (bool, error)) (*outbox.Sender, error) {
	tick := time.NewTicker(time.Second)
	defer tick.Stop()
	for told := false; ; told = true {
		sender, err := run.globals.lock(ctx, run.box)
		if !errors.Is(err, store.ErrLocked) {
			return sender, err
		}
		if !told {
			run.Line("note", "another process submits from this outbox, these rows too; when it ends, this one goes on")
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

// note remembers how far adding is.
func (run *batchRun) note(a batch.Added) {
	run.mu.Lock()
	defer run.mu.Unlock()
	run.added = a
}

// over reports that every row is finished, or waits for somebody.
func (run *batchRun) over(ctx context.Context) (bool, error) {
	account, err := batch.Take(ctx, run.box, run.entry)
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

// progressLines is how often a line is printed where there is no terminal.
const progressLines = 30 * time.Second

// progress returns what shows how far the batch is: one line that changes on a
// terminal, now and then a line elsewhere, nothing with --json. A nil context
// ends the line.
func (run *batchRun) progress() func(context.Context) {
	var last time.Time
	return func(ctx context.Context) {
		if run.json {
			return
		}
		if ctx == nil {
			run.Progress("")
			return
		}
		if !run.Watched() && time.Since(last) < progressLines {
			return
		}
		account, err := batch.Take(ctx, run.box, run.entry)
		if err != nil {
			return
		}
		last = time.Now()
		run.Progress(run.progressText(account) + run.pauseText(ctx))
	}
}

// progressText says what is done, how fast, and how long the rest will take.
func (run *batchRun) progressText(a batch.Account) string {
	done := a.Total() - a.Waiting
	here := done - (run.before.Total() - run.before.Waiting)
	all := max(run.checked.Rows, a.Total()) // an earlier file may have had others
	text := fmt.Sprintf("%d of %s done, %d refused, %d in doubt", done, counted(all, "row"), a.Refused, a.InDoubt)
	elapsed := time.Since(run.started)
	if here > 0 && elapsed > time.Second {
		perMinute := float64(here) / elapsed.Minutes()
		left := time.Duration(float64(all-done) / perMinute * float64(time.Minute))
		text += fmt.Sprintf(", %.0f a minute, %s left", perMinute, left.Round(time.Second))
	}
	return text
}

// pauseText says why and until when a mailbox submits nothing for more than a
// minute, or that a row asks for a later time, "" when neither is so.
func (run *batchRun) pauseText(ctx context.Context) string {
	now := time.Now()
	for _, name := range slices.Sorted(maps.Keys(run.checked.Mailboxes)) {
		m, err := operator.OneMailbox(ctx, run.box, name)
		if err == nil && m.WaitsUntil.Sub(now) > time.Minute {
			return fmt.Sprintf("; %s waits until %s: %s", name, clock(m.WaitsUntil, now), atMost(printable.Line(diagnosis.Short(mailboxReason(m.Wait))), inTable))
		}
	}
	if run.checked.Last.Sub(now) > time.Minute {
		return "; the last row is due at " + clock(run.checked.Last, now)
	}
	return ""
}

// conclude gives the exact account, the report, and how to go on.
func (run *batchRun) conclude(ctx context.Context, failed error) error {
	interrupted := ctx.Err() != nil
	ctx = context.WithoutCancel(ctx)
	account, err := batch.Take(ctx, run.box, run.entry)
	if err != nil {
		return exit.Outbox(err)
	}
	code := run.ending(ctx, account, interrupted, failed).Code()
	notTaken := run.notTaken()
	run.mu.Lock()
	added := run.added
	run.mu.Unlock()
	if run.json {
		run.JSON(map[string]any{
			"error": textOf(failed), "batch": run.entry.Name, "rows": run.checked.Rows, "added": added.New, "known": added.Known,
			"accepted": account.Accepted, "refused": account.Refused, "in_doubt": account.InDoubt, "waiting": account.Waiting,
			"cancelled": account.Other, "not_taken": notTaken, "doubts": account.Doubts, "exit_code": code,
		})
	} else {
		text := account.String()
		if notTaken > 0 {
			text += fmt.Sprintf("; %s not taken yet", counted(notTaken, "row"))
		}
		run.Printf("%s\n", text)
		if account.Doubts > account.InDoubt {
			run.Line("note", "%d accepted %s in doubt once and submitted again: a duplicate is possible; see smtpsend queue ls --all --batch %q",
				account.Doubts-account.InDoubt, plural(account.Doubts-account.InDoubt, "row was", "rows were"), run.entry.Name)
		}
		run.goOn(account, notTaken, interrupted)
	}
	if err := run.flags.writeReport(ctx, run.box, run.entry); err != nil {
		return err
	}
	switch {
	case failed != nil:
		return &exit.Error{Code: code, Err: failed, Shown: run.json}
	case code == exit.OK:
		return nil
	}
	return &exit.Error{Code: code, Err: errors.New(account.String()), Shown: true}
}

// textOf is an error's text, nil when there is none.
func textOf(err error) any {
	if err == nil {
		return nil
	}
	return err.Error()
}

// goOn says how what is left gets done.
func (run *batchRun) goOn(a batch.Account, notTaken int, interrupted bool) {
	switch {
	case interrupted && notTaken > 0:
		run.Line("note", "interrupted; the same command goes on where it stopped")
	case notTaken > 0:
		run.Line("note", "when it is fixed, the same command goes on where it stopped")
	case interrupted && a.Waiting > 0:
		run.Line("note", "interrupted; the same command, or smtpsend queue run --drain, goes on where it stopped")
	case a.Waiting > 0 && run.flags.addOnly:
		run.Line("note", "smtpsend queue run submits what is due")
	case a.Waiting > 0:
		run.Line("note", "%d %s; smtpsend queue why says for what. When it is fixed, the same command goes on",
			a.Waiting, plural(a.Waiting, "row waits", "rows wait"))
	}
}

// ending is what became of the batch: its account, and why rows were not accepted.
func (run *batchRun) ending(ctx context.Context, a batch.Account, interrupted bool, failed error) exit.Ending {
	e := exit.Ending{Accepted: a.Accepted, Refused: a.Refused, InDoubt: a.InDoubt}
	if !run.flags.addOnly {
		e.Kept = a.Waiting
	}
	switch {
	case interrupted:
		e.Broken = exit.Interrupted
	case failed != nil:
		e.Broken = exit.Of(failed)
	case e.Kept+e.Refused > 0:
		e.Failures = run.failures(ctx, e.Kept > 0)
	}
	return e
}

// failures are the exit codes of what kept rows from being accepted: as this run
// saw it, else as the outbox remembers it.
func (run *batchRun) failures(ctx context.Context, waiting bool) []int {
	run.tally.mu.Lock()
	codes, lost := slices.Collect(maps.Values(run.tally.waiting)), slices.Clone(run.tally.lost)
	run.tally.mu.Unlock()
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
			codes = append(codes, lostCode(exit.RememberedCode(m.Kind, m.Code)))
		}
	}
	return codes
}

// remembered is how many of the last refusals of a batch are looked at.
const remembered = 100

// pauses are the exit codes of what the batch's mailboxes wait for.
func (run *batchRun) pauses(ctx context.Context) []int {
	names, err := run.mailboxes(ctx)
	if err != nil {
		return nil
	}
	var codes []int
	for _, name := range names {
		m, err := operator.OneMailbox(ctx, run.box, name)
		if err == nil && m.Pause != "" && m.Pause != mailbox.PauseOperator {
			codes = append(codes, run.tally.pauseCode(m))
		}
	}
	return codes
}
