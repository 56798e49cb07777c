package main

import (
	"context"
	"path/filepath"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/attach"
	"github.com/smtpsend/smtpsend/internal/batch"
	"github.com/smtpsend/smtpsend/internal/draft"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/rows"
	"github.com/smtpsend/smtpsend/internal/textfile"
	"github.com/smtpsend/smtpsend/internal/view"
)

// batchFlags are what "batch" is told.
type batchFlags struct {
	batch.Options
	name, key           string
	dryRun, report      string
	charset             string
	check, yes, addOnly bool

	reportFile *batch.ReportFile
}

func newBatch(g *application) *cobra.Command {
	var b batchFlags
	cmd := &cobra.Command{
		Use:     "batch [flags] ROWS",
		GroupID: groupSubmit,
		Short:   "Mail merge: a message for each row of a CSV or JSONL file",
		Long: `Make a message from a template for each row, and submit the messages as fast as
Exchange's limits allow. ROWS is a CSV file with a line of column names, or a file
with one JSON object on each line; - is standard input. All rows are checked before
the first message is put into the outbox.

The name of the batch and the key of a row identify a message. Run the same command
again, and it continues exactly where it stopped, even after kill -9 or with rows
added. A row that occurs twice is one message. To send a new mailing from the same
file, give another --name.

The values of flags are templates too: --to '{{.email}}' --subject 'For {{.name}}'.

` + exit.Help,
		Example: `  smtpsend batch --template invoice.md --name invoices-2026-11 customers.csv
  smtpsend batch --template invoice.md --dry-run out customers.csv   # look before you send`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) != 1 {
				return exit.Usagef("batch takes one file of rows, got %d arguments", len(args))
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error { return runBatch(cmd.Context(), g, &b, args[0]) },
	}
	b.Name = flagName
	b.define(cmd)
	return cmd
}

// runBatch is check, forecast, add, submit, account.
func runBatch(ctx context.Context, g *application, b *batchFlags, name string) error {
	// What the rows leave is collected sooner than usual, so that a million
	// of them are checked in less than 100 MB.
	defer debug.SetGCPercent(debug.SetGCPercent(40))
	if batch.IsTemplate(b.name) {
		return exit.Usagef("--name %q: a batch has one name, so the name cannot contain a value of a row", b.name)
	}
	if batch.IsTemplate(b.key) {
		return exit.Usagef("--key %q: write the name of the column alone", b.key)
	}
	texts := textfile.Reader{CharsetBy: "--charset", Warn: g.out.Warningf}
	if err := texts.ParseCharset(b.charset); err != nil {
		return err
	}
	files := attach.Finder{
		Warn: g.out.Warningf, Limited: draft.NewBudget(g.timeout, "--timeout").Run, AttachBy: "--attach",
	}
	defer files.Close()
	offline := b.check || b.dryRun != "" || b.addOnly
	cfg, err := g.settings(ctx, offline)
	if err != nil {
		return err
	}
	plan, err := b.Plan(ctx, cfg, &texts, &files)
	if err != nil {
		return err
	}
	if name == "-" && b.name == "" && !b.check && b.dryRun == "" {
		return exit.Usagef("rows from standard input need a --name for the batch")
	}
	file, err := rows.Open(ctx, name, b.key, g.stdin)
	if err != nil {
		return err
	}
	file.Charset = texts.Charset
	defer file.Close()
	checked, forecast, err := b.checkAndForecast(ctx, g, cfg, file, plan)
	if err != nil {
		return err
	}
	if b.check || !g.json {
		g.show(view.NewForecast(forecast))
	}
	switch {
	case b.check:
		return nil
	case b.dryRun != "":
		return b.runDry(ctx, g, file, plan)
	case cfg.NoMails:
		g.out.Printf("not submitted: SMTPSEND_NO_MAILS=1\n")
		return nil
	case forecast.Days > 1 && !b.yes:
		return exit.Usagef("within the limits the batch takes %d days: start it with --yes", forecast.Days)
	}
	if err := b.openReport(ctx, file); err != nil {
		return err
	}
	return b.start(ctx, g, cfg, file, plan, checked)
}

// batchName is the name given, else that of the file.
func (b *batchFlags) batchName(file string) string {
	if b.name != "" {
		return b.name
	}
	return filepath.Base(file)
}
