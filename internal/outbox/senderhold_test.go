package outbox_test

import (
	"errors"
	"fmt"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/mailbox"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/outbox/queueid"
	"github.com/smtpsend/smtpsend/internal/outbox/spool"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// from is a message that says it is from an address.
func from(address string) spool.Message {
	m := mail()
	m.From = address
	return m
}

// refusedFor is the result of an attempt that was refused after the content until
// something is fixed.
func refusedFor(c *outbox.Claim, s diagnosis.Scope) outbox.Result {
	r := failed(c, smtp.Permanent, diagnosis.ClassConfiguration, smtp.StageContent, denied)
	r.Scope, r.Kind = s, "sendas-denied"
	return r
}

// states are those of messages.
func (f *fixture) states(ids ...queueid.ID) string {
	f.t.Helper()
	list := make([]outbox.State, len(ids))
	for i, id := range ids {
		list[i] = f.show(id).State
	}
	return fmt.Sprint(list)
}

// A sender that the mailbox may not send as keeps waiting alone: what else it has queued
// is held without an attempt, and the mail of others goes out.
func TestARefusedSenderDoesNotHoldItsMailbox(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		bad, good := f.put(from("Printer@contoso.example")), f.put(from("scanner@contoso.example"))
		again, own := f.put(from("printer@contoso.example")), f.put(from(box))
		f.lock()
		c := f.allowed()
		if s := f.finish(c, refusedFor(c, diagnosis.ScopeSender)); !s.MessageHeld() || s.Pause != "" {
			t.Errorf("settled %+v", s)
		}
		for _, want := range []queueid.ID{good, own} {
			c = f.allowed()
			if c.QID != want {
				t.Errorf("claimed %s, want %s", c.QID, want)
			}
			f.finish(c, all(c, smtp.Accepted))
		}
		if got := f.states(bad, good, again, own); got != "[held sent held sent]" {
			t.Errorf("states %s", got)
		}
		if f.story(bad) != "attempt, held" || f.story(again) != "held" || f.show(bad).Attempts != 0 {
			t.Errorf("stories %q and %q, %d attempts", f.story(bad), f.story(again), f.show(bad).Attempts)
		}
		d := f.show(again)
		if d.Why != operator.WhyRefused || d.Kind != "sendas-denied" || d.Text == "" || d.Code != denied.Code {
			t.Errorf("shown %+v", d.Mail)
		}
		if f.noticed() != "message held" {
			t.Errorf("notices %q", f.noticed())
		}
		m := f.mailbox()
		if len(m.Senders) != 1 || m.Senders[0].Address != "printer@contoso.example" || m.Senders[0].Messages != 2 || m.Senders[0].First != bad || m.Stopped() {
			t.Errorf("mailbox %+v", m)
		}
	})
}

// release of one message tries its sender again; refused, it is held and told again.
func TestReleaseTriesASenderAgain(t *testing.T) {
	for name, release := range map[string]func(f *fixture, q queueid.ID){
		"release a message": func(f *fixture, q queueid.ID) {
			if n, err := f.Act(f.ctx, outbox.Free, operator.Filter{QIDs: []queueid.ID{q}}); n != 1 || err != nil {
				f.t.Fatal(n, err)
			}
		},
		"retry a message": func(f *fixture, q queueid.ID) {
			if n, err := f.Act(f.ctx, outbox.Retry, operator.Filter{QIDs: []queueid.ID{q}}); n != 1 || err != nil {
				f.t.Fatal(n, err)
			}
		},
		"release the mailbox": func(f *fixture, _ queueid.ID) {
			if err := f.ReleaseMailbox(f.ctx, box); err != nil {
				f.t.Fatal(err)
			}
		},
	} {
		t.Run(name, func(t *testing.T) {
			conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
				first, second := f.put(from("printer@contoso.example")), f.put(from("printer@contoso.example"))
				byHand := f.put(from("printer@contoso.example"))
				if _, err := f.Act(f.ctx, outbox.Hold, operator.Filter{QIDs: []queueid.ID{byHand}}); err != nil {
					t.Fatal(err)
				}
				f.lock()
				for range 2 {
					c := f.allowed()
					f.finish(c, refusedFor(c, diagnosis.ScopeSender))
					if _, err := f.sender.Claim(f.ctx, box); err == nil {
						t.Fatal("more is due")
					}
					if f.states(first, second, byHand) != "[held held held]" {
						t.Fatalf("states %s", f.states(first, second, byHand))
					}
					release(f, second)
					if f.states(first, second, byHand) != "[ready ready held]" {
						t.Fatalf("after the release %s", f.states(first, second, byHand))
					}
				}
				if f.noticed() != "message held, message held" {
					t.Errorf("notices %q", f.noticed())
				}
				for range 2 {
					c := f.allowed()
					f.finish(c, all(c, smtp.Accepted))
				}
			})
		})
	}
}

