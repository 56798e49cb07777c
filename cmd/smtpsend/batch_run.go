package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/smtpsend/smtpsend/internal/batch"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/courier"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/rows"
	"github.com/smtpsend/smtpsend/internal/tally"
	"github.com/smtpsend/smtpsend/internal/view"
)

// start adds the rows and submits, at the same time, and gives the exact account.
func (b *batchFlags) start(ctx context.Context, g *globals, cfg *config.Config, f *rows.File, plan batch.Plan, checked batch.Checked) error {
	box, err := g.openOutbox(ctx, cfg)
	if err != nil {
		return err
	}
	defer box.Close()
	o := batch.RunOptions{
		Name: b.batchName(f.Name()), Keyed: b.key != "", File: f, Plan: plan, Checked: checked, Box: box, AddOnly: b.addOnly,
		Courier: func() (courier.Options, error) { return g.courierOptions(cfg) }, Lock: g.lock,
		Tally: func(entry outbox.Batch) *tally.Tally { return newBatchTally(g, cfg, entry) },
		Tell:  batchTeller{g, f.Name()}.tell,
	}
	switch {
	case g.json:
		o.Every = -1
	case !g.Watched():
		o.Every = progressLines
	}
	run, err := batch.Start(ctx, o)
	if err != nil {
		return err
	}
	failed := run.Do(ctx)
	interrupted := ctx.Err() != nil
	end, err := run.End(context.WithoutCancel(ctx), interrupted, failed)
	if err != nil {
		return err
	}
	b.tellEnd(g, run.Batch(), checked, end, failed)
	if !g.json {
		b.goOn(g, end.Account, end.NotTaken, interrupted)
	}
	if err := b.writeReport(context.WithoutCancel(ctx), box, run.Batch()); err != nil {
		return err
	}
	code := end.Ending.Code()
	switch {
	case failed != nil:
		return &exit.Error{Code: code, Err: failed, Shown: g.json}
	case code == exit.OK:
		return nil
	}
	return &exit.Error{Code: code, Err: errors.New(end.Account.String()), Shown: true}
}

// newBatchTally counts the attempts of a batch, and says why its mailboxes pause or
// are held.
func newBatchTally(g *globals, cfg *config.Config, entry outbox.Batch) *tally.Tally {
	shown := view.Attempts{Printer: g.Printer, Batch: true}
	return tally.New(tally.Options{Config: cfg, Batch: entry.ID, Attempt: shown.Print, Probed: shown.Probed})
}

// tellEnd prints the account.
func (b *batchFlags) tellEnd(g *globals, entry outbox.Batch, checked batch.Checked, end batch.End, failed error) {
	account := end.Account
	if g.json {
		g.JSON(map[string]any{
			"error": textOf(failed), "batch": entry.Name, "rows": checked.Rows, "added": end.Added.New, "known": end.Added.Known,
			"accepted": account.Accepted, "refused": account.Refused, "in_doubt": account.InDoubt, "waiting": account.Waiting,
			"cancelled": account.Other, "not_taken": end.NotTaken, "doubts": account.Doubts, "exit_code": end.Ending.Code(),
		})
		return
	}
	text := account.String()
	if end.NotTaken > 0 {
		text += fmt.Sprintf("; %s not taken yet", view.Counted(end.NotTaken, "row"))
	}
	g.Printf("%s\n", text)
	if again := account.Doubts - account.InDoubt; again > 0 {
		g.Line("note", "%d accepted %s in doubt once and submitted again: a duplicate is possible; see smtpsend queue ls --all --batch %q",
			again, view.Plural(again, "row was", "rows were"), entry.Name)
	}
}

// textOf is an error's text, nil when there is none.
func textOf(err error) any {
	if err == nil {
		return nil
	}
	return advised(err).Error()
}

// goOn says how what is left gets done.
func (b *batchFlags) goOn(g *globals, a batch.Account, notTaken int, interrupted bool) {
	switch {
	case interrupted && notTaken > 0:
		g.Line("note", "interrupted; the same command goes on where it stopped")
	case notTaken > 0:
		g.Line("note", "when it is fixed, the same command goes on where it stopped")
	case interrupted && a.Waiting > 0:
		g.Line("note", "interrupted; the same command, or smtpsend queue run --drain, goes on where it stopped")
	case a.Waiting > 0 && b.addOnly:
		g.Line("note", "smtpsend queue run submits what is due")
	case a.Waiting > 0:
		g.Line("note", "%d %s; smtpsend queue why says for what. When it is fixed, the same command goes on",
			a.Waiting, view.Plural(a.Waiting, "row waits", "rows wait"))
	}
}
