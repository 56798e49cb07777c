package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime/debug"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/batch"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/mailtemplate"
	"github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/mailmerge"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// batchFlags are what "batch" is told.
type batchFlags struct {
	template                         string
	subject, from, mailbox, at       string
	to, cc, bcc, attach, header      []string
	textFile, htmlFile, markdownFile string
	attachDir                        string
	name, key                        string
	dryRun, report                   string
	charset                          string
	attached                         attachments
	check, yes, addOnly              bool

	reportFile *os.File // open from before the first message on
}

func newBatch(g *globals) *cobra.Command {
	var b batchFlags
	cmd := &cobra.Command{
		Use:     "batch [flags] ROWS",
		GroupID: groupSubmit,
		Short:   "Mail merge: a message for each row of a CSV or JSONL file",
		Long: `Make a message of each row and a template, and submit them as fast as Exchange's
limits allow. ROWS is CSV with a line of column names, or JSON objects one a line;
- is standard input. All rows are checked before the first message is taken.

A batch is its name plus the key of each row: the same command again goes on
exactly where it stopped, also after kill -9, also with rows added; a row twice is
one message. For a new mailing of the same file give another --name.

Texts of flags are templates too: --to '{{.email}}' --subject 'For {{.name}}'.

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
	b.define(cmd)
	return cmd
}

func (b *batchFlags) define(cmd *cobra.Command) {
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&b.template, "template", "", "body, and subject and recipients in its front matter, from a template `FILE`")
	f.StringVarP(&b.subject, "subject", "s", "", "subject `TEMPLATE`")
	f.StringArrayVar(&b.to, "to", nil, "recipient `TEMPLATE`; repeatable (default '{{.email}}' when nothing names a recipient)")
	f.StringArrayVarP(&b.cc, "cc", "c", nil, "Cc `TEMPLATE`; repeatable")
	f.StringArrayVarP(&b.bcc, "bcc", "b", nil, "`TEMPLATE` of a recipient that no header field shows; repeatable")
	f.StringVarP(&b.from, "from", "r", "", "From `TEMPLATE` (default SMTPSEND_MAIL_SENDER)")
	f.StringVar(&b.mailbox, "mailbox", "", "`TEMPLATE` of the mailbox to submit as (default SMTPSEND_SMTP_USER_NAME, else From)")
	f.StringVar(&b.textFile, "text-file", "", "plain text body template from `FILE`")
	f.StringVar(&b.htmlFile, "html-file", "", "HTML body template from `FILE`")
	f.StringVar(&b.markdownFile, "markdown-file", "", "Markdown body template from `FILE`")
	f.StringVar(&b.charset, "charset", "", "rows, data and files of text are in charset `NAME`, such as cp850 or windows-1252 (default UTF-8)")
	f.StringArrayVarP(&b.attach, "attach", "A", nil, "`TEMPLATE` of a file's name to attach, or FILE, NAME=FILE or a pattern for all rows; repeatable")
	f.StringVar(&b.attachDir, "attach-dir", "", "the files that templates and rows name are in `DIR` (default: the template's directory)")
	f.StringArrayVarP(&b.header, "header", "H", nil, "extra header field, as `'Name: TEMPLATE'`; repeatable")
	f.StringVar(&b.at, "at", "", "`TEMPLATE` of the time to submit at, such as '{{.when}}' or '2026-12-24 08:00'")
	f.StringVar(&b.name, "name", "", "`NAME` of the batch (default: the name of the file of rows)")
	f.StringVar(&b.key, "key", "", "`COLUMN` that names a row (default: a hash of the row)")
	f.BoolVar(&b.check, "check", false, "check all rows and forecast, but take none")
	f.StringVar(&b.dryRun, "dry-run", "", "write the messages and a page to look through them into `DIR`, but take none")
	f.BoolVar(&b.addOnly, "add-only", false, "put the messages into the outbox and leave submitting to queue run")
	f.BoolVar(&b.yes, "yes", false, "start even when the limits spread the batch over more than a day")
	f.StringVar(&b.report, "report", "", "at the end write outcome, reply, queue id and time of each row into `FILE`.csv")
}

// runBatch is check, forecast, add, submit, account.
func runBatch(ctx context.Context, g *globals, b *batchFlags, name string) error {
	// What the rows leave behind is collected sooner than usual, so that a million
	// of them are checked in less than 100 MB.
	defer debug.SetGCPercent(debug.SetGCPercent(40))
	if isTemplate(b.name) {
		return exit.Usagef("--name %q: a batch has one name, which no row fills in", b.name)
	}
	if isTemplate(b.key) {
		return exit.Usagef("--key %q: write the name of the column alone", b.key)
	}
	texts, err := newTexts(g, nil, b.charset)
	if err != nil {
		return err
	}
	b.attached.g = g
	defer b.attached.close()
	offline := b.check || b.dryRun != "" || b.addOnly
	cfg, err := g.settings(ctx, offline)
	if err != nil {
		return err
	}
	plan, err := b.plan(ctx, cfg, texts)
	if err != nil {
		return err
	}
	if name == "-" && b.name == "" && !b.check && b.dryRun == "" {
		return exit.Usagef("rows from standard input need a --name for the batch")
	}
	rows, err := openRows(ctx, g, name, b.key)
	if err != nil {
		return err
	}
	rows.charset = texts.charset
	defer rows.close()
	checked, forecast, err := b.checkAndForecast(ctx, g, cfg, rows, plan)
	if err != nil {
		return err
	}
	if !g.json {
		g.Printf("%s\n", forecast)
	}
	switch {
	case b.check:
		return g.printForecast(forecast)
	case b.dryRun != "":
		return b.runDry(ctx, g, rows, plan)
	case cfg.NoMails:
		g.Printf("not submitted: SMTPSEND_NO_MAILS=1\n")
		return nil
	case forecast.Days > 1 && !b.yes:
		return exit.Usagef("the limits spread the batch over %d days: start it with --yes", forecast.Days)
	}
	if err := b.openReport(ctx, rows.file); err != nil {
		return err
	}
	return b.start(ctx, g, cfg, rows, plan, checked)
}

// checkAndForecast checks every row, and counts what is left of a batch that was
// begun before.
func (b *batchFlags) checkAndForecast(ctx context.Context, g *globals, cfg *config.Config, r *rowFile, plan batch.Plan) (checked batch.Checked, f batch.Forecast, err error) {
	forecast := func(c batch.Checked, u batch.Usage) batch.Forecast {
		return c.Forecast(cfg.MessagesPerMinute*cfg.TimeScale, cfg.RecipientsPerDay*cfg.TimeScale, u)
	}
	if cfg.StateDir == "" || !outbox.Exists(cfg.StateDir) || b.dryRun != "" {
		checked, err = b.checkAll(ctx, g, r, plan, nil)
		return checked, forecast(checked, batch.Usage{}), err
	}
	err = g.readOutbox(ctx, cfg, func(box *outbox.Outbox) error {
		var used batch.Usage
		checked, used, err = b.checkBeside(ctx, g, r, plan, box)
		f = forecast(checked, used)
		return err
	})
	return checked, f, err
}

// checkBeside checks the rows that the outbox does not know, and counts what waits
// there beside them.
func (b *batchFlags) checkBeside(ctx context.Context, g *globals, r *rowFile, plan batch.Plan, box *outbox.Outbox) (checked batch.Checked, used batch.Usage, err error) {
	var known batch.Known
	entry, err := mailmerge.Find(ctx, box, b.batchName(r.name))
	switch {
	case err == nil:
		if err := b.sameKey(entry); err != nil {
			return checked, used, err
		}
		known = func(keys []string) (map[string]bool, error) { return mailmerge.KnownRows(ctx, box, entry, keys) }
	case !errors.Is(err, store.ErrNotFound):
		return checked, used, exit.Outbox(err)
	}
	if checked, err = b.checkAll(ctx, g, r, plan, known); err != nil {
		return checked, used, err
	}
	used, err = checked.UsageOf(ctx, box, entry)
	return checked, used, exit.Outbox(err)
}

// openReport finds out before the first message that the report cannot be
// written. It stays open: root may be another user by the end.
func (b *batchFlags) openReport(ctx context.Context, rows *os.File) (err error) {
	if b.report == "" {
		return nil
	}
	if b.reportFile, err = ownfile.Writable(ctx, b.report); err != nil {
		return exit.With(exit.CannotCreate, err)
	}
	of, err := rows.Stat()
	if report, e := b.reportFile.Stat(); err == nil && e == nil && os.SameFile(report, of) {
		return exit.Usagef("--report %s is the file of rows", b.report)
	}
	return err
}

func (g *globals) printForecast(f batch.Forecast) error {
	if g.json {
		g.JSON(map[string]any{
			"messages": f.Messages, "recipients": f.Recipients, "mailboxes": f.Mailboxes, "days": f.Days, "done": f.Done,
			"recipients_used": f.Used, "ahead": f.Ahead, "last_at": orNil(f.Last), "takes_s": f.Takes.Seconds(), "exit_code": exit.OK,
		})
	}
	return nil
}

// plan makes the template of flags and file.
func (b *batchFlags) plan(ctx context.Context, cfg *config.Config, t *texts) (batch.Plan, error) {
	source, name, err := b.source(ctx, t)
	if err != nil {
		return batch.Plan{}, err
	}
	if len(source.To)+len(source.Cc)+len(source.Bcc) == 0 {
		source.To = mailtemplate.List{"{{.email}}"}
	}
	if source.Text == "" && source.HTML == "" && source.Markdown == "" {
		return batch.Plan{}, exit.Usagef("no body: use --template, --text-file, --html-file or --markdown-file")
	}
	compiled, err := mailtemplate.Compile(name, source)
	if err != nil {
		return batch.Plan{}, err
	}
	var base message.Draft
	s := &sendFlags{}
	if base.From, err = s.sender(cfg); err != nil {
		return batch.Plan{}, err
	}
	if base.From.IsZero() && source.From == "" {
		return batch.Plan{}, exit.Usagef("no From address: use --from, or set %sMAIL_SENDER", config.Prefix)
	}
	base.Mailbox, err = s.submitter(cfg)
	if err != nil {
		return batch.Plan{}, err
	}
	files, err := b.literal(ctx)
	return batch.Plan{Template: compiled, Base: base, Attachments: files}, err
}

// source is the template file with the flags laid over it.
func (b *batchFlags) source(ctx context.Context, t *texts) (s mailtemplate.Source, name string, err error) {
	name = "flags"
	if b.template != "" {
		name = b.template
		text, err := t.read(ctx, "--template", b.template, limits.TemplateSource)
		if err != nil {
			return s, name, err
		}
		if s, err = mailtemplate.ParseSource(b.template, text); err != nil {
			return s, name, err
		}
	}
	for _, over := range []struct {
		flag   string
		target *string
	}{{b.subject, &s.Subject}, {b.from, &s.From}, {b.mailbox, &s.Mailbox}, {b.at, &s.At}} {
		if over.flag != "" {
			*over.target = over.flag
		}
	}
	s.To, s.Cc, s.Bcc = append(s.To, b.to...), append(s.Cc, b.cc...), append(s.Bcc, b.bcc...)
	s.AttachDir = attachDir(b.attachDir, b.template)
	for _, path := range b.attach {
		if isTemplate(path) {
			s.Attach = append(s.Attach, path)
		}
	}
	for _, body := range []struct {
		flag, file string
		target     *string
	}{{"--text-file", b.textFile, &s.Text}, {"--html-file", b.htmlFile, &s.HTML}, {"--markdown-file", b.markdownFile, &s.Markdown}} {
		if body.file == "" {
			continue
		}
		if *body.target, err = t.read(ctx, body.flag, body.file, limits.TemplateSource); err != nil {
			return s, name, err
		}
	}
	return s, name, b.headers(&s)
}

// isTemplate reports a text that depends on the row.
func isTemplate(text string) bool { return strings.Contains(text, "{{") }

// literal are the files that the command line names, wherever they are.
func (b *batchFlags) literal(ctx context.Context) (list []message.Attachment, err error) {
	for _, value := range b.attach {
		if value == "" || isTemplate(value) {
			continue
		}
		if attachesStdin(value) {
			return nil, exit.Usagef("--attach %q: standard input is not taken here, name a file", value)
		}
		files, err := b.attached.find(ctx, value)
		if err != nil {
			return nil, err
		}
		list = append(list, files...)
	}
	return list, nil
}

func (b *batchFlags) headers(s *mailtemplate.Source) error {
	for _, h := range b.header {
		field, err := headerOf(h)
		if err != nil {
			return err
		}
		if s.Headers == nil {
			s.Headers = make(map[string]string)
		}
		s.Headers[field.Name] = field.Value
	}
	return nil
}

// sameKey refuses to go on with a batch by another key: each of its rows would be
// another row, and submitted again.
func (b *batchFlags) sameKey(entry mailmerge.Batch) error {
	_, key, known := strings.Cut(entry.SourceSum, "/")
	if !known || key == b.key {
		return nil
	}
	by := "without --key"
	if key != "" {
		by = "with --key " + key
	}
	return exit.Usagef("batch %q was started %s, by which its rows are known: do so again, or give another --name", entry.Name, by)
}

// shownProblems is how many wrong rows people are shown; --json has more.
const shownProblems = 20

// checkAll checks every row, and lists every problem with its row.
func (b *batchFlags) checkAll(ctx context.Context, g *globals, r *rowFile, plan batch.Plan, known batch.Known) (batch.Checked, error) {
	rows, err := r.rows()
	if err != nil {
		return batch.Checked{}, err
	}
	checked, err := batch.Check(ctx, rows, plan, known)
	var whole *batch.RowError
	if err != nil && !errors.As(err, &whole) {
		return checked, exit.Outbox(err)
	}
	if err != nil {
		return checked, exit.With(exit.Data, fmt.Errorf("%s: %w", r.name, err))
	}
	if checked.Legacy > 0 {
		g.Warningf("%s: line %d is not UTF-8: read as Windows-1252; --charset says what it is in, such as cp850", r.name, checked.Legacy)
	}
	if checked.Twice > 0 {
		g.Warningf("%s: %d %s in the file before: one message for both", r.name, checked.Twice, plural(checked.Twice, "row stands", "rows stand"))
	}
	if checked.Bad == 0 && checked.Rows == 0 {
		return checked, exit.With(exit.Data, fmt.Errorf("%s: no rows", r.name))
	}
	if checked.Bad == 0 {
		g.unsent(checked.Unsent, "batch sends no images along: name one of the web, by https:")
		return checked, nil
	}
	text := fmt.Sprintf("%s: %d of %d rows cannot be used; nothing was submitted", r.name, checked.Bad, checked.Bad+checked.Rows)
	if checked.Unread {
		text = fmt.Sprintf("%s: %d rows cannot be used, and more were not looked at; nothing was submitted", r.name, checked.Bad)
	}
	if g.json {
		problems := []map[string]any{}
		for _, p := range checked.Problems {
			problems = append(problems, map[string]any{"row": p.N, "line": p.Line, "problem": p.Err.Error()})
		}
		g.JSON(map[string]any{"error": text, "bad_rows": checked.Bad, "unread": checked.Unread, "problems": problems, "exit_code": exit.Data})
		return checked, &exit.Error{Code: exit.Data, Err: errors.New(text), Shown: true}
	}
	for _, p := range checked.Problems[:min(len(checked.Problems), shownProblems)] {
		g.Errorf("%s", &p)
	}
	if more := max(checked.Bad, len(checked.Problems)) - shownProblems; more > 0 {
		g.Errorf("and %d more", more)
	}
	return checked, exit.With(exit.Data, errors.New(text))
}

func (b *batchFlags) runDry(ctx context.Context, g *globals, r *rowFile, plan batch.Plan) error {
	rows, err := r.rows()
	if err != nil {
		return err
	}
	n, err := batch.DryRun(ctx, rows, plan, b.dryRun, filepath.Base(r.name))
	if ctx.Err() != nil {
		return err
	}
	if err != nil {
		return exit.With(exit.CannotCreate, err)
	}
	index := filepath.Join(b.dryRun, "index.html")
	if g.json {
		g.JSON(map[string]any{"submitted": false, "messages": n, "index": index, "exit_code": exit.OK})
		return nil
	}
	g.Printf("not submitted: --dry-run; %d %s written, to be looked through in %s\n", n, plural(n, "message", "messages"), index)
	return nil
}

// batchName is the name given, else that of the file.
func (b *batchFlags) batchName(file string) string {
	if b.name != "" {
		return b.name
	}
	return filepath.Base(file)
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
		err = batch.Report(ctx, f, box, entry, mailReason)
	}
	if err := errors.Join(err, f.Close()); err != nil {
		return exit.With(exit.IO, err)
	}
	return nil
}

// startedAgo says when a batch of that name was begun before.
func startedAgo(at time.Time) string { return at.Local().Format("2006-01-02 15:04") }
