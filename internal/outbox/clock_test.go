package outbox_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/mailbox"
	"github.com/smtpsend/smtpsend/internal/outbox/mailmerge"
	"github.com/smtpsend/smtpsend/internal/outbox/queueid"
	"github.com/smtpsend/smtpsend/internal/outbox/spool"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

const day = 24 * time.Hour

// remembered is what an outbox is to know of two messages that went out: one with
// a key, and a row of a batch.
type remembered struct {
	f    *fixture
	b    mailmerge.Batch
	rows []spool.Message
	ids  []queueid.ID
}

func remember(f *fixture) *remembered {
	f.t.Helper()
	r := &remembered{f: f}
	var err error
	if r.b, _, err = f.StartBatch(f.ctx, "invoices", "", 1); err != nil {
		f.t.Fatal(err)
	}
	keyed, row := mail(), mail()
	keyed.Key = "k1"
	row.Batch, row.Row, row.Key = r.b.ID, "7", r.b.Key("7")
	r.rows = []spool.Message{keyed, row}
	f.lock()
	for _, m := range r.rows {
		r.ids = append(r.ids, f.put(m))
		c := f.allowed()
		f.finish(c, all(c, smtp.Accepted))
	}
	return r
}

// run is what each queue run does to what the outbox remembers: it takes the
// lock, and purges.
func (r *remembered) run() {
	r.f.t.Helper()
	if err := r.f.sender.Release(); err != nil {
		r.f.t.Fatal(err)
	}
	r.f.lock()
	if _, err := r.f.sender.Purge(r.f.ctx); err != nil {
		r.f.t.Fatal(err)
	}
}

// known says what is.
func (r *remembered) known() string {
	r.f.t.Helper()
	var words []string
	if _, err := r.f.Show(r.f.ctx, r.ids[0]); err == nil {
		words = append(words, "history")
	}
	rows, err := r.f.KnownRows(r.f.ctx, r.b, []string{"7"})
	if err != nil {
		r.f.t.Fatal(err)
	}
	if rows["7"] {
		words = append(words, "row")
	}
	return strings.Join(words, " and ")
}

// taken reports that the messages are taken again, as new ones.
func (r *remembered) taken() (again []bool) {
	r.f.t.Helper()
	for _, m := range r.rows {
		_, dup, err := r.f.Accept(r.f.ctx, m, strings.NewReader(content))
		if err != nil {
			r.f.t.Fatal(err)
		}
		again = append(again, !dup)
	}
	return again
}

// A clock that was far off, and is set right, lets the outbox forget nothing.
func TestAClockThatIsSetForgetsNothing(t *testing.T) {
	const years = 10 * 365 * day
	for name, story := range map[string]func(*clock, func()){
		"ten years ahead": func(c *clock, run func()) { c.set(years); run() },
		"a month ahead, and on": func(c *clock, run func()) {
			for range 20 {
				c.set(31 * day)
				run()
			}
		},
		"back and forth": func(c *clock, run func()) {
			for range 20 {
				c.set(-years)
				run()
				c.set(years)
				run()
			}
		},
		"ten years ahead, after a start": func(c *clock, run func()) { c.boot(years); run() },
		"without a battery": func(c *clock, run func()) {
			for range 20 { // each start begins in the past, until the clock is set
				c.boot(-years)
				run()
				c.set(years)
				run()
			}
		},
		"without a battery, set before anybody looks": func(c *clock, run func()) {
			for range 20 {
				c.boot(-years)
				run()
				c.boot(years)
				run()
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
				r := remember(f)
				story(f.clock, r.run)
				if got, again := r.known(), r.taken(); got != "history and row" || again[0] || again[1] {
					t.Errorf("known: %s; taken again: %v", got, again)
				}
			})
		})
	}
}

// What is remembered is forgotten when its time has gone by, however seldom
// somebody looks.
func TestMemoryEnds(t *testing.T) {
	weekly := func(pass func(*clock, time.Duration)) func(*clock, func(), int) {
		return func(c *clock, run func(), weeks int) {
			for range weeks {
				pass(c, 7*day)
				run()
			}
		}
	}
	late := func(c *clock, d time.Duration) { c.boot(d + time.Minute) }
	for name, pass := range map[string]func(*clock, func(), int){
		"a machine that is left on":        weekly((*clock).add),
		"a machine that is on for the run": weekly((*clock).boot),
		"a look once in half a year":       func(c *clock, run func(), weeks int) { c.add(time.Duration(weeks) * 7 * day); run() },
		"a clock that was ahead for some time": func(c *clock, run func(), weeks int) {
			c.set(1000 * day)
			run()
			c.set(-1000 * day)
			run()
			weekly(late)(c, run, weeks)
		},
	} {
		t.Run(name, func(t *testing.T) {
			conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
				r := remember(f)
				for _, tt := range []struct {
					weeks int
					want  string
				}{{4, "history and row"}, {1, "row"}, {51, "row"}, {1, ""}} {
					pass(f.clock, r.run, tt.weeks)
					if got := r.known(); got != tt.want {
						t.Fatalf("%d weeks later: known %q, want %q", tt.weeks, got, tt.want)
					}
				}
				if again := r.taken(); !again[0] || !again[1] {
					t.Errorf("taken again: %v", again)
				}
			})
		})
	}
}

