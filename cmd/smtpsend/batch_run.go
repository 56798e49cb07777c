package main

import (
	"context"
	"errors"
	"time"

	"github.com/smtpsend/smtpsend/internal/batch"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/courier"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/outbox/mailmerge"
	"github.com/smtpsend/smtpsend/internal/progress"
	"github.com/smtpsend/smtpsend/internal/rows"
	"github.com/smtpsend/smtpsend/internal/tally"
	"github.com/smtpsend/smtpsend/internal/view"
)

// progressLines is how often a line is printed where there is no terminal.
const progressLines = 30 * time.Second

// start adds the rows and submits, at the same time, and gives the exact account.
func (b *batchFlags) start(ctx context.Context, g *application, cfg *config.Config, f *rows.File, plan batch.Plan, checked batch.Checked) error {
	box, err := g.openOutbox(ctx, cfg)
	if err != nil {
		return err
	}
	defer box.Close()
	o := batch.RunOptions{
		Name: b.batchName(f.Name()), Keyed: b.key != "", File: f, Plan: plan, Checked: checked, Box: box, AddOnly: b.addOnly,
		Courier: func() (courier.Options, error) { return g.courierOptions(cfg) }, Lock: g.lock,
		Tally: func(entry mailmerge.Batch) *tally.Tally { return newBatchTally(g, cfg, entry) },
		Tell:  progress.Batch{Printer: g.out, Quiet: g.json, File: f.Name()}.Print,
	}
	switch {
	case g.json:
		o.Every = -1
	case !g.out.Watched():
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
	g.show(view.NewBatchEnd(view.BatchRun{
		Name: run.Batch().Name, Rows: checked.Rows, Failed: advised(failed), AddOnly: b.addOnly, Interrupted: interrupted,
	}, end))
	if err := b.writeReport(context.WithoutCancel(ctx), box, run.Batch()); err != nil {
		return err
	}
	code := end.Ending.Code()
	if failed != nil {
		return &exit.Error{Code: code, Err: failed, Shown: g.json}
	}
	return exit.Told(code, errors.New(end.Account.String()))
}

// newBatchTally counts the attempts of a batch, and says why its mailboxes pause or
// are held.
func newBatchTally(g *application, cfg *config.Config, entry mailmerge.Batch) *tally.Tally {
	shown := progress.Attempts{Printer: g.out, Batch: true}
	return tally.New(tally.Options{Config: cfg, Batch: entry.ID, Attempt: shown.Print, Probed: shown.Probed})
}
