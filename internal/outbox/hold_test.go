package outbox_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/mailbox"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

var closed = smtp.Reply{Code: 554, Enhanced: smtp.Enhanced{Class: 5, Subject: 3, Detail: 2}, Lines: []string{"5.3.2 no service now"}}

// unusable is the result of an attempt that a refused greeting ended.
func unusable(c *outbox.Claim) outbox.Result {
	return failed(c, smtp.NotAttempted, diagnosis.ClassPermanent, smtp.StageGreeting, closed)
}

// refused is the result of an attempt that a refused sign-in ended.
func refused(c *outbox.Claim) outbox.Result {
	return failed(c, smtp.NotAttempted, diagnosis.ClassConfiguration, smtp.StageAuth, denied)
}

// mailbox is how it stands.
func (f *fixture) mailbox() operator.Mailbox {
	f.t.Helper()
	m, err := f.Mailbox(f.ctx, box)
	if err != nil {
		f.t.Fatal(err)
	}
	return m
}

// probe begins a probe, which must be due.
func (f *fixture) probe() *mailbox.Probe {
	f.t.Helper()
	due, err := f.sender.Due(f.ctx)
	if err != nil || len(due) != 1 || !due[0].Probe || due[0].At.After(f.clock.Now()) {
		f.t.Fatalf("due: %+v, %v", due, err)
	}
	p, err := f.sender.StartProbe(f.ctx, box)
	if err != nil {
		f.t.Fatal(err)
	}
	if _, err := f.sender.StartProbe(f.ctx, box); !errors.Is(err, outbox.ErrIdle) {
		f.t.Errorf("a second probe: %v", err)
	}
	return p
}

func (f *fixture) endProbe(p *mailbox.Probe, accepted bool, r outbox.Result) outbox.Settled {
	f.t.Helper()
	s, err := f.sender.EndProbe(f.ctx, p, accepted, r.Verdict)
	if err != nil {
		f.t.Fatal(err)
	}
	return s
}

// One refused greeting costs a minute, and a row of them grows to four hours and
// holds the mailbox after a day.
func TestAServerThatCannotBeUsedPausesAndHoldsAfterADay(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		q := f.put(mail())
		f.lock()
		start := f.clock.Now()
		var pauses []time.Duration
		for {
			c := f.claim()
			s := f.finish(c, unusable(c))
			if s.Held() {
				break
			}
			if s.Pause != mailbox.PauseServer || !s.Until.Equal(f.waits().Until) {
				t.Fatalf("settled %+v", s)
			}
			pauses = append(pauses, s.Until.Sub(f.clock.Now()))
			f.clock.add(pauses[len(pauses)-1])
		}
		m := time.Minute
		want := fmt.Sprint([]time.Duration{m, 2 * m, 4 * m, 8 * m, 16 * m, 32 * m, 64 * m, 128 * m, 240 * m, 240 * m, 240 * m, 240 * m, 240 * m})
		if got := fmt.Sprint(pauses); got != want {
			t.Errorf("pauses %v, want %v", got, want)
		}
		b := f.mailbox()
		if !b.Stopped() || b.Pause != mailbox.PauseServer || !b.Since.Equal(start) || b.ProbeAt.Sub(f.clock.Now()) != 30*m ||
			b.Wait.Pause != mailbox.PauseServer || !b.Wait.Held() || b.Wait.Text != "554 5.3.2 no service now" {
			t.Errorf("after a day %+v", b)
		}
		if f.noticed() != "paused, held" {
			t.Errorf("notices %q", f.noticed())
		}
		if d := f.show(q); d.State != outbox.Ready || d.Attempts != 0 || !d.ProbeAt.Equal(b.ProbeAt) {
			t.Errorf("the message: %+v", d.Mail)
		}
	})
}

// Refusals that are days apart are no row.
func TestAnOldFailureDoesNotHold(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		f.put(mail())
		f.lock()
		for range 5 {
			c := f.claim()
			if s := f.finish(c, unusable(c)); s.Until.Sub(f.clock.Now()) != time.Minute {
				t.Fatalf("settled %+v", s)
			}
			f.clock.add(48 * time.Hour)
		}
	})
}

// An accepted message ends the row.
func TestAnAcceptedMessageEndsTheRow(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		f.lock()
		for range 3 {
			f.put(mail())
			c := f.claim()
			if s := f.finish(c, unusable(c)); s.Until.Sub(f.clock.Now()) != time.Minute {
				t.Fatalf("settled %+v", s)
			}
			f.clock.add(time.Minute)
			c = f.allowed()
			f.finish(c, all(c, smtp.Accepted))
			if b := f.mailbox(); b.Wait != nil || !b.Since.IsZero() {
				t.Errorf("%+v", b)
			}
		}
	})
}

// What the server stumbles over does not keep the others waiting.
func TestNonsenseInATransactionLetsOthersGoFirst(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		f.put(mail())
		f.clock.add(time.Second)
		second := f.put(mail())
		f.clock.add(time.Second)
		f.lock()
		c := f.allowed()
		r := failed(c, smtp.NotAttempted, diagnosis.ClassConfiguration, smtp.StageRcpt, smtp.Reply{})
		r.Fault = smtp.FaultNotSMTP
		f.finish(c, r)
		f.clock.add(time.Minute)
		if c := f.claim(); c.QID != second {
			t.Errorf("%s is tried first, want %s", c.QID, second)
		}
	})
}

