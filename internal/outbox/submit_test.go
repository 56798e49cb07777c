package outbox_test

import (
	"errors"
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/mailbox"
	"github.com/smtpsend/smtpsend/internal/outbox/notice"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/outbox/queueid"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

var (
	busy      = smtp.Reply{Code: 451, Enhanced: smtp.Enhanced{Class: 4, Subject: 7}, Lines: []string{"4.7.0 Temporary server error. Please try again later. PRX2"}}
	throttled = smtp.Reply{Code: 432, Enhanced: smtp.Enhanced{Class: 4, Subject: 3, Detail: 2}, Lines: []string{"4.3.2 Concurrent connections limit exceeded."}}
	unknown   = smtp.Reply{Code: 550, Enhanced: smtp.Enhanced{Class: 5, Subject: 1, Detail: 1}, Lines: []string{"5.1.1 User unknown"}}
	denied    = smtp.Reply{Code: 535, Enhanced: smtp.Enhanced{Class: 5, Subject: 7, Detail: 3}, Lines: []string{"5.7.3 Authentication unsuccessful"}}
	blocked   = smtp.Reply{Code: 550, Enhanced: smtp.Enhanced{Class: 5, Subject: 1, Detail: 8}, Lines: []string{"5.1.8 Access denied, bad outbound sender"}}
	taken     = smtp.Reply{Code: 250, Enhanced: smtp.Enhanced{Class: 2}, Lines: []string{"2.0.0 OK <1@contoso.example> [Hostname=h]"}}
)

// failed is a refusal of the whole message with the outcome for every recipient.
func failed(c *outbox.Claim, o smtp.Outcome, class diagnosis.Class, stage smtp.Stage, rep smtp.Reply) outbox.Result {
	r := all(c, o)
	for i := range r.Recipients {
		r.Recipients[i].Reply = rep
	}
	r.Class, r.Stage, r.Reply, r.Kind, r.Took = class, stage, rep, string(class)+"-kind", 20*time.Millisecond
	return r
}

func TestOutcomeOfAnAttempt(t *testing.T) {
	tests := []struct {
		name    string
		outcome smtp.Outcome
		class   diagnosis.Class
		stage   smtp.Stage
		reply   smtp.Reply
		fault   smtp.Fault

		state    outbox.State
		wait     time.Duration // until the message is due
		pause    mailbox.Pause
		pauses   time.Duration // how long the mailbox pauses; 0: until released
		attempts int
		story    string
		notices  string
		content  bool // is kept
	}{
		{name: "accepted", outcome: smtp.Accepted, stage: smtp.StageContent, reply: taken,
			state: outbox.Sent, attempts: 1, story: "attempt, accepted"},
		{name: "refused", outcome: smtp.Permanent, class: diagnosis.ClassPermanent, stage: smtp.StageContent, reply: unknown,
			state: outbox.Dead, attempts: 1, story: "attempt, refused", notices: "dead", content: true},
		{name: "transient", outcome: smtp.Transient, class: diagnosis.ClassTransient, stage: smtp.StageContent, reply: busy,
			state: outbox.Ready, wait: time.Minute, attempts: 1, story: "attempt, deferred", content: true},
		{name: "connection lost before the dot", outcome: smtp.NotAttempted, class: diagnosis.ClassTransient, stage: smtp.StageData,
			state: outbox.Ready, wait: time.Minute, attempts: 1, story: "attempt, deferred", content: true},
		{name: "throttled", outcome: smtp.Transient, class: diagnosis.ClassThrottled, stage: smtp.StageContent, reply: throttled,
			state: outbox.Ready, pause: mailbox.PauseThrottled, pauses: 30 * time.Second, story: "attempt, throttled", content: true},
		{name: "throttled with a 5yz reply", outcome: smtp.Permanent, class: diagnosis.ClassThrottled, stage: smtp.StageContent, reply: unknown,
			state: outbox.Ready, pause: mailbox.PauseThrottled, pauses: 30 * time.Second, story: "attempt, throttled", content: true},
		{name: "not authorised", outcome: smtp.NotAttempted, class: diagnosis.ClassConfiguration, stage: smtp.StageAuth, reply: denied,
			state: outbox.Ready, pause: mailbox.PauseConfiguration, story: "attempt, held", notices: "held", content: true},
		{name: "send as denied after the dot", outcome: smtp.Permanent, class: diagnosis.ClassConfiguration, stage: smtp.StageContent, reply: denied,
			state: outbox.Ready, pause: mailbox.PauseConfiguration, story: "attempt, held", notices: "held", content: true},
		{name: "token refused", outcome: smtp.NotAttempted, class: diagnosis.ClassConfiguration, stage: smtp.StageToken,
			state: outbox.Ready, pause: mailbox.PauseConfiguration, story: "attempt, held", notices: "held", content: true},
		{name: "5yz at connect", outcome: smtp.NotAttempted, class: diagnosis.ClassPermanent, stage: smtp.StageGreeting, reply: unknown,
			state: outbox.Ready, pause: mailbox.PauseServer, pauses: time.Minute, story: "attempt, paused", content: true},
		{name: "bad certificate", outcome: smtp.NotAttempted, class: diagnosis.ClassConfiguration, stage: smtp.StageStartTLS, fault: smtp.FaultTLSExpired,
			state: outbox.Ready, pause: mailbox.PauseServer, pauses: time.Minute, story: "attempt, paused", content: true},
		{name: "bad certificate of the token endpoint", outcome: smtp.NotAttempted, class: diagnosis.ClassConfiguration, stage: smtp.StageToken, fault: smtp.FaultTLSHostname,
			state: outbox.Ready, pause: mailbox.PauseServer, pauses: time.Minute, story: "attempt, paused", content: true},
		{name: "no reply to RCPT but nonsense", outcome: smtp.NotAttempted, class: diagnosis.ClassConfiguration, stage: smtp.StageRcpt, fault: smtp.FaultNotSMTP,
			state: outbox.Ready, pause: mailbox.PauseServer, pauses: time.Minute, story: "attempt, paused", content: true},
		{name: "a reply that does not belong to AUTH", outcome: smtp.NotAttempted, class: diagnosis.ClassPermanent, stage: smtp.StageAuth, reply: taken,
			state: outbox.Ready, pause: mailbox.PauseServer, pauses: time.Minute, story: "attempt, paused", content: true},
		{name: "421 that a setting causes", outcome: smtp.NotAttempted, class: diagnosis.ClassConfiguration, stage: smtp.StageMail, reply: busy,
			state: outbox.Ready, pause: mailbox.PauseServer, pauses: time.Minute, story: "attempt, paused", content: true},
		{name: "blocked", outcome: smtp.Permanent, class: diagnosis.ClassBlocked, stage: smtp.StageContent, reply: blocked,
			state: outbox.Ready, pause: mailbox.PauseBlocked, story: "attempt, held", notices: "held", content: true},
		{name: "network down", outcome: smtp.NotAttempted, class: diagnosis.ClassTransient, stage: smtp.StageDial,
			state: outbox.Ready, pause: mailbox.PauseUnreachable, pauses: 30 * time.Second, story: "attempt, unreachable", content: true},
		{name: "in doubt", outcome: smtp.InDoubt, class: diagnosis.ClassTransient, stage: smtp.StageContent,
			state: outbox.Ready, wait: time.Minute, attempts: 1, story: "attempt, in doubt", content: true},
		{name: "given back", outcome: smtp.NotAttempted,
			state: outbox.Ready, story: "attempt, returned", content: true},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
				q := f.put(mail("kim@fabrikam.example", "lee@fabrikam.example"))
				f.lock()
				c := f.allowed()
				r := failed(c, tt.outcome, tt.class, tt.stage, tt.reply)
				r.Fault = tt.fault
				s := f.finish(c, r)
				d := f.show(q)
				if s.State != tt.state || d.State != tt.state || s.Pause != tt.pause || d.Attempts != tt.attempts {
					t.Errorf("settled %+v, state %s, %d attempts", s, d.State, d.Attempts)
				}
				if tt.state == outbox.Ready && (!s.ReadyAt.Equal(f.clock.Now().Add(tt.wait)) || !d.ReadyAt.Equal(s.ReadyAt)) {
					t.Errorf("ready at %v, want in %v", s.ReadyAt, tt.wait)
				}
				if got := f.story(q); got != tt.story {
					t.Errorf("events: %s, want %s", got, tt.story)
				}
				if got := f.noticed(); got != tt.notices {
					t.Errorf("notices: %q, want %q", got, tt.notices)
				}
				if got, err := f.read(q); (err == nil && got == content) != tt.content {
					t.Errorf("content = %q, %v", got, err)
				}
				last := d.Events[len(d.Events)-1]
				if last.Code != tt.reply.Code || last.Text != tt.reply.Text() || last.Took != 20*time.Millisecond {
					t.Errorf("last event = %+v", last)
				}
				if tt.pause == "" {
					return
				}
				w := f.waits()
				if w.Pause != tt.pause || (tt.pauses == 0) != w.Until.IsZero() || (tt.pauses != 0 && !w.Until.Equal(f.clock.Now().Add(tt.pauses))) {
					t.Errorf("the mailbox waits: %+v", w)
				}
				if w.Text != tt.reply.String() {
					t.Errorf("reason %q lacks the server's words", w.Text)
				}
			})
		})
	}
}

