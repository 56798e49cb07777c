package outbox_test

import (
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/mailbox"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/outbox/queueid"
	"github.com/smtpsend/smtpsend/internal/outbox/spool"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

func TestActions(t *testing.T) {
	// What each action does to a message in each state: the state after it, ""
	// when it does not apply.
	type states map[outbox.State]outbox.State
	want := map[outbox.Action]states{
		outbox.Retry:   {outbox.Ready: outbox.Ready, outbox.Held: outbox.Ready, outbox.Dead: outbox.Ready},
		outbox.Hold:    {outbox.Ready: outbox.Held},
		outbox.Free:    {outbox.Held: outbox.Ready},
		outbox.Cancel:  {outbox.Ready: outbox.Cancelled, outbox.Held: outbox.Cancelled},
		outbox.Discard: {outbox.Ready: "gone", outbox.Held: "gone", outbox.Dead: "gone", outbox.Sent: "gone", outbox.Cancelled: "gone"},
	}
	make := map[outbox.State]func(f *fixture) queueid.ID{
		outbox.Ready: func(f *fixture) queueid.ID { return f.put(mail()) },
		outbox.Held: func(f *fixture) queueid.ID {
			q := f.put(mail())
			f.act(outbox.Hold, q)
			return q
		},
		outbox.Dead: func(f *fixture) queueid.ID {
			q := f.put(mail())
			c := f.allowed()
			f.finish(c, failed(c, smtp.Permanent, diagnosis.ClassPermanent, smtp.StageContent, unknown))
			return q
		},
		outbox.Sent: func(f *fixture) queueid.ID {
			q := f.put(mail())
			c := f.allowed()
			f.finish(c, all(c, smtp.Accepted))
			return q
		},
		outbox.Cancelled: func(f *fixture) queueid.ID {
			q := f.put(mail())
			f.act(outbox.Cancel, q)
			return q
		},
		outbox.Sending: func(f *fixture) queueid.ID {
			q := f.put(mail())
			f.claim()
			return q
		},
	}
	for action, after := range want {
		for state, create := range make {
			t.Run(string(action)+" "+string(state), func(t *testing.T) {
				conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
					f.lock()
					q := create(f)
					n := f.act(action, q)
					expect, applies := after[state]
					if !applies {
						expect = state
					}
					if (n == 1) != applies {
						t.Errorf("applied to %d", n)
					}
					d, err := f.Show(f.ctx, q)
					if expect == "gone" {
						if !errors.Is(err, store.ErrNotFound) {
							t.Errorf("still there: %v", err)
						}
						return
					}
					if d.State != expect {
						t.Errorf("state %s, want %s", d.State, expect)
					}
					if waits := expect == outbox.Ready || expect == outbox.Held || expect == outbox.Sending; (d.Open == 1) != waits || (d.RecipientStates[0].State == outbox.RecipientOpen) != waits {
						t.Errorf("%d recipients wait, the first is %s", d.Open, d.RecipientStates[0].State)
					}
					if _, err := f.read(q); (expect == outbox.Cancelled || expect == outbox.Sent) != errors.Is(err, spool.ErrNoContent) {
						t.Errorf("content of a %s message: %v", expect, err)
					}
				})
			})
		}
	}
}

// What ends while somebody reads it is not damaged.
func TestContentThatIsDeletedWhileItIsRead(t *testing.T) {
	for action, want := range map[outbox.Action]error{outbox.Cancel: spool.ErrNoContent, outbox.Discard: store.ErrNotFound} {
		conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
			q, _, err := f.Accept(f.ctx, mail(), strings.NewReader(content+strings.Repeat("more\r\n", 1<<18))) // more than a chunk
			if err != nil {
				t.Fatal(err)
			}
			b, err := f.Body(f.ctx, q)
			if err != nil {
				t.Fatal(err)
			}
			defer b.Close()
			f.act(action, q)
			if _, err := io.Copy(io.Discard, b); !errors.Is(err, want) || errors.Is(err, spool.ErrDamaged) {
				t.Errorf("%s: %v, want %v", action, err, want)
			}
		})
	}
}

