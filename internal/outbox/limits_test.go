package outbox_test

import (
	"errors"
	"fmt"
	"slices"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/mailbox"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// span is when a message was under way; the server may have counted it at any
// moment in between.
type span struct {
	from, to time.Time
	rcpts    int
}

// worst is the most messages and recipients that any window of the length can
// hold, whenever within its span each was counted.
func worst(spans []span, length time.Duration) (msgs, rcpts int) {
	for _, last := range spans { // a fullest window may be taken to begin where some span ends
		m, r := 0, 0
		for _, s := range spans {
			if !s.to.Before(last.to) && s.from.Before(last.to.Add(length)) {
				m, r = m+1, r+s.rcpts
			}
		}
		msgs, rcpts = max(msgs, m), max(rcpts, r)
	}
	return msgs, rcpts
}

func TestWorstWindow(t *testing.T) {
	at := func(s int) time.Time { return time.Unix(int64(s), 0) }
	spans := []span{{at(0), at(10), 1}, {at(5), at(6), 2}, {at(69), at(70), 4}, {at(70), at(71), 8}}
	if m, r := worst(spans, time.Minute); m != 2 || r != 12 {
		// 0-10 with 69-70 (counted at 10 and 69), or 69 with 70.
		t.Errorf("worst = %d messages, %d recipients", m, r)
	}
}

// submitAll runs three connections until the queue is empty or the clock has
// gone on for length; each content takes as long as took says. It returns every
// span.
func submitAll(f *fixture, length time.Duration, took func(n int) time.Duration) (spans []span) {
	type running struct {
		c     *outbox.Claim
		began time.Time
		ends  time.Time
	}
	var open []running
	end := f.clock.Now().Add(length)
	for f.clock.Now().Before(end) {
		next := end
		for len(open) < 3 {
			c, err := f.sender.Claim(f.ctx, box)
			if err == nil {
				err = f.sender.AllowData(f.ctx, c)
			}
			var w *mailbox.WaitError
			if errors.As(err, &w) {
				next = w.Until
				break
			}
			if errors.Is(err, outbox.ErrIdle) && len(open) == 0 {
				return spans
			}
			if errors.Is(err, outbox.ErrIdle) {
				break
			}
			if err != nil {
				f.t.Fatal(err)
			}
			now := f.clock.Now()
			open = append(open, running{c, now, now.Add(took(len(spans) + len(open)))})
		}
		for _, r := range open {
			if r.ends.Before(next) {
				next = r.ends
			}
		}
		f.clock.add(max(next.Sub(f.clock.Now()), 0))
		open = slices.DeleteFunc(open, func(r running) bool {
			if r.ends.After(f.clock.Now()) {
				return false
			}
			f.finish(r.c, all(r.c, smtp.Accepted))
			spans = append(spans, span{r.began, f.clock.Now(), len(r.c.Envelope.ForwardPaths)})
			return true
		})
	}
	return spans
}

func TestLimitsHoldOverADay(t *testing.T) {
	if testing.Short() {
		t.Skip("a simulated day takes seconds")
	}
	recipients := make([]string, 12)
	for i := range recipients {
		recipients[i] = fmt.Sprintf("r%d@fabrikam.example", i)
	}
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		for range 1000 {
			f.put(mail(recipients...))
		}
		f.lock()
		start := f.clock.Now()
		spans := submitAll(f, 48*time.Hour, func(n int) time.Duration {
			return time.Duration(100+n*37%4000) * time.Millisecond
		})
		if len(spans) != 1000 {
			t.Fatalf("%d of 1000 were submitted in two days", len(spans))
		}
		if m, _ := worst(spans, time.Minute); m > 30 {
			t.Errorf("%d messages within a minute", m)
		}
		if _, r := worst(spans, 24*time.Hour); r > 10_000 {
			t.Errorf("%d recipients within a day", r)
		}
		// 833 messages are a day's 9,996 recipients; the last waits until the first
		// have left the window.
		if day := spans[833].from.Sub(start); day < 24*time.Hour || day > 24*time.Hour+21*time.Minute {
			t.Errorf("message 834 began after %v", day)
		}
	})
}

func TestPaceIsCloseToTheLimit(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		for range 301 {
			f.put(mail())
		}
		f.lock()
		start := f.clock.Now()
		spans := submitAll(f, time.Hour, func(n int) time.Duration { return time.Duration(170+n%60) * time.Millisecond })
		if len(spans) != 301 {
			t.Fatalf("%d of 301 were submitted", len(spans))
		}
		if m, _ := worst(spans, time.Minute); m > 30 {
			t.Errorf("%d messages within a minute", m)
		}
		if took := spans[300].from.Sub(start); took > 10*time.Minute+12*time.Second {
			t.Errorf("message 301 began after %v: more than 2 %% slower than the limit", took)
		}
	})
}