func TestAHeldMailboxIsProbedAndGoesOn(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		q := f.put(mail())
		f.lock()
		c := f.claim()
		if s := f.finish(c, refused(c)); !s.Held() || s.Probe.Sub(f.clock.Now()) != 30*time.Minute {
			t.Fatalf("settled %+v", s)
		}
		if due, err := f.sender.Due(f.ctx); err != nil || len(due) != 1 || !due[0].At.Equal(f.clock.Now().Add(30*time.Minute)) {
			t.Errorf("due %+v, %v", due, err)
		}
		if _, err := f.sender.StartProbe(f.ctx, box); !errors.Is(err, outbox.ErrIdle) {
			t.Errorf("a probe before its time: %v", err)
		}
		var waits []time.Duration
		for range 5 {
			next := f.mailbox().ProbeAt
			waits = append(waits, next.Sub(f.clock.Now()))
			f.clock.add(waits[len(waits)-1])
			p := f.probe()
			r := refused(c)
			r.Reply = blocked
			if s := f.endProbe(p, false, r); !s.Held() {
				t.Fatalf("a refused probe: %+v", s)
			}
		}
		if want := "[30m0s 1h0m0s 2h0m0s 4h0m0s 4h0m0s]"; fmt.Sprint(waits) != want {
			t.Errorf("probes after %v, want %s", waits, want)
		}
		if b := f.mailbox(); b.Wait.Text != blocked.String() {
			t.Errorf("the reason is not that of the last probe: %q", b.Wait.Text)
		}
		f.clock.add(4 * time.Hour)
		if s := f.endProbe(f.probe(), true, outbox.Result{}); s.Pause != "" {
			t.Errorf("an accepted probe: %+v", s)
		}
		if f.noticed() != "held" {
			t.Errorf("before a message was accepted the operator is told %q", f.noticed())
		}
		c = f.allowed()
		if c.QID != q || c.Attempt != 1 {
			t.Errorf("%s, attempt %d", c.QID, c.Attempt)
		}
		f.finish(c, all(c, smtp.Accepted))
		if f.noticed() != "held, resumed" {
			t.Errorf("notices %q", f.noticed())
		}
	})
}

// A mailbox that signs in and may not submit: its message stays, the operator is
// told once, and probes grow rarer all the same.
func TestWaitsGrowWhileOnlyTheSignInIsAccepted(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		q := f.put(mail())
		f.lock()
		var waits []time.Duration
		for range 6 {
			c := f.allowed()
			s := f.finish(c, failed(c, smtp.Permanent, diagnosis.ClassConfiguration, smtp.StageContent, denied))
			waits = append(waits, s.Probe.Sub(f.clock.Now()))
			f.clock.add(waits[len(waits)-1])
			f.endProbe(f.probe(), true, outbox.Result{})
		}
		if want := "[30m0s 1h0m0s 2h0m0s 4h0m0s 4h0m0s 4h0m0s]"; fmt.Sprint(waits) != want {
			t.Errorf("probes after %v, want %s", waits, want)
		}
		if d := f.show(q); d.State != outbox.Ready || d.Attempts != 0 || d.Open != 1 || f.noticed() != "held" {
			t.Errorf("the message: %+v, notices %q", d.Mail, f.noticed())
		}
	})
}

func TestAProbeWithoutAnAnswer(t *testing.T) {
	for _, tt := range []struct {
		name string
		r    outbox.Result
		next time.Duration
	}{
		{"the network is down", outbox.Result{Verdict: mailbox.Verdict{Class: diagnosis.ClassTransient, Stage: smtp.StageDial}}, 15 * time.Minute},
		{"throttled for an hour", outbox.Result{Verdict: mailbox.Verdict{Class: diagnosis.ClassThrottled, Stage: smtp.StageToken, Pause: time.Hour}}, time.Hour},
		{"given back", outbox.Result{}, 0},
		{"a bad certificate", outbox.Result{Verdict: mailbox.Verdict{Class: diagnosis.ClassConfiguration, Stage: smtp.StageStartTLS, Fault: smtp.FaultTLSExpired}}, time.Hour},
	} {
		conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
			f.put(mail())
			f.lock()
			c := f.claim()
			f.finish(c, refused(c))
			f.clock.add(30 * time.Minute)
			s := f.endProbe(f.probe(), false, tt.r)
			if got := s.Probe.Sub(f.clock.Now()); got != tt.next || !s.Held() {
				t.Errorf("%s: the next probe is in %v, want %v", tt.name, got, tt.next)
			}
			if b := f.mailbox(); b.Wait.Text != denied.String() {
				t.Errorf("%s: reason %q", tt.name, b.Wait.Text)
			}
		})
	}
}