// act does a to q and returns to how many it applied.
func (f *fixture) act(a outbox.Action, q queueid.ID) int {
	f.t.Helper()
	n, err := f.Act(f.ctx, a, operator.Filter{QIDs: []queueid.ID{q}})
	if err != nil {
		f.t.Fatal(err)
	}
	return n
}

func TestActionsOnMany(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		for range 1203 {
			f.put(mail())
		}
		if _, err := f.Act(f.ctx, outbox.Cancel, operator.Filter{}); !errors.Is(err, operator.ErrNoFilter) {
			t.Errorf("without bounds: %v", err)
		}
		if n, err := f.Act(f.ctx, outbox.Hold, operator.Filter{Mailbox: box, Limit: 600}); n != 600 || err != nil {
			t.Errorf("held %d, %v, want 600", n, err)
		}
		if n, err := f.Act(f.ctx, outbox.Free, operator.Filter{States: []outbox.State{outbox.Held}}); n != 600 || err != nil {
			t.Errorf("released %d, %v, want 600", n, err)
		}
		if n, err := f.Act(f.ctx, outbox.Discard, operator.Filter{All: true}); n != 1203 || err != nil {
			t.Errorf("discarded %d, %v, want 1203", n, err)
		}
	})
}

func TestFilters(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		b, before, err := f.StartBatch(f.ctx, "invoices", "sum1", 2)
		if err != nil || before.Total != 0 {
			t.Fatal(b, before, err)
		}
		start := f.clock.Now()
		one := mail("Kim@Fabrikam.example")
		one.Batch, one.Row, one.Key = b.ID, "7", b.Key("7")
		first := f.put(one)
		f.clock.add(24 * time.Hour)
		two := mail("lee@x_y.example", "kim@other.example")
		two.Mailbox, two.Envelope.ReversePath = "Other@contoso.example", "bounce@contoso.example"
		second := f.put(two)
		f.lock()
		c := f.allowed()
		f.finish(c, all(c, smtp.Accepted))
		f.clock.add(24 * time.Hour)
		third := f.put(mail("max@xzy.example"))

		for name, tt := range map[string]struct {
			f    operator.Filter
			want []queueid.ID
		}{
			"everything, newest first": {operator.Filter{}, []queueid.ID{third, second, first}},
			"oldest first":             {operator.Filter{Oldest: true, Limit: 2}, []queueid.ID{first, second}},
			"next page":                {operator.Filter{Before: third, Limit: 1}, []queueid.ID{second}},
			"recipient, any case":      {operator.Filter{To: "kim@fabrikam.EXAMPLE"}, []queueid.ID{first}},
			"settled recipient":        {operator.Filter{To: "kim@fabrikam.example", States: []outbox.State{outbox.Sent}}, []queueid.ID{first}},
			"waiting recipient":        {operator.Filter{To: "Kim@Other.example"}, []queueid.ID{second}},
			"domain of a recipient":    {operator.Filter{To: "@x_y.example"}, []queueid.ID{second}},
			"reverse-path":             {operator.Filter{From: "bounce@contoso.example"}, []queueid.ID{second}},
			"mailbox":                  {operator.Filter{Mailbox: "other@CONTOSO.example"}, []queueid.ID{second}},
			"states":                   {operator.Filter{States: []outbox.State{outbox.Sent, outbox.Dead}}, []queueid.ID{first}},
			"batch":                    {operator.Filter{Batch: b.ID}, []queueid.ID{first}},
			"row":                      {operator.Filter{Batch: b.ID, Row: "8"}, nil},
			"key":                      {operator.Filter{Key: "batch/1/7"}, []queueid.ID{first}},
			"ids":                      {operator.Filter{QIDs: []queueid.ID{first, third}}, []queueid.ID{third, first}},
			"first day":                {operator.Filter{Since: start, Until: start.Add(time.Hour)}, []queueid.ID{first}},
			"second day":               {operator.Filter{Since: start.Add(24 * time.Hour), Until: start.Add(25 * time.Hour)}, []queueid.ID{second, first}},
			"third day":                {operator.Filter{Since: start.Add(25 * time.Hour)}, []queueid.ID{third, second}},
			"both at once":             {operator.Filter{To: "kim@other.example", From: "nobody@x"}, nil},
			"quotes are harmless":      {operator.Filter{To: "' OR 1=1 --", Mailbox: "?1 "}, nil},
		} {
			list, err := f.History(f.ctx, tt.f)
			if err != nil {
				t.Errorf("%s: %v", name, err)
				continue
			}
			var got []queueid.ID
			for _, d := range list {
				got = append(got, d.QID)
			}
			if fmt.Sprint(got) != fmt.Sprint(tt.want) {
				t.Errorf("%s: %v, want %v", name, got, tt.want)
			}
		}
		for _, q := range []queueid.ID{"", "x", "zzz-1", first + "!", "zzzz"} {
			if _, err := f.Show(f.ctx, q); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("Show(%q): %v, want ErrNotFound", q, err)
			}
		}
		if d := f.show(queueid.ID(strings.ToUpper(string(first)))); d.QID != first {
			t.Errorf("upper case gives %s", d.QID)
		}
	})
}

