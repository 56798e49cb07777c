package outbox_test

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/mailbox"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/outbox/queueid"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// crash leaves everything as a process does that is killed, and starts anew.
func (f *fixture) crash(o outbox.Options) outbox.Recovered {
	f.t.Helper()
	if err := f.sender.Release(); err != nil {
		f.t.Fatal(err)
	}
	o.Clock, o.Jitter = f.clock.Now, func() float64 { return 0 }
	f.queue = f.reopen(o)
	return f.lock()
}

func TestCrashInEachPhase(t *testing.T) {
	tests := []struct {
		name    string
		run     func(f *fixture)
		inDoubt outbox.Doubt
		want    outbox.Recovered
		state   outbox.State
		story   string
		notices string
	}{
		{"before the claim", func(f *fixture) {}, "", outbox.Recovered{}, outbox.Ready, "", ""},
		{"connected", func(f *fixture) { f.claim() }, "", outbox.Recovered{Again: 1}, outbox.Ready, "recovered", ""},
		{"data allowed", func(f *fixture) { f.allowed() }, "", outbox.Recovered{InDoubt: 1}, outbox.Ready, "attempt, in doubt", ""},
		{"data allowed, doubts held", func(f *fixture) { f.allowed() }, outbox.DoubtHold, outbox.Recovered{Held: 1}, outbox.Held, "attempt, in doubt", "in doubt"},
		{"finished", func(f *fixture) { c := f.allowed(); f.finish(c, all(c, smtp.Accepted)) }, "", outbox.Recovered{}, outbox.Sent, "attempt, accepted", ""},
	}
	for _, tt := range tests {
		t.Run(tt.name, func(t *testing.T) {
			conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
				q := f.put(mail())
				f.lock()
				tt.run(f)
				if got := f.crash(outbox.Options{InDoubt: tt.inDoubt}); got != tt.want {
					t.Errorf("recovered %+v, want %+v", got, tt.want)
				}
				if d := f.show(q); d.State != tt.state || f.story(q) != tt.story || f.noticed() != tt.notices {
					t.Errorf("%s: %s, notices %q", d.State, f.story(q), f.noticed())
				}
				if tt.state == outbox.Ready {
					if c := f.claim(); c.QID != q || c.MessageID != "<1@contoso.example>" {
						t.Errorf("claim after recovery: %+v", c)
					}
				}
			})
		})
	}
}

func TestSecondCrashInDoubtHolds(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		q := f.put(mail())
		f.lock()
		f.allowed()
		f.crash(outbox.Options{})
		f.allowed()
		if r := f.crash(outbox.Options{}); r.Held != 1 || f.show(q).State != outbox.Held || f.noticed() != "in doubt" {
			t.Errorf("%+v, %s, notices %q", r, f.show(q).State, f.noticed())
		}
	})
}

func TestMessageThatEndsTheProcessWaits(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		f.put(mail())
		f.lock()
		f.claim()
		f.crash(outbox.Options{})
		f.claim()
		f.crash(outbox.Options{})
		if _, err := f.sender.Claim(f.ctx, box); !errors.Is(err, outbox.ErrIdle) {
			t.Errorf("claimed at once after two crashes: %v", err)
		}
		f.clock.add(time.Minute)
		f.claim()
	})
}

func TestDoubtCountsAgainstTheLimit(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		f.put(mail())
		f.lock()
		f.allowed()
		f.crash(outbox.Options{Limits: mailbox.Limits{PerMinute: 1}})
		f.waits()
	})
}

func TestBrokenOffContentIsSweptAfterItsLease(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		f.lock()
		hanging := make(chan struct{})
		reading := make(chan struct{})
		taken := make(chan error, 1)
		large := bytes.Repeat([]byte("x"), 2<<20)
		go func() {
			_, _, err := f.Accept(f.ctx, mail(), &stalling{data: large, reading: reading, release: hanging})
			taken <- err
		}()
		<-reading // two pieces are on disk
		list, err := f.List(f.ctx, operator.Filter{States: []outbox.State{outbox.Receiving}})
		if err != nil || len(list) != 1 || list[0].Why != operator.WhyArriving {
			t.Fatalf("%+v, %v", list, err)
		}
		if _, err := f.sender.Purge(f.ctx); err != nil {
			t.Fatal(err)
		}
		if list, _ := f.List(f.ctx, operator.Filter{}); len(list) != 1 {
			t.Error("a content that is coming in was swept")
		}
		f.clock.add(2 * time.Hour)
		if _, err := f.sender.Purge(f.ctx); err != nil {
			t.Fatal(err)
		}
		if list, _ := f.List(f.ctx, operator.Filter{}); len(list) != 0 {
			t.Error("a content that broke off was not swept")
		}
		close(hanging)
		if err := <-taken; !errors.Is(err, store.ErrLost) {
			t.Errorf("Accept of what was swept: %v, want ErrLost", err)
		}
	})
}