func TestRecipientsHaveOutcomesOfTheirOwn(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		q := f.put(mail("ok@x.example", "later@x.example", "never@x.example"))
		f.lock()
		c := f.allowed()
		f.finish(c, outbox.Result{Verdict: mailbox.Verdict{Reply: taken}, ServerID: "<1@contoso.example>", Recipients: []outbox.Recipient{
			{Recipient: smtp.Recipient{ForwardPath: "ok@x.example", Outcome: smtp.Accepted, Reply: taken}},
			{Recipient: smtp.Recipient{ForwardPath: "later@x.example", Outcome: smtp.Transient, Reply: busy}, Class: diagnosis.ClassTransient},
			{Recipient: smtp.Recipient{ForwardPath: "never@x.example", Outcome: smtp.Permanent, Reply: unknown}, Class: diagnosis.ClassPermanent},
		}})
		if d := f.show(q); d.State != outbox.Ready || d.Open != 1 || d.ServerID != "<1@contoso.example>" {
			t.Fatalf("after the first attempt: %+v", d.Mail)
		}
		f.clock.add(time.Minute)
		c = f.allowed()
		if got := strings.Join(c.Envelope.ForwardPaths, " "); got != "later@x.example" || c.Attempt != 2 {
			t.Fatalf("second attempt %d goes to %q", c.Attempt, got)
		}
		f.finish(c, failed(c, smtp.Accepted, "", smtp.StageContent, taken))
		d := f.show(q)
		var states []string
		for _, r := range d.RecipientStates {
			states = append(states, string(r.State))
		}
		if d.State != outbox.Dead || strings.Join(states, " ") != "accepted accepted refused" {
			t.Errorf("in the end %s: %v", d.State, states)
		}
		if got, want := f.story(q), "attempt, transient(later@x.example), permanent(never@x.example), deferred, attempt, refused"; got != want {
			t.Errorf("events: %s, want %s", got, want)
		}
		if n, err := f.Act(f.ctx, outbox.Retry, operator.Filter{QIDs: []queueid.ID{q}}); n != 1 || err != nil {
			t.Fatal(n, err)
		}
		if c := f.claim(); strings.Join(c.Envelope.ForwardPaths, " ") != "never@x.example" {
			t.Errorf("a retry goes to %v, want only who was refused", c.Envelope.ForwardPaths)
		}
	})
}

