package budget_test

import (
	"testing"
	"time"

	"pgregory.net/rapid"

	"github.com/smtpsend/smtpsend/internal/relay/budget"
	"github.com/smtpsend/smtpsend/internal/relay/relayfile"
)

// clock is one that a test moves.
type clock struct{ at time.Time }

func (c *clock) now() time.Time { return c.at }

func (c *clock) pass(d time.Duration) { c.at = c.at.Add(d) }

func newClock() *clock { return &clock{time.Date(2026, 11, 30, 12, 0, 30, 0, time.Local)} }

func TestBudgetOfAnHourIsUsedUpAndFree(t *testing.T) {
	c := newClock()
	b := budget.New(c.now)
	limit := relayfile.Budget{PerHour: 3}
	take := func(n int) *budget.Exceeded {
		r := b.Begin("scanner", limit)
		err := r.Take(n)
		if err == nil {
			r.Keep(n)
		}
		return err
	}
	if err := take(2); err != nil {
		t.Fatal(err)
	}
	c.pass(30 * time.Minute)
	if err := take(2); err == nil || err.Error() != "the budget of client scanner (3 recipients an hour) is used up until 13:01" {
		t.Errorf("2 of 1: %v", err)
	}
	if err := take(1); err != nil {
		t.Error(err)
	}
	if err := b.Begin("scanner", limit).Take(0); err == nil || err.Limit != 3 || err.Span != time.Hour {
		t.Errorf("none is left: %v", err)
	}
	if err := b.Begin("other", limit).Take(3); err != nil {
		t.Error(err)
	}
	c.pass(31 * time.Minute)
	if err := take(2); err != nil {
		t.Error(err)
	}
}

func TestBudgetOfADay(t *testing.T) {
	c := newClock()
	b := budget.New(c.now)
	r := b.Begin("x", relayfile.Budget{PerHour: 10, PerDay: 12})
	if err := r.Take(10); err != nil {
		t.Fatal(err)
	}
	r.Keep(10)
	c.pass(2 * time.Hour)
	err := b.Begin("x", relayfile.Budget{PerHour: 10, PerDay: 12}).Take(3)
	if err == nil || err.Span != 24*time.Hour || !err.Until.Equal(newClock().at.Add(24*time.Hour+10*time.Minute)) {
		t.Errorf("3 of 2: %v", err)
	}
}

func TestWhatIsReleasedIsFree(t *testing.T) {
	b := budget.New(newClock().now)
	limit := relayfile.Budget{PerHour: 1}
	first, second := b.Begin("x", limit), b.Begin("x", limit)
	if err := first.Take(1); err != nil {
		t.Fatal(err)
	}
	if err := second.Take(1); err == nil {
		t.Error("one is taken twice")
	}
	first.Release()
	first.Release()
	if err := second.Take(1); err != nil {
		t.Error(err)
	}
}

func TestWhatWasBeforeCounts(t *testing.T) {
	c := newClock()
	b := budget.New(c.now)
	limit := relayfile.Budget{PerHour: 100, PerDay: 10}
	b.Count("x", c.at.Add(-25*time.Hour), 100)
	b.Count("x", c.at.Add(-3*time.Hour), 4)
	b.Count("x", c.at.Add(time.Hour), 4) // by a clock that was set back since
	if err := b.Begin("x", limit).Take(3); err == nil {
		t.Error("what was before does not count")
	}
	if err := b.Begin("x", limit).Take(2); err != nil {
		t.Error(err)
	}
}

// Whatever is taken when, no span has more than the limit, and the time that is named is
// one when it is free.
func TestNoSpanHasMore(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := newClock()
		b := budget.New(c.now)
		limit := relayfile.Budget{PerHour: 20, PerDay: 50}
		type taken struct {
			at time.Time
			n  int
		}
		var all []taken
		for range rapid.IntRange(1, 60).Draw(t, "steps") {
			c.pass(time.Duration(rapid.IntRange(0, 3*3600).Draw(t, "s")) * time.Second)
			n := rapid.IntRange(1, 20).Draw(t, "n")
			r := b.Begin("x", limit)
			if err := r.Take(n); err != nil {
				c.at = err.Until
				if again := r.Take(n); again != nil && again.Span == err.Span {
					t.Fatalf("free at %s, and is not: %v", err.Until, again)
				}
				r.Release()
				continue
			}
			r.Keep(n)
			all = append(all, taken{c.at, n})
			hour, day := 0, 0
			for _, x := range all {
				if c.at.Sub(x.at) < time.Hour {
					hour += x.n
				}
				if c.at.Sub(x.at) < 24*time.Hour {
					day += x.n
				}
			}
			if hour > limit.PerHour || day > limit.PerDay {
				t.Fatalf("%d in an hour, %d in a day", hour, day)
			}
		}
	})
}