// stalling gives data, says so, and ends when released.
type stalling struct {
	data    []byte
	reading chan struct{}
	release chan struct{}
}

func (s *stalling) Read(p []byte) (int, error) {
	if len(s.data) > 0 {
		n := copy(p, s.data)
		s.data = s.data[n:]
		return n, nil
	}
	if s.reading != nil {
		close(s.reading)
		s.reading = nil
		<-s.release
	}
	n := copy(p, "end")
	return n, io.EOF
}

func TestTwoSendersOnOneOutboxAreRefused(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		f.lock()
		other := f.reopen(f.options)
		_, _, err := other.Lock(f.ctx)
		if !errors.Is(err, store.ErrLocked) || !strings.Contains(err.Error(), ": process ") {
			t.Errorf("second Lock: %v", err)
		}
		if err := f.sender.Release(); err != nil {
			t.Fatal(err)
		}
		s, _, err := other.Lock(f.ctx)
		if err != nil {
			t.Fatalf("Lock after Release: %v", err)
		}
		_ = s.Release()
	})
}

func TestPurge(t *testing.T) {
	conform(t, outbox.Options{Retention: 24 * time.Hour}, func(t *testing.T, f *fixture) {
		m := mail()
		m.Key = "k"
		sent := f.put(m)
		f.lock()
		c := f.allowed()
		f.finish(c, all(c, smtp.Accepted))
		dead := f.put(mail())
		c = f.allowed()
		f.finish(c, failed(c, smtp.Permanent, diagnosis.ClassPermanent, smtp.StageContent, unknown))
		waiting := f.put(mail())
		f.clock.add(24 * time.Hour)
		if n, err := f.sender.Purge(f.ctx); n != 0 || err != nil {
			t.Errorf("too early: %d, %v", n, err)
		}
		f.clock.add(time.Second)
		if n, err := f.sender.Purge(f.ctx); n != 2 || err != nil {
			t.Errorf("removed %d, %v, want 2", n, err)
		}
		for _, q := range []queueid.ID{sent, dead} {
			if _, err := f.Show(f.ctx, q); !errors.Is(err, store.ErrNotFound) {
				t.Errorf("%s: %v, want ErrNotFound", q, err)
			}
		}
		f.show(waiting)
		if q := f.put(m); q == sent {
			t.Errorf("the number %s was given again", q)
		}
	})
}

func TestBackupIsAWholeOutbox(t *testing.T) {
	dir := t.TempDir()
	ob, err := outbox.Open(t.Context(), dir, outbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer ob.Close()
	q, _, err := ob.Accept(t.Context(), mail(), strings.NewReader(content))
	if err != nil {
		t.Fatal(err)
	}
	copied := t.TempDir()
	name := filepath.Join(copied, "queue.db")
	if err := ob.Backup(t.Context(), name); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode of the copy: %v, %v", info.Mode(), err)
	}
	if err := ob.Backup(t.Context(), name); !errors.Is(err, os.ErrExist) {
		t.Errorf("backup over a file: %v", err)
	}
	t.Chdir(t.TempDir())
	if err := ob.Backup(t.Context(), "file:copy?mode=memory"); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat("file:copy?mode=memory"); err != nil || info.Size() == 0 {
		t.Errorf("a name that is an address to SQLite: %v, %v", info, err)
	}
	again, err := outbox.Open(t.Context(), copied, outbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	defer again.Close()
	f := &fixture{t: t, ctx: t.Context(), queue: on(again)}
	if got, err := f.read(q); got != content || err != nil {
		t.Errorf("content in the copy: %q, %v", got, err)
	}
}