func TestContentsThatTakeLongCountAllTheTime(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		if err := f.SetLimits(f.ctx, box, mailbox.Limits{PerMinute: 2}); err != nil {
			t.Fatal(err)
		}
		for range 8 {
			f.put(mail())
		}
		f.lock()
		spans := submitAll(f, time.Hour, func(int) time.Duration { return 100 * time.Second })
		if len(spans) != 8 {
			t.Fatalf("%d of 8 were submitted", len(spans))
		}
		if m, _ := worst(spans, time.Minute); m > 2 {
			t.Errorf("a minute may have held %d messages", m)
		}
	})
}

func TestOwnLimitsOfAMailbox(t *testing.T) {
	conform(t, outbox.Options{Limits: mailbox.Limits{PerMinute: 20}}, func(t *testing.T, f *fixture) {
		for _, tt := range []struct{ set, want mailbox.Limits }{
			{mailbox.Limits{}, mailbox.Limits{PerMinute: 20, RecipientsPerDay: 10_000}},
			{mailbox.Limits{PerMinute: 5, RecipientsPerDay: 7}, mailbox.Limits{PerMinute: 5, RecipientsPerDay: 7}},
			{mailbox.Limits{PerMinute: 500, RecipientsPerDay: 1 << 20}, mailbox.Limits{PerMinute: 30, RecipientsPerDay: 10_000}},
		} {
			if err := f.SetLimits(f.ctx, box, tt.set); err != nil {
				t.Fatal(err)
			}
			if m, err := f.Mailbox(f.ctx, box); err != nil || m.Limits != tt.want {
				t.Errorf("%+v gives %+v, %v", tt.set, m.Limits, err)
			}
		}
		if err := f.SetLimits(f.ctx, box, mailbox.Limits{PerMinute: -1}); err == nil {
			t.Error("a negative limit was taken")
		}
	})
}

func TestReachedLimitIsTold(t *testing.T) {
	conform(t, outbox.Options{Limits: mailbox.Limits{PerMinute: 1, RecipientsPerDay: 3}}, func(t *testing.T, f *fixture) {
		f.put(mail("a@x.example", "b@x.example"))
		second := f.put(mail("a@x.example", "b@x.example"))
		f.lock()
		c := f.allowed()
		f.finish(c, all(c, smtp.Accepted))
		w := f.waits()
		if w.Text != "limit reached: 3 recipients in 24h0m0s" || w.Pause != "" || w.Until.Sub(f.clock.Now()) < 24*time.Hour {
			t.Errorf("%+v, until %v", w, w.Until)
		}
		m, err := f.Mailbox(f.ctx, box)
		if err != nil || m.Messages != 1 || m.Recipients != 2 || m.Wait.Text != w.Text || !m.WaitsUntil.Equal(w.Until) {
			t.Errorf("mailbox = %+v, %v", m, err)
		}
		if d := f.show(second); d.Why != operator.WhyMailbox || d.MailboxWait.Text != w.Text || !d.WaitsUntil.Equal(w.Until) {
			t.Errorf("message waits: %q until %v", d.Why, d.WaitsUntil)
		}
		due, err := f.sender.Due(f.ctx)
		if err != nil || len(due) != 1 || !due[0].At.Equal(w.Until) {
			t.Errorf("Due = %+v, %v", due, err)
		}
		f.clock.add(24*time.Hour + 11*time.Minute)
		f.claim()
	})
}

func TestMoreRecipientsThanADayAllows(t *testing.T) {
	conform(t, outbox.Options{Limits: mailbox.Limits{RecipientsPerDay: 2}}, func(t *testing.T, f *fixture) {
		f.put(mail("a@x.example", "b@x.example", "c@x.example"))
		f.lock()
		f.allowed() // alone in its day, but it goes: waiting would not help
	})
}

func TestRecipientsUnderWayCount(t *testing.T) {
	conform(t, outbox.Options{Limits: mailbox.Limits{RecipientsPerDay: 3}}, func(t *testing.T, f *fixture) {
		f.put(mail("a@x.example", "b@x.example"))
		f.put(mail("a@x.example", "b@x.example"))
		f.lock()
		f.allowed()
		if w := f.waits(); w.Text != "limit reached: 3 recipients in 24h0m0s" || !w.Until.Equal(f.clock.Now().Add(time.Second)) {
			t.Errorf("%+v", w)
		}
	})
}

func TestWhatNeverReachedTheServerDoesNotCount(t *testing.T) {
	conform(t, outbox.Options{Limits: mailbox.Limits{PerMinute: 1}}, func(t *testing.T, f *fixture) {
		f.put(mail())
		f.lock()
		for range 3 {
			f.finish(f.allowed(), outbox.Result{})
		}
	})
}

func TestPlaceOfAClaimThatIsGivenBackIsFree(t *testing.T) {
	conform(t, outbox.Options{Limits: mailbox.Limits{PerMinute: 1}}, func(t *testing.T, f *fixture) {
		f.put(mail())
		f.put(mail())
		f.lock()
		c := f.claim()
		f.waits() // the one place may be needed
		f.finish(c, outbox.Result{})
		f.claim()
	})
}

