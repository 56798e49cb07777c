package main

import (
	"context"
	"errors"
	"fmt"
	"math"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/outbox/queueid"
	"github.com/smtpsend/smtpsend/internal/printable"
	"github.com/smtpsend/smtpsend/internal/stdio"
)

func newQueueLs(g *globals) *cobra.Command {
	var q queueFlags
	cmd := &cobra.Command{
		Use:   "ls [flags]",
		Short: "List messages, the newest first, and say in words why each waits and until when",
		Args:  noArguments,
		RunE:  func(cmd *cobra.Command, _ []string) error { return runQueueLs(cmd.Context(), g, &q) },
	}
	q.define(cmd)
	cmd.Flags().BoolVar(&q.all, "all", false, "finished messages too")
	cmd.Flags().IntVarP(&q.limit, "limit", "n", 50, "at most `N`; 0 is all")
	return cmd
}

func runQueueLs(ctx context.Context, g *globals, q *queueFlags) error {
	return g.lookInto(ctx, func(box *outbox.Outbox) error {
		f, err := q.filter(ctx, box, nil, time.Now())
		if err != nil {
			return err
		}
		if !q.all && len(f.States) == 0 && f.Since.IsZero() {
			f.States = []outbox.State{outbox.Ready, outbox.Sending, outbox.Held, outbox.Dead}
		}
		f.All = false
		list, more, err := limited(f, func(f operator.Filter) ([]operator.Mail, error) { return operator.List(ctx, box, f) })
		if err != nil {
			return exit.Outbox(err)
		}
		if g.json {
			views := []mailView{}
			for _, m := range list {
				views = append(views, newMailView(m))
			}
			g.JSON(map[string]any{"messages": views, "more": more, "exit_code": exit.OK})
			return nil
		}
		g.printMails(list)
		g.noteMore(more, len(list))
		return nil
	})
}

// limited lists no more than the filter's limit, and says whether there is more.
func limited[T any](f operator.Filter, list func(operator.Filter) ([]T, error)) (found []T, more bool, err error) {
	limit := f.Limit
	if limit > 0 {
		f.Limit++
	}
	if found, err = list(f); err != nil || limit <= 0 || len(found) <= limit {
		return found, false, err
	}
	return found[:limit], true, nil
}

// noteMore says that a list was cut.
func (g *globals) noteMore(more bool, shown int) {
	if more {
		g.Line("note", "there are more than these %d; --limit 0 shows all", shown)
	}
}

// printMails writes a table that fits the terminal: the last column, which is
// the longest, is cut.
func (g *globals) printMails(list []operator.Mail) {
	if len(list) == 0 {
		g.Printf("no messages\n")
		return
	}
	t := stdio.NewTable(g.Printer, "QUEUE ID", "STATE", "MAILBOX", "TO", "SIZE", "TRIES", "AGE", "WHY IT WAITS")
	now := time.Now()
	for _, m := range list {
		t.Row(string(m.QID), string(m.State), m.Mailbox, fmt.Sprint(m.Recipients), size(m.Size), fmt.Sprint(m.Attempts),
			since(m.CreatedAt, now), why(m, now, inTable))
	}
	t.Flush()
}

// inTable is for a list in which a mailbox's reason stands beside each message:
// the whole is in queue show and queue why.
const inTable = 160

// why says, in about so many characters, why a message waits and until when, or
// how it ended.
func why(m operator.Mail, now time.Time, most int) string {
	text := mailReason(m)
	if text == "" && m.State != outbox.Sent {
		text = m.Text
	}
	text = atMost(diagnosis.Short(text), most)
	if !m.WaitsUntil.IsZero() && m.WaitsUntil.After(now) {
		text += ", until " + clock(m.WaitsUntil, now)
	}
	if m.ProbeAt.After(now) {
		text += ", tried again at " + clock(m.ProbeAt, now)
	}
	return text
}

// clock is a time as short as it can be.
func clock(at, now time.Time) string {
	if at.Sub(now).Abs() < 12*time.Hour {
		return at.Local().Format("15:04:05")
	}
	return at.Local().Format("2006-01-02 15:04")
}

// since is an age: none, when the clock was ahead then.
func since(at, now time.Time) string {
	d := max(now.Sub(at), 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}

func size(n int64) string {
	switch {
	case n < 10_000:
		return fmt.Sprint(n)
	case n < 10_000_000:
		return fmt.Sprintf("%dk", n/1000)
	}
	return fmt.Sprintf("%dM", n/1_000_000)
}

func newQueueShow(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "show QUEUE-ID...",
		Short: "Show a message: envelope, outcome per recipient, and every attempt with the server's words",
		Args:  someIDs,
		RunE:  func(cmd *cobra.Command, args []string) error { return runQueueShow(cmd.Context(), g, args) },
	}
}

