package main

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/smtpsend/smtpsend/internal/batch"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/mailmerge"
	"github.com/smtpsend/smtpsend/internal/rows"
	"github.com/smtpsend/smtpsend/internal/view"
)

// openReport opens the file of --report.
func (b *batchFlags) openReport(ctx context.Context, in *rows.File) (err error) {
	if b.report == "" {
		return nil
	}
	b.reportFile, err = batch.OpenReport(ctx, b.report, in)
	if errors.Is(err, batch.ErrOwnRows) {
		return exit.Usagef("--report %s is the file of rows", b.report)
	}
	return err
}

// writeReport writes the CSV file of --report.
func (b *batchFlags) writeReport(ctx context.Context, box *outbox.Outbox, entry mailmerge.Batch) error {
	if b.reportFile == nil {
		return nil
	}
	return b.reportFile.Write(ctx, box, entry, view.MailReason)
}

// runDry writes the messages and a page of them.
func (b *batchFlags) runDry(ctx context.Context, g *application, f *rows.File, plan batch.Plan) error {
	in, err := f.Rows()
	if err != nil {
		return err
	}
	n, err := batch.DryRun(ctx, in, plan, b.dryRun, filepath.Base(f.Name()))
	if ctx.Err() != nil {
		return err
	}
	if err != nil {
		return exit.With(exit.CannotCreate, err)
	}
	index := filepath.Join(b.dryRun, "index.html")
	g.show(view.BatchPreview{Messages: n, Index: index, ExitCode: exit.OK})
	return nil
}