// Who holds a mailbox has a reason, and decides himself.
func TestWhatAnOperatorHoldsIsNotProbed(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		f.put(mail())
		f.lock()
		c := f.claim()
		f.finish(c, refused(c))
		f.clock.add(30 * time.Minute)
		p := f.probe()
		if err := f.HoldMailbox(f.ctx, box, "maintenance"); err != nil {
			t.Fatal(err)
		}
		if s := f.endProbe(p, true, outbox.Result{}); s.Pause != mailbox.PauseOperator {
			t.Errorf("a probe under way ended the hold: %+v", s)
		}
		f.clock.add(1000 * time.Hour)
		if due, err := f.sender.Due(f.ctx); len(due) != 0 || err != nil {
			t.Errorf("due: %v, %v", due, err)
		}
		if _, err := f.sender.StartProbe(f.ctx, box); !errors.Is(err, outbox.ErrIdle) {
			t.Errorf("StartProbe: %v", err)
		}
		if b := f.mailbox(); b.Stopped() || !b.ProbeAt.IsZero() {
			t.Errorf("%+v", b)
		}
	})
}

// A mailbox without mail is not signed in to for nothing.
func TestNothingIsProbedForNothing(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		q := f.put(mail())
		f.lock()
		c := f.claim()
		f.finish(c, refused(c))
		f.act(outbox.Cancel, q)
		f.clock.add(30 * time.Minute)
		if due, err := f.sender.Due(f.ctx); len(due) != 0 || err != nil {
			t.Errorf("due: %v, %v", due, err)
		}
		f.put(mail())
		f.probe()
	})
}

// A clock that is set back makes nothing wait for the hour to come again.
func TestAProbeMovesWithTheClock(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		f.put(mail())
		f.lock()
		c := f.claim()
		f.finish(c, refused(c))
		f.clock.add(-10 * time.Hour)
		if _, err := f.sender.Due(f.ctx); err != nil {
			t.Fatal(err)
		}
		b := f.mailbox()
		if got := b.ProbeAt.Sub(f.clock.Now()); got > 30*time.Minute || b.Since.After(f.clock.Now()) {
			t.Errorf("the next probe is in %v; held since %v, now %v", got, b.Since, f.clock.Now())
		}
	})
}

// What survives a restart: the hold, the next probe, and how rare they have become.
func TestAHoldSurvivesTheProcess(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		f.put(mail())
		f.lock()
		c := f.claim()
		f.finish(c, refused(c))
		f.clock.add(30 * time.Minute)
		f.probe() // and the process ends
		before := f.mailbox()
		if err := f.sender.Release(); err != nil {
			t.Fatal(err)
		}
		f.queue = f.reopen(f.options)
		f.lock()
		if b := f.mailbox(); b.ProbeAt != before.ProbeAt || b.ProbeAt.Sub(f.clock.Now()) != time.Hour {
			t.Errorf("%+v, before %+v", b, before)
		}
	})
}

// A release is a new beginning, whose end is told all the same.
func TestAReleaseBeginsAnew(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		f.put(mail())
		f.lock()
		c := f.claim()
		f.finish(c, refused(c))
		f.clock.add(30 * time.Minute)
		f.endProbe(f.probe(), false, refused(c))
		if err := f.ReleaseMailbox(f.ctx, box); err != nil {
			t.Fatal(err)
		}
		c = f.claim()
		if s := f.finish(c, refused(c)); s.Probe.Sub(f.clock.Now()) != 30*time.Minute || f.noticed() != "held, held" {
			t.Errorf("held again: %+v, notices %q", s, f.noticed())
		}
		if err := f.ReleaseMailbox(f.ctx, box); err != nil {
			t.Fatal(err)
		}
		c = f.allowed()
		f.finish(c, all(c, smtp.Accepted))
		if f.noticed() != "held, held, resumed" {
			t.Errorf("notices %q", f.noticed())
		}
	})
}

// A message in whose transaction something comes that is no reply, time and again,
// is given up like one that is deferred: it may be what the server stumbles over.
func TestAMessageThatMeetsNonsenseForEverIsGivenUp(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		nonsense := outbox.Result{Verdict: mailbox.Verdict{Stage: smtp.StageRcpt, Class: diagnosis.ClassConfiguration, Kind: "not-smtp", Fault: smtp.FaultNotSMTP, Text: "666"}}
		q := f.put(mail())
		f.lock()
		start := f.clock.Now()
		for {
			due, err := f.sender.Due(f.ctx)
			f.ok(err)
			if len(due) == 0 {
				break
			}
			f.clock.add(max(0, due[0].At.Sub(f.clock.Now())))
			if f.clock.Now().Sub(start) > 10*day {
				t.Fatal("it is tried for ever")
			}
			if due[0].Probe {
				f.endProbe(f.probe(), true, outbox.Result{})
			}
			c := f.claim()
			f.finish(c, nonsense)
		}
		took := f.clock.Now().Sub(start)
		if d := f.show(q); d.State != outbox.Dead || took < 4*day || !strings.Contains(f.story(q), string(outbox.EventGivenUp)) {
			t.Errorf("%s after %v: %s", d.State, took, f.story(q))
		}
		if !strings.HasSuffix(f.noticed(), "dead") {
			t.Error(f.noticed())
		}
	})
}
