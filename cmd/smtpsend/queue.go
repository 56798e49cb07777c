package main

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/mailmerge"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/outbox/queueid"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
)

// queueFlags name messages of the outbox.
type queueFlags struct {
	mailbox, to, from, state, row string
	since, on                     string
	batch                         string
	all, yes                      bool
	limit                         int
}

func newQueue(g *globals) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "queue",
		GroupID: groupSubmit,
		Short:   "Look into the outbox, change what waits there, and submit what is due",
		Long: `The outbox keeps messages until Exchange has taken them. One process at a time
submits from it: "smtpsend queue run", or a batch. Everything else may be done
meanwhile.

` + exit.Help,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newQueueLs(g), newQueueShow(g), newQueueWhy(g), newQueueHistory(g), newQueueStats(g), newQueueRun(g),
		newQueueCat(g), newQueueBackup(g))
	for _, a := range queueActions {
		cmd.AddCommand(newQueueAct(g, a))
	}
	return cmd
}

// define declares the flags that name messages.
func (q *queueFlags) define(cmd *cobra.Command) {
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&q.mailbox, "mailbox", "", "of the mailbox `ADDRESS`")
	f.StringVar(&q.state, "state", "", "in one of these states: ready, sending, held, sent, dead, cancelled")
	f.StringVar(&q.to, "to", "", "to the recipient `ADDRESS`, or @DOMAIN")
	f.StringVar(&q.from, "from", "", "from the reverse-path `ADDRESS`, or @DOMAIN")
	f.StringVar(&q.batch, "batch", "", "of the batch `NAME`")
	f.StringVar(&q.row, "row", "", "of the batch's row `KEY`")
	f.StringVar(&q.since, "since", "", "that were in the outbox since `TIME`, such as 2h, 2026-11-17 or \"2026-11-17 08:00\"")
	f.StringVar(&q.on, "on", "", "that were in the outbox on `DAY`, such as 2026-11-17, yesterday or tuesday")
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
			return f, exit.Usagef("--state %q: is none of ready, sending, held, sent, dead, cancelled", s)
		}
	}
	if q.batch != "" {
		b, err := mailmerge.Find(ctx, box, q.batch)
		if err != nil {
			return f, exit.Outbox(err)
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
		day, err := dayOf(q.on, now)
		if err != nil {
			return since, until, err
		}
		return day, day.AddDate(0, 0, 1), nil
	}
	if q.since != "" {
		since, err = timeOf(q.since, now)
	}
	return since, until, err
}

// timeOf reads a time, or how long ago it was.
func timeOf(text string, now time.Time) (time.Time, error) {
	if ago, err := time.ParseDuration(text); err == nil {
		return now.Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if at, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return at, nil
		}
	}
	return dayOf(text, now)
}

// dayOf reads a day: a date, today, yesterday, or the last day of that name.
func dayOf(text string, now time.Time) (time.Time, error) {
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location())
	switch word := strings.ToLower(text); word {
	case "today":
		return today, nil
	case "yesterday":
		return today.AddDate(0, 0, -1), nil
	default:
		for back := 1; back <= 7; back++ {
			day := today.AddDate(0, 0, -back)
			if name := strings.ToLower(day.Weekday().String()); name == word || (len(word) >= 3 && strings.HasPrefix(name, word)) {
				return day, nil
			}
		}
	}
	day, err := time.ParseInLocation("2006-01-02", text, now.Location())
	if err != nil {
		return day, exit.Usagef("%q is not a day such as 2026-11-17, yesterday or tuesday", text)
	}
	return day, nil
}

// withOutbox opens the outbox for a verb that needs no credentials.
func (g *globals) withOutbox(ctx context.Context, do func(*outbox.Outbox) error) error {
	cfg, err := g.settings(ctx, true)
	if err != nil {
		return err
	}
	box, err := g.openOutbox(ctx, cfg)
	if err != nil {
		return err
	}
	defer box.Close()
	return do(box)
}

// lookInto is withOutbox for a verb that changes nothing.
func (g *globals) lookInto(ctx context.Context, do func(*outbox.Outbox) error) error {
	cfg, err := g.settings(ctx, true)
	if err != nil {
		return err
	}
	return g.readOutbox(ctx, cfg, do)
}

// queueAction is a verb that changes messages.
type queueAction struct {
	action      outbox.Action
	verb, short string
	past        string
	long        string // "" = short says all
}

var queueActions = []queueAction{
	{outbox.Retry, "retry", "Make waiting, held and refused messages due now; recipients that were accepted stay so", "due now", ""},
	{outbox.Hold, "hold", "Keep waiting messages until they are released; with --mailbox alone, the mailbox", "held", ""},
	{outbox.Free, "release", "Release held messages; with --mailbox alone, the mailbox", "released", ""},
	{outbox.Cancel, "cancel", "Never submit waiting and held messages; their history stays", "cancelled", ""},
	{outbox.Discard, "rm", "Remove messages and their history from the outbox", "removed", `Remove messages and their history from the outbox.

A message that waits, or is held, is then never sent. So rm asks before it removes
one; where there is no terminal to ask at, it needs --yes and removes nothing
without it. "queue cancel" stops a message and keeps its history.

The rows of a batch stay known: the same batch does not send them again.`},
}

