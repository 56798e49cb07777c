package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/smtpsend/smtpsend/internal/batch"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/rows"
	"github.com/smtpsend/smtpsend/internal/view"
)

// checkAndForecast checks every row, and counts what is left of a batch that was
// begun before.
func (b *batchFlags) checkAndForecast(ctx context.Context, g *globals, cfg *config.Config, file *rows.File, plan batch.Plan) (checked batch.Checked, f batch.Forecast, err error) {
	forecast := func(c batch.Checked, u batch.Usage) batch.Forecast {
		return c.Forecast(cfg.MessagesPerMinute*cfg.TimeScale, cfg.RecipientsPerDay*cfg.TimeScale, u)
	}
	if cfg.StateDir == "" || !outbox.Exists(cfg.StateDir) || b.dryRun != "" {
		checked, err = b.checkAll(ctx, g, file, plan, nil)
		return checked, forecast(checked, batch.Usage{}), err
	}
	err = g.readOutbox(ctx, cfg, func(box *outbox.Outbox) error {
		var used batch.Usage
		checked, used, err = b.checkBeside(ctx, g, file, plan, box)
		f = forecast(checked, used)
		return err
	})
	return checked, f, err
}

// checkBeside checks the rows that the outbox does not know, and counts what waits
// there beside them.
func (b *batchFlags) checkBeside(ctx context.Context, g *globals, f *rows.File, plan batch.Plan, box *outbox.Outbox) (checked batch.Checked, used batch.Usage, err error) {
	known, entry, err := batch.KnownIn(ctx, box, b.batchName(f.Name()), b.key)
	if other, ok := errors.AsType[*batch.OtherKeyError](err); ok {
		by := "without --key"
		if other.Key != "" {
			by = "with --key " + other.Key
		}
		return checked, used, exit.Usagef("batch %q was started %s, by which its rows are known: do so again, or give another --name", other.Batch, by)
	}
	if err != nil {
		return checked, used, err
	}
	if checked, err = b.checkAll(ctx, g, f, plan, known); err != nil {
		return checked, used, err
	}
	used, err = checked.UsageOf(ctx, box, entry)
	return checked, used, exit.Outbox(err)
}

func printForecast(g *globals, f batch.Forecast) error {
	if g.json {
		g.JSON(map[string]any{
			"messages": f.Messages, "recipients": f.Recipients, "mailboxes": f.Mailboxes, "days": f.Days, "done": f.Done,
			"recipients_used": f.Used, "ahead": f.Ahead, "last_at": view.OrNil(f.Last), "takes_s": f.Takes.Seconds(), "exit_code": exit.OK,
		})
	}
	return nil
}

// shownProblems is how many wrong rows people are shown; --json has more.
const shownProblems = 20

// checkAll checks every row, and lists every problem with its row.
func (b *batchFlags) checkAll(ctx context.Context, g *globals, f *rows.File, plan batch.Plan, known batch.Known) (batch.Checked, error) {
	checked, err := batch.CheckFile(ctx, f, plan, known)
	if err != nil {
		return checked, err
	}
	return checked, tellChecked(g, f.Name(), checked)
}

// tellChecked warns of what is odd about the rows. The error is about those that
// cannot be used.
func tellChecked(g *globals, name string, checked batch.Checked) error {
	if checked.Legacy > 0 {
		g.Warningf("%s: line %d is not UTF-8: read as Windows-1252; --charset says what it is in, such as cp850", name, checked.Legacy)
	}
	if checked.Twice > 0 {
		g.Warningf("%s: %d %s in the file before: one message for both", name, checked.Twice, view.Plural(checked.Twice, "row stands", "rows stand"))
	}
	if checked.Bad == 0 && checked.Rows == 0 {
		return exit.With(exit.Data, fmt.Errorf("%s: no rows", name))
	}
	if checked.Bad == 0 {
		view.Unsent(g.Printer, checked.Unsent, "batch sends no images along: name one of the web, by https:")
		return nil
	}
	return tellBadRows(g, name, checked)
}

// tellBadRows lists the rows that cannot be used.
func tellBadRows(g *globals, name string, checked batch.Checked) error {
	text := fmt.Sprintf("%s: %d of %d rows cannot be used; nothing was submitted", name, checked.Bad, checked.Bad+checked.Rows)
	if checked.Unread {
		text = fmt.Sprintf("%s: %d rows cannot be used, and more were not looked at; nothing was submitted", name, checked.Bad)
	}
	if g.json {
		problems := []map[string]any{}
		for _, p := range checked.Problems {
			problems = append(problems, map[string]any{"row": p.N, "line": p.Line, "problem": advised(p.Err).Error()})
		}
		g.JSON(map[string]any{"error": text, "bad_rows": checked.Bad, "unread": checked.Unread, "problems": problems, "exit_code": exit.Data})
		return &exit.Error{Code: exit.Data, Err: errors.New(text), Shown: true}
	}
	for _, p := range checked.Problems[:min(len(checked.Problems), shownProblems)] {
		g.Errorf("%v", advised(&p))
	}
	if more := max(checked.Bad, len(checked.Problems)) - shownProblems; more > 0 {
		g.Errorf("and %d more", more)
	}
	return exit.With(exit.Data, errors.New(text))
}
