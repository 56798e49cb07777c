package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/smtpsend/smtpsend/internal/batch"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/exchange"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/exit/ending"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/rows"
	"github.com/smtpsend/smtpsend/internal/view"
)

// checkAndForecast checks every row, and counts what is left of a batch that was
// begun before.
func (b *batchFlags) checkAndForecast(ctx context.Context, g *application, cfg *config.Config, file *rows.File, plan batch.Plan) (checked batch.Checked, f batch.Forecast, err error) {
	forecast := func(c batch.Checked, u batch.Usage) batch.Forecast {
		return c.Forecast(scaledLimit(cfg.MessagesPerMinute, cfg), scaledLimit(cfg.RecipientsPerDay, cfg), u)
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

// scaledLimit is a limit for a forecast; one that is not there is not reached.
func scaledLimit(n int, cfg *config.Config) int {
	if n == 0 || n == exchange.Uncounted {
		return exchange.Uncounted
	}
	return n * cfg.TimeScale
}

// checkBeside checks the rows that the outbox does not know, and counts what waits
// there beside them.
func (b *batchFlags) checkBeside(ctx context.Context, g *application, f *rows.File, plan batch.Plan, box *outbox.Outbox) (checked batch.Checked, used batch.Usage, err error) {
	known, entry, err := batch.KnownIn(ctx, box, b.batchName(f.Name()), b.key)
	if other, ok := errors.AsType[*batch.OtherKeyError](err); ok {
		by := "without --key"
		if other.Key != "" {
			by = "with --key " + other.Key
		}
		return checked, used, exit.Usagef("batch %q was started %s, which identifies its rows: use the same again, or give another --name", other.Batch, by)
	}
	if err != nil {
		return checked, used, err
	}
	if checked, err = b.checkAll(ctx, g, f, plan, known); err != nil {
		return checked, used, err
	}
	used, err = checked.UsageOf(ctx, box, entry)
	return checked, used, ending.Outbox(err)
}

// checkAll checks every row, and lists every problem with its row.
func (b *batchFlags) checkAll(ctx context.Context, g *application, f *rows.File, plan batch.Plan, known batch.Known) (batch.Checked, error) {
	checked, err := batch.CheckFile(ctx, f, plan, known)
	if err != nil {
		return checked, err
	}
	view.Rows(g.out, f.Name(), checked)
	switch {
	case checked.Bad == 0 && checked.Rows == 0:
		return checked, exit.With(exit.Data, fmt.Errorf("%s: no rows", f.Name()))
	case checked.Bad == 0:
		return checked, nil
	}
	bad := view.NewBadRows(f.Name(), checked, advised)
	g.show(bad)
	return checked, &exit.Error{Code: exit.Data, Err: errors.New(bad.Error), Shown: g.json}
}