// Months between two looks, of which only the clock says how long they were,
// count as eight days.
func TestALongGapCountsAsEightDays(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		r := remember(f)
		for month := range 3 {
			f.clock.boot(31 * day)
			r.run()
			if got := r.known(); got != "history and row" {
				t.Fatalf("after %d months: %q", month+1, got)
			}
		}
		f.clock.boot(31 * day)
		r.run()
		if got := r.known(); got != "row" {
			t.Errorf("after four months: %q", got)
		}
	})
}

func TestAClockThatIsSetAheadFreesNoLimit(t *testing.T) {
	for _, tt := range []struct {
		limits mailbox.Limits
		length time.Duration
	}{{mailbox.Limits{PerMinute: 1}, time.Minute}, {mailbox.Limits{RecipientsPerDay: 1}, day}} {
		conform(t, outbox.Options{Limits: tt.limits}, func(t *testing.T, f *fixture) {
			f.put(mail())
			f.put(mail())
			f.lock()
			c := f.allowed()
			f.finish(c, all(c, smtp.Accepted))
			for _, by := range []time.Duration{10 * 365 * day, -20 * 365 * day, 31 * day} {
				f.clock.set(by)
				w := f.waits()
				if left := w.Until.Sub(f.clock.Now()); left <= 0 || left > tt.length*102/100 {
					t.Errorf("clock set by %v: waits for %v", by, left)
				}
				if m, err := f.Mailbox(f.ctx, box); err != nil || m.Messages+m.Recipients == 0 || !m.WaitsUntil.Equal(w.Until) {
					t.Errorf("clock set by %v: %+v, %v", by, m, err)
				}
			}
			if err := f.sender.Release(); err != nil {
				t.Fatal(err)
			}
			f.clock.set(31 * day)
			f.lock() // as another process would
			f.waits()
			f.clock.add(tt.length * 102 / 100)
			f.claim()
		})
	}
}

// What waits does not end unsubmitted because the clock is set: giving up is by
// the waits that were waited.
func TestAClockThatIsSetAheadEndsNoMessage(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		ids := []queueid.ID{f.put(mail()), f.put(mail())}
		f.lock()
		c := f.allowed()
		f.finish(c, failed(c, smtp.Transient, "transient", "content", busy))
		f.clock.set(10 * 365 * day)
		if _, err := f.sender.Purge(f.ctx); err != nil {
			t.Fatal(err)
		}
		for range 2 {
			c := f.allowed()
			f.finish(c, failed(c, smtp.Transient, "transient", "content", busy))
		}
		for _, q := range ids {
			if d := f.show(q); d.State != outbox.Ready {
				t.Errorf("%s is %s: %s", q, d.State, f.story(q))
			}
		}
		if _, err := f.sender.Claim(f.ctx, box); !errors.Is(err, outbox.ErrIdle) {
			t.Errorf("Claim: %v, want ErrIdle", err)
		}
	})
}

// A process that has nothing to do for weeks still sees the time go by.
func TestAnIdleSenderSeesTimeGoBy(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		r := remember(f)
		for range 31 {
			f.clock.add(day)
			if _, err := f.sender.Due(f.ctx); err != nil {
				t.Fatal(err)
			}
		}
		f.clock.boot(0)
		r.run()
		if got := r.known(); got != "row" {
			t.Errorf("after 31 days and a start: known %q", got)
		}
	})
}

// An outbox of a version that knew no time of its own goes on with the clock.
func TestOwnTimeBeginsWithTheClock(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		r := remember(f)
		for _, text := range []string{"", "nonsense", "1 2"} {
			if err := f.SetMeta(f.ctx, "time", text); err != nil {
				t.Fatal(err)
			}
			r.run()
			if got := r.known(); got != "history and row" {
				t.Errorf("time %q: known %q", text, got)
			}
		}
		f.clock.add(31 * day)
		r.run()
		if got, again := r.known(), r.taken(); got != "row" || fmt.Sprint(again) != "[true false]" {
			t.Errorf("known %q, taken again %v", got, again)
		}
	})
}