func TestBatchIsCountedExactly(t *testing.T) {
	conform(t, outbox.Options{InDoubt: outbox.DoubtHold}, func(t *testing.T, f *fixture) {
		b, _, err := f.StartBatch(f.ctx, "invoices", "sum1", 4)
		if err != nil {
			t.Fatal(err)
		}
		for row := range 4 {
			m := mail()
			m.Batch, m.Row, m.Key = b.ID, fmt.Sprint(row), b.Key(fmt.Sprint(row))
			f.put(m)
		}
		f.put(mail())
		f.lock()
		for _, o := range []smtp.Outcome{smtp.Accepted, smtp.Permanent, smtp.InDoubt} {
			c := f.allowed()
			f.finish(c, all(c, o))
		}
		counts, doubts, err := f.BatchCounts(f.ctx, b.ID)
		if err != nil || fmt.Sprint(counts) != "map[dead:1 held:1 ready:1 sent:1]" || fmt.Sprint(doubts) != "map[dead:0 held:1 ready:0 sent:0]" {
			t.Errorf("%v, %v in doubt, %v", counts, doubts, err)
		}
		later := mail()
		later.ReadyAt = f.clock.Now().Add(time.Minute)
		f.put(later)
		left, err := f.BatchLeft(f.ctx, b.ID)
		if err != nil || fmt.Sprint(left) != "map[app@contoso.example:{2 2}]" {
			t.Errorf("left %v, %v", left, err)
		}
		left, err = f.DueBeside(f.ctx, b.ID)
		if err != nil || fmt.Sprint(left) != "map[app@contoso.example:{1 1}]" {
			t.Errorf("due beside it %v, %v", left, err)
		}
		left, err = f.DueBeside(f.ctx, 0) // a batch that has not begun
		if err != nil || fmt.Sprint(left) != "map[app@contoso.example:{2 2}]" {
			t.Errorf("due in all %v, %v", left, err)
		}
		again, before, err := f.StartBatch(f.ctx, "invoices", "sum2", 5)
		if err != nil || again.ID != b.ID || before.SourceSum != "sum1" || before.Total != 4 || again.SourceSum != "sum2" {
			t.Errorf("%+v, before %+v, %v", again, before, err)
		}
		counts, err = f.Finished(f.ctx, f.clock.Now())
		if err != nil || fmt.Sprint(counts) != "map[dead:1 sent:1]" {
			t.Errorf("finished: %v, %v", counts, err)
		}
	})
}