func TestWaitsGrowUntilTheMessageIsGivenUp(t *testing.T) {
	conform(t, outbox.Options{GiveUp: 24 * time.Hour}, func(t *testing.T, f *fixture) {
		q := f.put(mail())
		f.lock()
		var waits []time.Duration
		for {
			c := f.allowed()
			s := f.finish(c, failed(c, smtp.Transient, diagnosis.ClassTransient, smtp.StageContent, busy))
			if s.State == outbox.Dead {
				break
			}
			waits = append(waits, s.ReadyAt.Sub(f.clock.Now()))
			f.clock.add(waits[len(waits)-1])
		}
		m := time.Minute
		want := []time.Duration{m, 2 * m, 4 * m, 8 * m, 16 * m, 32 * m, 64 * m, 128 * m, 240 * m, 240 * m, 240 * m, 240 * m}
		if len(waits) != len(want) {
			t.Fatalf("waits: %v", waits)
		}
		for i := range want {
			if waits[i] != want[i] {
				t.Errorf("wait %d is %v, want %v", i+1, waits[i], want[i])
			}
		}
		if d := f.show(q); d.State != outbox.Dead || d.Open != 0 || d.RecipientStates[0].State != outbox.RecipientUnsent || !strings.HasSuffix(f.story(q), "attempt, given up") || f.noticed() != "dead" {
			t.Errorf("state %s, %s, notices %s", d.State, f.story(q), f.noticed())
		}
	})
}