func TestClockSetBackAnHour(t *testing.T) {
	conform(t, outbox.Options{Limits: mailbox.Limits{PerMinute: 2}}, func(t *testing.T, f *fixture) {
		for range 3 {
			f.put(mail())
		}
		at := mail()
		at.ReadyAt = f.clock.Now().Add(time.Minute)
		f.put(at)
		f.lock()
		for range 2 {
			c := f.allowed()
			f.finish(c, all(c, smtp.Accepted))
		}
		f.waits()
		f.clock.set(-time.Hour)
		if got := f.waits().Until.Sub(f.clock.Now()); got > 61*time.Second {
			t.Errorf("after the clock was set back the mailbox waits %v", got)
		}
		f.clock.add(59 * time.Second)
		f.waits()
		f.clock.add(2 * time.Second)
		f.claim()
		if due, err := f.sender.Due(f.ctx); err != nil || len(due) != 1 || due[0].At.Before(at.ReadyAt) {
			t.Errorf("the scheduled message is due %v, %v, want %v", due, err, at.ReadyAt)
		}
	})
}

func TestClockSetBackWhileNobodyRan(t *testing.T) {
	conform(t, outbox.Options{Limits: mailbox.Limits{PerMinute: 1}}, func(t *testing.T, f *fixture) {
		f.put(mail())
		f.put(mail())
		f.lock()
		c := f.allowed()
		f.finish(c, all(c, smtp.Accepted))
		if err := f.sender.Release(); err != nil {
			t.Fatal(err)
		}
		f.clock.set(-time.Hour)
		f.lock()
		f.waits()
		f.clock.add(61 * time.Second)
		f.claim()
	})
}

// A message for which nobody asked for a time is due, although the clock says
// that it was taken in an hour.
func TestWhatIsDueAtOnceDoesNotWaitForTheHourToComeAgain(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		f.put(mail())
		at := mail()
		at.ReadyAt = f.clock.Now().Add(time.Minute)
		f.put(at)
		f.clock.set(-time.Hour)
		f.lock()
		f.claim()
		if _, err := f.sender.Claim(f.ctx, box); !errors.Is(err, outbox.ErrIdle) {
			t.Errorf("the scheduled message: %v, want ErrIdle", err)
		}
	})
}

// A message to more recipients than a transaction may have is several messages
// to the server.
func TestEachTransactionOfAMessageCounts(t *testing.T) {
	conform(t, outbox.Options{Limits: mailbox.Limits{PerMinute: 4}}, func(t *testing.T, f *fixture) {
		many := make([]string, 1000)
		for i := range many {
			many[i] = fmt.Sprintf("r%d@fabrikam.example", i)
		}
		f.put(mail(many...))
		f.put(mail())
		f.put(mail(many...))
		f.lock()
		c := f.allowed()
		d := f.allowed()
		f.waits() // 2 + 1 are under way
		f.finish(c, all(c, smtp.Accepted))
		f.finish(d, all(d, smtp.Accepted))
		if m, err := f.Mailbox(f.ctx, box); err != nil || m.Messages != 3 {
			t.Errorf("%d messages count, %v, want 3", m.Messages, err)
		}
		f.waits()
		f.clock.add(61 * time.Second)
		f.claim()
	})
}

// The buckets of a faster time do not fill its windows exactly.
func TestWindowsOfAFasterTimeAreWhole(t *testing.T) {
	o := outbox.Options{Minute: 20 * time.Second, Day: 30 * time.Second, Limits: mailbox.Limits{RecipientsPerDay: 2}}
	conform(t, o, func(t *testing.T, f *fixture) {
		const width = 208 // of a bucket of the day
		f.clock.add(time.Duration(2*width-1-f.clock.Now().UnixMilli()%width) * time.Millisecond)
		for range 3 {
			f.put(mail())
		}
		f.lock()
		for range 2 {
			c := f.allowed()
			f.finish(c, all(c, smtp.Accepted))
		}
		began := f.clock.Now()
		for {
			c, err := f.sender.Claim(f.ctx, box)
			if err == nil {
				if waited := f.clock.Now().Sub(began); waited < 30*time.Second {
					t.Errorf("%s goes out after %v", c.QID, waited)
				}
				return
			}
			step := time.Millisecond
			if f.clock.Now().Sub(began) < 29*time.Second { // what is free stays so
				step = 100 * time.Millisecond
			}
			f.clock.add(step)
		}
	})
}

func TestFasterTime(t *testing.T) {
	conform(t, outbox.Options{Minute: time.Second, Day: time.Minute}, func(t *testing.T, f *fixture) {
		for range 31 {
			f.put(mail())
		}
		f.lock()
		spans := submitAll(f, time.Minute, func(int) time.Duration { return 3 * time.Millisecond })
		if m, _ := worst(spans, time.Second); len(spans) != 31 || m > 30 {
			t.Errorf("%d were submitted, %d within a second", len(spans), m)
		}
	})
}