func someIDs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return exit.Usagef("%q needs a queue id; see smtpsend queue ls", cmd.CommandPath())
	}
	return nil
}

func runQueueShow(ctx context.Context, g *globals, ids []string) error {
	return g.lookInto(ctx, func(box *outbox.Outbox) error {
		var details []operator.Detail
		for _, id := range ids {
			d, err := operator.Show(ctx, box, queueid.ID(id))
			if err != nil {
				return exit.Outbox(fmt.Errorf("%s: %w", id, err))
			}
			details = append(details, d)
		}
		return g.printDetails(details, false)
	})
}

func (g *globals) printDetails(details []operator.Detail, more bool) error {
	if g.json {
		views := []detailView{}
		for _, d := range details {
			views = append(views, newDetailView(d))
		}
		g.JSON(map[string]any{"messages": views, "more": more, "exit_code": exit.OK})
		return nil
	}
	for i, d := range details {
		if i > 0 {
			g.Printf("\n")
		}
		g.printDetail(d)
	}
	g.noteMore(more, len(details))
	return nil
}

func (g *globals) printDetail(d operator.Detail) {
	now := time.Now()
	g.Printf("%s  %s", d.QID, d.State)
	if text := why(d.Mail, now, math.MaxInt); text != "" && d.State != outbox.Sent {
		g.Printf("  %s", printable.Line(text))
	}
	g.Printf("\nmailbox     %s\nmessage-id  %s\ntaken       %s by %s, %d octets\n", d.Mailbox, d.MessageID,
		d.CreatedAt.Local().Format("2006-01-02 15:04:05"), d.Source, d.Size)
	if d.Row != "" {
		g.Printf("row         %s\n", printable.Line(d.Row))
	}
	for _, r := range d.RecipientStates {
		g.Printf("recipient   %-10s%s%s\n", r.State, r.ForwardPath, atMost(printable.Line(tail(codeText(r.Code, r.Text))), 120))
	}
	for _, e := range d.Events {
		g.Printf("%s  %-12s%s\n", e.At.Local().Format("2006-01-02 15:04:05"), e.Kind,
			atMost(printable.Line(strings.TrimSpace(e.Recipient+" "+codeText(e.Code, e.Text))), 140))
	}
}

func codeText(code int, text string) string {
	if code == 0 {
		return text
	}
	return fmt.Sprintf("%d %s", code, text)
}

func newQueueHistory(g *globals) *cobra.Command {
	var q queueFlags
	cmd := &cobra.Command{
		Use:     "history [flags]",
		Short:   "What happened to the messages of a day, to or from an address",
		Example: `  smtpsend queue history --to ann@contoso.com --on tuesday`,
		Args:    noArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return runQueueHistory(cmd.Context(), g, &q) },
	}
	q.define(cmd)
	cmd.Flags().IntVarP(&q.limit, "limit", "n", 20, "at most `N` messages; 0 is all")
	return cmd
}

func runQueueHistory(ctx context.Context, g *globals, q *queueFlags) error {
	return g.lookInto(ctx, func(box *outbox.Outbox) error {
		f, err := q.filter(ctx, box, nil, time.Now())
		if err != nil {
			return err
		}
		details, more, err := limited(f, func(f operator.Filter) ([]operator.Detail, error) { return operator.History(ctx, box, f) })
		if err != nil {
			return exit.Outbox(err)
		}
		if len(details) == 0 && !g.json {
			g.Printf("no messages\n")
			return nil
		}
		return g.printDetails(details, more)
	})
}

func newQueueCat(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "cat QUEUE-ID",
		Short: "Print the content of a message as it will be, or was, submitted",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return exit.Usagef("%q takes one queue id", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.lookInto(cmd.Context(), func(box *outbox.Outbox) error {
				body, err := box.Body(cmd.Context(), queueid.ID(args[0]))
				if err != nil {
					return exit.Outbox(err)
				}
				err = g.Copy(body)
				if err = errors.Join(err, body.Close()); err != nil {
					return exit.With(exit.IO, err)
				}
				return nil
			})
		},
	}
}

func newQueueBackup(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:   "backup FILE",
		Short: "Write a copy of the outbox into a new file while everything goes on",
		Args: func(cmd *cobra.Command, args []string) error {
			if len(args) != 1 {
				return exit.Usagef("%q takes one file", cmd.CommandPath())
			}
			return nil
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			return g.lookInto(cmd.Context(), func(box *outbox.Outbox) error {
				if err := box.Backup(cmd.Context(), args[0]); err != nil {
					return exit.With(exit.CannotCreate, err)
				}
				if g.json {
					g.JSON(map[string]any{"file": args[0], "exit_code": exit.OK})
				} else {
					g.Printf("copied to %s\n", args[0])
				}
				return nil
			})
		},
	}
}