func TestThrottlingNeverCostsAMessage(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		q := f.put(mail())
		f.lock()
		var pauses []time.Duration
		for range 200 {
			c := f.allowed()
			f.finish(c, failed(c, smtp.Transient, diagnosis.ClassThrottled, smtp.StageContent, throttled))
			pauses = append(pauses, f.waits().Until.Sub(f.clock.Now()))
			f.clock.add(pauses[len(pauses)-1])
		}
		if pauses[0] != 30*time.Second || pauses[1] != time.Minute || pauses[5] != 15*time.Minute || pauses[199] != 15*time.Minute {
			t.Errorf("pauses: %v", pauses[:10])
		}
		if d := f.show(q); d.State != outbox.Ready || d.Attempts != 0 {
			t.Errorf("state %s, %d attempts", d.State, d.Attempts)
		}
		if f.noticed() != "paused" {
			t.Errorf("notices: %q, want one when the pause is longest", f.noticed())
		}
		c := f.allowed()
		f.finish(c, all(c, smtp.Accepted))
		f.put(mail())
		c = f.allowed()
		f.finish(c, failed(c, smtp.Transient, diagnosis.ClassThrottled, smtp.StageContent, throttled))
		if got := f.waits().Until.Sub(f.clock.Now()); got != 30*time.Second {
			t.Errorf("after an accepted message the pause is %v", got)
		}
	})
}

func TestPauseThatTheServerAsksFor(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		f.put(mail())
		f.lock()
		c := f.claim()
		r := failed(c, smtp.NotAttempted, diagnosis.ClassThrottled, smtp.StageToken, smtp.Reply{})
		r.Pause, r.Text = 7*time.Minute, "token endpoint: 429"
		f.finish(c, r)
		if w := f.waits(); w.Until.Sub(f.clock.Now()) != 7*time.Minute || w.Pause != mailbox.PauseThrottled || w.Text != "token endpoint: 429" {
			t.Errorf("%+v", w)
		}
	})
}