// Who names all messages of a sender, as the list shows them, has released them all,
// though the first takes the others with it.
func TestReleaseOfAllOfASenderCountsAll(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		var all []queueid.ID
		for range 3 {
			all = append(all, f.put(from("printer@contoso.example")))
		}
		f.lock()
		c := f.allowed()
		f.finish(c, refusedFor(c, diagnosis.ScopeSender))
		if _, err := f.sender.Claim(f.ctx, box); err == nil || f.states(all...) != "[held held held]" {
			t.Fatal(err, f.states(all...))
		}
		free := f.put(from("scanner@contoso.example"))
		n, left, err := operator.ActOnEach(f.ctx, f.Outbox, outbox.Free, operator.Filter{QIDs: append(all, free)})
		if n != 3 || len(left) != 1 || left[0].QID != free || err != nil {
			t.Errorf("released %d, left %v, %v", n, left, err)
		}
	})
}

// A refusal of one message holds no other; the operator hears of the next one after a
// message of the sender was accepted.
func TestARefusedMessageIsHeldAlone(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		var ids []queueid.ID
		for range 4 {
			ids = append(ids, f.put(from("scanner@contoso.example")))
		}
		f.lock()
		for i, told := range []string{"message held", "message held", "message held", "message held, message held"} {
			c := f.allowed()
			if i == 2 {
				f.finish(c, all(c, smtp.Accepted))
			} else {
				f.finish(c, refusedFor(c, diagnosis.ScopeMessage))
			}
			if f.noticed() != told {
				t.Errorf("after %d: notices %q", i, f.noticed())
			}
		}
		if f.states(ids...) != "[held held sent held]" {
			t.Errorf("states %s", f.states(ids...))
		}
	})
}

// Many senders that are refused one after another are what Exchange blocks a mailbox for:
// it pauses before.
func TestManyRefusedSendersPauseTheMailbox(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		for n := range 6 {
			f.put(from(fmt.Sprintf("device%d@contoso.example", n)))
		}
		f.lock()
		for n := range 5 {
			c := f.allowed()
			if s := f.finish(c, refusedFor(c, diagnosis.ScopeSender)); (s.Pause == mailbox.PauseRefusals) != (n == 4) {
				t.Errorf("after %d: %+v", n+1, s)
			}
		}
		if w := f.waits(); w.Pause != mailbox.PauseRefusals || w.Until.Sub(f.clock.Now()) != 10*time.Minute {
			t.Errorf("waits %+v", w)
		}
	})
}

// The mailbox as its own sender is held whole, as ever: a sign-in and one message try it
// again by themselves.
func TestAMailboxThatMayNotSendAsItselfIsHeld(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		q := f.put(from("APP@contoso.example"))
		f.lock()
		c := f.allowed()
		if s := f.finish(c, refusedFor(c, diagnosis.ScopeSender)); !s.Held() || s.State != outbox.Ready {
			t.Errorf("settled %+v", s)
		}
		if f.show(q).State != outbox.Ready || f.noticed() != "held" {
			t.Errorf("%s, notices %q", f.show(q).State, f.noticed())
		}
	})
}

// A backlog of a held sender is held in parts, between which others can write.
func TestABacklogOfAHeldSenderIsHeldInParts(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		for range 1501 {
			f.put(from("printer@contoso.example"))
		}
		own := f.put(from(box))
		f.lock()
		c := f.allowed()
		f.finish(c, refusedFor(c, diagnosis.ScopeSender))
		if _, err := f.sender.Claim(f.ctx, box); !errors.Is(err, outbox.ErrIdle) || f.mailbox().Counts[outbox.Held] != 1001 {
			t.Errorf("the first part: %v, %d are held", err, f.mailbox().Counts[outbox.Held])
		}
		if due, err := f.sender.Due(f.ctx); len(due) != 1 || err != nil {
			t.Errorf("due: %v, %v", due, err)
		}
		if c = f.allowed(); c.QID != own || f.mailbox().Counts[outbox.Held] != 1501 {
			t.Errorf("claimed %s, %d are held", c.QID, f.mailbox().Counts[outbox.Held])
		}
	})
}