func newQueueAct(g *globals, a queueAction) *cobra.Command {
	var q queueFlags
	cmd := &cobra.Command{
		Use:   a.verb + " [flags] [QUEUE-ID...]",
		Short: a.short,
		Long:  a.long,
		Args:  cobra.ArbitraryArgs,
		RunE: func(cmd *cobra.Command, args []string) error {
			return runQueueAct(cmd.Context(), g, &q, a.action, a.past, args)
		},
	}
	q.define(cmd)
	cmd.Flags().BoolVar(&q.all, "all", false, "every message")
	if a.action == outbox.Discard {
		cmd.Flags().BoolVar(&q.yes, "yes", false, "remove messages that wait, without a question")
	}
	return cmd
}

func runQueueAct(ctx context.Context, g *globals, q *queueFlags, action outbox.Action, past string, args []string) error {
	return g.withOutbox(ctx, func(box *outbox.Outbox) error {
		if q.mailboxAlone(args) && (action == outbox.Hold || action == outbox.Free) {
			return actOnMailbox(ctx, g, box, q.mailbox, action)
		}
		f, err := q.filter(ctx, box, args, time.Now())
		if err != nil {
			return err
		}
		named := f
		if action == outbox.Discard {
			if f, err = g.toRemove(ctx, box, f, q.yes); err != nil {
				return exit.Outbox(err)
			}
		}
		n, notDone, err := act(ctx, box, action, f)
		if err != nil {
			return exit.Outbox(err)
		}
		err = g.noteSending(ctx, box, action, named)
		if action == outbox.Retry || action == outbox.Free {
			err = g.newTally(nil).noteStopped(ctx, box)
		}
		if err != nil {
			return exit.Outbox(err)
		}
		code := exit.OK
		if len(notDone) > 0 {
			code = exit.NoInput
		}
		if g.json {
			g.JSON(map[string]any{"action": action, "messages": n, "not_done": notDone, "exit_code": code})
		} else if n > 0 || len(notDone) == 0 {
			g.Printf("%d %s %s\n", n, plural(n, "message", "messages"), past)
		}
		for _, text := range notDone {
			if !g.json {
				g.Errorf("%s", text)
			}
		}
		if code == exit.OK {
			return nil
		}
		return &exit.Error{Code: code, Err: errors.New(strings.Join(notDone, "; ")), Shown: true}
	})
}

// noteSending says how many of the messages that a filter names were left out
// because they are being submitted.
func (g *globals) noteSending(ctx context.Context, box *outbox.Outbox, action outbox.Action, f operator.Filter) error {
	if action == outbox.Free || action == outbox.Retry || len(f.QIDs) > 0 || (len(f.States) > 0 && !slices.Contains(f.States, outbox.Sending)) {
		return nil
	}
	f.States = []outbox.State{outbox.Sending}
	list, err := operator.List(ctx, box, f)
	if err == nil && len(list) > 0 {
		g.Line("note", "%s being submitted: %s does not apply to what is under way", plural(len(list), "1 more is", fmt.Sprint(len(list))+" more are"), action)
	}
	return err
}

// act does the action to what f names. Messages that are named one by one are
// handled one by one: of each it says why nothing was done to it.
func act(ctx context.Context, box *outbox.Outbox, action outbox.Action, f operator.Filter) (n int, notDone []string, err error) {
	notDone = []string{}
	if len(f.QIDs) == 0 {
		n, err = operator.Act(ctx, box, action, f)
		return n, notDone, err
	}
	for _, qid := range f.QIDs {
		one := f
		one.QIDs = []queueid.ID{qid}
		done, err := operator.Act(ctx, box, action, one)
		if n += done; done > 0 {
			continue
		}
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return n, notDone, err
		}
		d, err := operator.Show(ctx, box, qid)
		switch {
		case errors.Is(err, store.ErrNotFound):
			notDone = append(notDone, fmt.Sprintf("%s: no such message", qid))
		case err != nil:
			return n, notDone, err
		default:
			notDone = append(notDone, fmt.Sprintf("%s is %s: %s does not apply", qid, d.State, action))
		}
	}
	return n, notDone, nil
}

// mailboxAlone reports that nothing but a mailbox was named.
func (q *queueFlags) mailboxAlone(args []string) bool {
	other := *q
	other.mailbox, other.limit = "", 0
	return q.mailbox != "" && len(args) == 0 && other == queueFlags{}
}

func actOnMailbox(ctx context.Context, g *globals, box *outbox.Outbox, mailbox string, action outbox.Action) error {
	word := "released"
	err := error(nil)
	if action == outbox.Hold {
		word, err = "held", box.Mailboxes().Hold(ctx, mailbox, "held by an operator")
	} else {
		err = box.Mailboxes().Release(ctx, mailbox)
	}
	if err != nil {
		return exit.Outbox(err)
	}
	if g.json {
		g.JSON(map[string]any{"action": action, "mailbox": mailbox, "exit_code": exit.OK})
		return nil
	}
	g.Printf("mailbox %s %s\n", mailbox, word)
	return nil
}

// counted is a number with its noun.
func counted(n int, noun string) string { return fmt.Sprintf("%d %s", n, plural(n, noun, noun+"s")) }

func plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}