func TestFiveRefusalsOfOneKindPauseTheMailbox(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		for range 20 {
			f.put(mail())
		}
		f.lock()
		refuse := func(kind string) outbox.Settled {
			c := f.allowed()
			r := failed(c, smtp.Permanent, diagnosis.ClassPermanent, smtp.StageContent, unknown)
			r.Kind = kind
			return f.finish(c, r)
		}
		for _, kind := range []string{"a", "a", "a", "a", "b", "b", "b", "b"} {
			if s := refuse(kind); s.Pause != "" {
				t.Fatalf("paused too early: %+v", s)
			}
		}
		if s := refuse("b"); s.Pause != mailbox.PauseRefusals {
			t.Fatalf("after five: %+v", s)
		}
		for _, want := range []time.Duration{10 * time.Minute, 20 * time.Minute, 40 * time.Minute} {
			w := f.waits()
			if got := w.Until.Sub(f.clock.Now()); got != want || w.Pause != mailbox.PauseRefusals || w.Text != "550 5.1.1 User unknown" {
				t.Errorf("pause %v, want %v: %s", got, want, w.Text)
			}
			f.clock.add(want)
			refuse("b")
		}
		if got := strings.Count(f.noticed(), "paused"); got != 1 {
			t.Errorf("%d notices of the pause, want one", got)
		}
		f.clock.add(24 * time.Hour)
		c := f.allowed()
		f.finish(c, all(c, smtp.Accepted))
		if s := refuse("b"); s.Pause != "" {
			t.Errorf("an accepted message did not end the series: %+v", s)
		}
	})
}

func TestHeldMailboxGoesOnWhenReleased(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		q := f.put(mail())
		f.put(mail())
		f.put(mail())
		f.lock()
		a, b, late := f.allowed(), f.allowed(), f.claim()
		for _, c := range []*outbox.Claim{a, b} { // two connections meet the same
			f.finish(c, failed(c, smtp.NotAttempted, diagnosis.ClassConfiguration, smtp.StageAuth, denied))
		}
		if f.noticed() != "held" {
			t.Errorf("notices: %q, want one", f.noticed())
		}
		var w *mailbox.WaitError
		if err := f.sender.AllowData(f.ctx, late); !errors.As(err, &w) || w.Pause != mailbox.PauseConfiguration {
			t.Errorf("AllowData for a stopped mailbox: %v", err)
		}
		f.finish(late, outbox.Result{})
		f.clock.add(1000 * time.Hour)
		f.waits() // however long nobody does anything
		if d := f.show(q); d.Why != operator.WhyMailbox || d.MailboxWait.Pause != mailbox.PauseConfiguration || !strings.HasPrefix(d.MailboxWait.Text, "535 5.7.3") || !d.WaitsUntil.IsZero() {
			t.Errorf("reason = %q until %v", d.Why, d.WaitsUntil)
		}
		if err := f.ReleaseMailbox(f.ctx, "APP@contoso.example"); err != nil {
			t.Fatal(err)
		}
		if c := f.claim(); c.QID != q || c.Attempt != 1 {
			t.Errorf("after the release %s, attempt %d", c.QID, c.Attempt)
		}
		if err := f.ReleaseMailbox(f.ctx, "nobody@contoso.example"); !errors.Is(err, store.ErrNotFound) {
			t.Errorf("releasing an unknown mailbox: %v", err)
		}
	})
}

func TestPauseDoesNotEndAHold(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		f.put(mail())
		f.put(mail())
		f.lock()
		a, b := f.allowed(), f.allowed()
		f.finish(a, failed(a, smtp.Permanent, diagnosis.ClassBlocked, smtp.StageContent, blocked))
		f.finish(b, failed(b, smtp.Transient, diagnosis.ClassThrottled, smtp.StageContent, throttled))
		if w := f.waits(); w.Pause != mailbox.PauseBlocked || !w.Until.IsZero() {
			t.Errorf("%+v", w)
		}
	})
}

