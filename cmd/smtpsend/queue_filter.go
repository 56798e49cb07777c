package main

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/exit/ending"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/mailmerge"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/outbox/queueid"
)

// queueFlags name messages of the outbox.
type queueFlags struct {
	mailbox, to, from, state, row string
	since, on                     string
	batch                         string
	all, yes                      bool
	limit                         int
}

// define declares the flags that name messages.
func (q *queueFlags) define(cmd *cobra.Command) {
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&q.mailbox, "mailbox", "", "messages of the mailbox `ADDRESS`")
	f.StringVar(&q.state, "state", "", "messages in one of these states: ready (waiting), sending, held, sent, dead (refused or expired), cancelled")
	f.StringVar(&q.to, "to", "", "messages to the recipient `ADDRESS`, or @DOMAIN")
	f.StringVar(&q.from, "from", "", "messages from the reverse-path `ADDRESS`, or @DOMAIN")
	f.StringVar(&q.batch, "batch", "", "messages of the batch `NAME`")
	f.StringVar(&q.row, "row", "", "messages of the row `KEY` of the batch")
	f.StringVar(&q.since, "since", "", "messages that were in the outbox since `TIME`, such as 2h, 2026-11-17 or \"2026-11-17 08:00\"")
	f.StringVar(&q.on, "on", "", "messages that were in the outbox on `DAY`, such as 2026-11-17, yesterday or tuesday")
}

// filter is what the flags and arguments name.
func (q *queueFlags) filter(ctx context.Context, box *outbox.Outbox, args []string, now time.Time) (operator.Filter, error) {
	f := operator.Filter{Mailbox: q.mailbox, To: q.to, From: q.from, Row: q.row, All: q.all, Limit: q.limit}
	for _, arg := range args {
		f.QIDs = append(f.QIDs, queueid.ID(arg))
	}
	for _, s := range strings.FieldsFunc(q.state, func(r rune) bool { return r == ',' || r == ' ' }) {
		switch state := outbox.State(s); state {
		case outbox.Ready, outbox.Sending, outbox.Held, outbox.Sent, outbox.Dead, outbox.Cancelled:
			f.States = append(f.States, state)
		default:
			return f, exit.Usagef("--state %q: is not one of ready, sending, held, sent, dead, cancelled", s)
		}
	}
	if q.batch != "" {
		b, err := mailmerge.Find(ctx, box, q.batch)
		if err != nil {
			return f, ending.Outbox(err)
		}
		f.Batch = b.ID
	}
	var err error
	if f.Since, f.Until, err = q.span(now); err != nil {
		return f, err
	}
	return f, nil
}

// span is the time that --since or --on names.
func (q *queueFlags) span(now time.Time) (since, until time.Time, err error) {
	if q.since != "" && q.on != "" {
		return since, until, exit.Usagef("--since and --on exclude each other")
	}
	if q.on != "" {
		day, err := operator.ParseDay(q.on, now)
		if err != nil {
			return since, until, exit.With(exit.Usage, err)
		}
		return day, day.AddDate(0, 0, 1), nil
	}
	if q.since != "" {
		if since, err = operator.ParseTime(q.since, now); err != nil {
			err = exit.With(exit.Usage, err)
		}
	}
	return since, until, err
}

// mailboxAlone reports that nothing but a mailbox was named.
func (q *queueFlags) mailboxAlone(args []string) bool {
	other := *q
	other.mailbox, other.limit = "", 0
	return q.mailbox != "" && len(args) == 0 && other == queueFlags{}
}
