package main

import (
	"context"
	"errors"
	"path/filepath"

	"github.com/smtpsend/smtpsend/internal/batch"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/mailmerge"
	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/rows"
	"github.com/smtpsend/smtpsend/internal/view"
)

// openReport finds out before the first message that the report cannot be
// written. It stays open: root may be another user by the end.
func (b *batchFlags) openReport(ctx context.Context, in *rows.File) (err error) {
	if b.report == "" {
		return nil
	}
	if b.reportFile, err = ownfile.Writable(ctx, b.report); err != nil {
		return exit.With(exit.CannotCreate, err)
	}
	info, err := b.reportFile.Stat()
	if err != nil {
		return nil // writing will tell
	}
	same, err := in.SameAs(info)
	if same {
		return exit.Usagef("--report %s is the file of rows", b.report)
	}
	return err
}

// writeReport writes the CSV file of --report.
func (b *batchFlags) writeReport(ctx context.Context, box *outbox.Outbox, entry mailmerge.Batch) error {
	if b.report == "" {
		return nil
	}
	f := b.reportFile
	info, err := f.Stat()
	if err == nil && info.Mode().IsRegular() {
		err = f.Truncate(0)
	}
	if err == nil {
		err = batch.Report(ctx, f, box, entry, view.MailReason)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return exit.With(exit.IO, err)
	}
	return nil
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