func TestInDoubtIsSubmittedOnceMoreOrHeld(t *testing.T) {
	doubt := func(f *fixture) outbox.Settled {
		c := f.allowed()
		return f.finish(c, failed(c, smtp.InDoubt, diagnosis.ClassTransient, smtp.StageContent, smtp.Reply{}))
	}
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		q := f.put(mail())
		f.lock()
		if s := doubt(f); s.State != outbox.Ready {
			t.Errorf("first doubt: %+v", s)
		}
		f.clock.add(time.Minute)
		if s := doubt(f); s.State != outbox.Held || f.noticed() != "in doubt" {
			t.Errorf("second doubt: %+v, notices %q", s, f.noticed())
		}
		if d := f.show(q); d.InDoubt != 2 || d.Why != operator.WhyInDoubt {
			t.Errorf("%d doubts, %q", d.InDoubt, d.Why)
		}
	})
	conform(t, outbox.Options{InDoubt: outbox.DoubtHold}, func(t *testing.T, f *fixture) {
		f.put(mail())
		f.lock()
		if s := doubt(f); s.State != outbox.Held {
			t.Errorf("first doubt: %+v", s)
		}
	})
}

func TestNoNoticeIsAboutANotice(t *testing.T) {
	conform(t, outbox.Options{InDoubt: outbox.DoubtHold}, func(t *testing.T, f *fixture) {
		m := mail()
		m.Notice = true
		f.lock()
		for _, o := range []smtp.Outcome{smtp.Permanent, smtp.InDoubt} {
			f.put(m)
			c := f.allowed()
			f.finish(c, all(c, o))
		}
		m.ExpiresAt = f.clock.Now()
		f.put(m)
		if _, err := f.sender.Claim(f.ctx, box); !errors.Is(err, outbox.ErrIdle) {
			t.Fatal(err)
		}
		if got := f.noticed(); got != "" {
			t.Errorf("notices: %q", got)
		}
	})
}

func TestNoticesAreToldOnce(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		q := f.put(mail())
		f.lock()
		c := f.allowed()
		f.finish(c, failed(c, smtp.Permanent, diagnosis.ClassPermanent, smtp.StageContent, unknown))
		list, err := f.Notices(f.ctx, notice.RoadMail, 10)
		if err != nil || len(list) != 1 || list[0].QID != q || list[0].Text != "550 5.1.1 User unknown" || list[0].Code != "permanent-kind" || list[0].Mailbox != box {
			t.Fatalf("%+v, %v", list, err)
		}
		if err := f.NoticesDone(f.ctx, notice.RoadMail, list); err != nil || f.noticed() != "" {
			t.Errorf("after NoticesDone: %v, %q", err, f.noticed())
		}
	})
}

func TestExpiredMessagesAreNotSubmitted(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		m := mail()
		m.ExpiresAt = f.clock.Now().Add(time.Hour)
		first := f.put(m)
		second := f.put(mail())
		f.lock()
		f.clock.add(time.Hour)
		if c := f.claim(); c.QID != second {
			t.Errorf("claimed %s, want %s", c.QID, second)
		}
		if d := f.show(first); d.State != outbox.Dead || d.Kind != "expired" || f.story(first) != "expired" || f.noticed() != "dead" {
			t.Errorf("%s %s: %s, notices %q", d.State, d.Kind, f.story(first), f.noticed())
		}
		held := f.put(m)
		if _, err := f.Act(f.ctx, outbox.Hold, operator.Filter{QIDs: []queueid.ID{held}}); err != nil {
			t.Fatal(err)
		}
		if _, err := f.sender.Purge(f.ctx); err != nil || f.show(held).State != outbox.Dead {
			t.Errorf("Purge: %v, %s", err, f.show(held).State)
		}
	})
}

func TestAClaimEndsOnce(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		f.put(mail())
		f.lock()
		c := f.allowed()
		if err := f.sender.AllowData(f.ctx, c); !errors.Is(err, store.ErrLost) {
			t.Errorf("second AllowData: %v, want ErrLost", err)
		}
		f.finish(c, outbox.Result{})
		again := f.claim()
		if _, err := f.sender.Finish(f.ctx, c, all(c, smtp.Accepted)); !errors.Is(err, store.ErrLost) {
			t.Errorf("Finish of an old claim: %v, want ErrLost", err)
		}
		if err := f.sender.AllowData(f.ctx, again); err != nil {
			t.Errorf("the new claim: %v", err)
		}
	})
}