func TestARowOfABatchIsKnownForAYear(t *testing.T) {
	conform(t, outbox.Options{InDoubt: outbox.DoubtHold}, func(t *testing.T, f *fixture) {
		b, _, err := f.StartBatch(f.ctx, "invoices", "", 4)
		if err != nil {
			t.Fatal(err)
		}
		row := func(name string) spool.Message {
			m := mail()
			m.Batch, m.Row, m.Key = b.ID, name, b.Key(name)
			return m
		}
		var ids []queueid.ID
		for _, name := range []string{"accepted", "doubtful", "removed", "waiting"} {
			ids = append(ids, f.put(row(name)))
		}
		f.lock()
		for _, o := range []smtp.Outcome{smtp.Accepted, smtp.InDoubt} {
			c := f.allowed()
			f.finish(c, all(c, o))
		}
		if n, err := f.Act(f.ctx, outbox.Discard, operator.Filter{QIDs: ids[1:3]}); n != 2 || err != nil {
			t.Fatalf("%d removed, %v", n, err)
		}
		known := func() string {
			t.Helper()
			if _, err := f.sender.Purge(f.ctx); err != nil {
				t.Fatal(err)
			}
			k, err := f.KnownRows(f.ctx, b, []string{"accepted", "doubtful", "removed", "waiting", "new"})
			if err != nil {
				t.Fatal(err)
			}
			list, err := f.List(f.ctx, operator.Filter{Batch: b.ID})
			if err != nil {
				t.Fatal(err)
			}
			return fmt.Sprint(len(list), " messages, known ", k)
		}
		for _, tt := range []struct {
			after time.Duration
			want  string
		}{
			{0, "2 messages, known map[accepted:true doubtful:true removed:true waiting:true]"},
			{31 * 24 * time.Hour, "1 messages, known map[accepted:true doubtful:true removed:true waiting:true]"},
			{300 * 24 * time.Hour, "1 messages, known map[accepted:true doubtful:true removed:true waiting:true]"},
		} {
			f.clock.add(tt.after)
			if got := known(); got != tt.want {
				t.Errorf("after %v: %s", tt.after, got)
			}
		}
		counts, doubts, err := f.BatchCounts(f.ctx, b.ID)
		if err != nil || fmt.Sprint(counts, doubts) != "map[cancelled:1 held:1 ready:1 sent:1] map[cancelled:0 held:1 ready:0 sent:0]" {
			t.Errorf("counts %v, in doubt %v, %v", counts, doubts, err)
		}
		for i, name := range []string{"accepted", "doubtful", "removed"} {
			m := row(name)
			if q, dup, err := f.Accept(f.ctx, m, strings.NewReader(content)); q != ids[i] || !dup || err != nil {
				t.Errorf("%s: taken again as %s, %v, %v", name, q, dup, err)
			}
			if q, dup, err := f.Accept(f.ctx, m, strings.NewReader(content+strings.Repeat("0123456789\r\n", 200_000))); q != ids[i] || !dup || err != nil {
				t.Errorf("%s: a large content taken again as %s, %v, %v", name, q, dup, err)
			}
		}
		f.clock.add(60 * 24 * time.Hour) // 391 days, four less than retention and a year
		if got, want := known(), "1 messages, known map[accepted:true doubtful:true removed:true waiting:true]"; got != want {
			t.Errorf("after 391 days: %s", got)
		}
		f.clock.add(10 * 24 * time.Hour)
		if got, want := known(), "1 messages, known map[waiting:true]"; got != want {
			t.Errorf("after more than a year: %s", got)
		}
	})
}

func TestOperatorHoldsAMailbox(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		f.put(mail())
		if err := f.HoldMailbox(f.ctx, box, "maintenance"); err != nil {
			t.Fatal(err)
		}
		f.lock()
		if w := f.waits(); w.Pause != mailbox.PauseOperator || w.Text != "maintenance" || !w.Until.IsZero() {
			t.Errorf("%+v", w)
		}
		list, err := f.Mailboxes(f.ctx)
		if err != nil || len(list) != 1 || list[0].Pause != mailbox.PauseOperator || list[0].Counts[outbox.Ready] != 1 {
			t.Errorf("%+v, %v", list, err)
		}
	})
}
