package submission_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/exchange"
	"github.com/smtpsend/smtpsend/internal/session"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/submission"
)

func TestSlotsAreNeverMoreThanTheirNumber(t *testing.T) {
	dir := t.TempDir()
	var now, most atomic.Int32
	var wg sync.WaitGroup
	for range 10 {
		slots := submission.NewLockSlots(dir, 0) // each as in a process of its own
		wg.Go(func() {
			for range 5 {
				release, err := slots.Acquire(t.Context(), "A@contoso.example")
				if err != nil {
					t.Error(err)
					return
				}
				n := now.Add(1)
				for old := most.Load(); n > old && !most.CompareAndSwap(old, n); old = most.Load() {
				}
				now.Add(-1)
				release()
			}
		})
	}
	wg.Wait()
	if m := most.Load(); m < 1 || m > exchange.Connections {
		t.Errorf("%d slots at once, want 1 to %d", m, exchange.Connections)
	}
}

func TestSlotsOfAMailbox(t *testing.T) {
	slots := submission.NewLockSlots(filepath.Join(t.TempDir(), "new"), 1)
	waited := make(chan string, 1)
	slots.Waiting = func(m string) { waited <- m }
	release, err := slots.Acquire(t.Context(), "a@contoso.example")
	if err != nil {
		t.Fatal(err)
	}
	other, err := slots.Acquire(t.Context(), "b@contoso.example")
	if err != nil {
		t.Fatal(err)
	}
	defer other()

	ctx, cancel := context.WithCancel(t.Context())
	go func() { <-waited; cancel() }()
	if _, err := slots.Acquire(ctx, "A@Contoso.Example"); !errors.Is(err, context.Canceled) {
		t.Errorf("a second slot of one: %v", err)
	}
	release()
	again, err := slots.Acquire(t.Context(), "a@contoso.example")
	if err != nil {
		t.Fatalf("after the release: %v", err)
	}
	again()
}

func TestSlotsThatCannotBeUsedDoNotStopTheMail(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	o := setup(t, &server{})
	var notes []string
	o.Slots, o.Trace = submission.NewLockSlots(filepath.Join(file, "x"), 0), func(l string) { notes = append(notes, l) }
	if _, err := o.Slots.Acquire(t.Context(), mailbox); !errors.Is(err, session.ErrNoSlots) {
		t.Errorf("err %v, want ErrNoSlots", err)
	}
	if r := submission.Submit(t.Context(), o, compose(t, "a@contoso.example"), once); !r.AllAccepted() {
		t.Errorf("err %v", r.Err())
	}
}

func TestSessionHoldsItsSlotUntilClosed(t *testing.T) {
	o := setup(t, &server{})
	slots := submission.NewLockSlots(t.TempDir(), 1)
	o.Slots = slots
	r := submission.Submit(t.Context(), o, compose(t, "a@contoso.example"), once)
	if !r.AllAccepted() {
		t.Fatal(r.Err())
	}
	release, err := slots.Acquire(t.Context(), mailbox)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	ctx, cancel := context.WithCancel(t.Context())
	slots.Waiting = func(string) { cancel() }
	if r := submission.Submit(ctx, o, compose(t, "a@contoso.example"), once); r.AllAccepted() || !r.Err().Interrupted() {
		t.Errorf("submitted without a slot: %+v", r.Recipients)
	}
}

func TestSlotsAreNotBlamedForATokenEndpointThatIsSlow(t *testing.T) {
	dir := t.TempDir()
	release, err := submission.NewLockSlots(dir, 1).Acquire(t.Context(), mailbox)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	o := setup(t, &server{})
	o.Slots = submission.NewLockSlots(dir, 1)
	o.Tokens = &tokens{err: fmt.Errorf("no answer from the endpoint: %w", context.DeadlineExceeded)}
	r := submission.Submit(t.Context(), o, compose(t, "a@contoso.example"), once)
	if e := r.Err(); e == nil || e.Stage != smtp.StageToken || e.Fault == smtp.FaultSlotsBusy {
		t.Errorf("err %v, want one of the token", e)
	}
}

func TestSlotsThatStayTakenAreNamed(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	release, err := submission.NewLockSlots(dir, 1).Acquire(t.Context(), mailbox)
	if err != nil {
		t.Fatal(err)
	}
	defer release()
	s := &server{}
	o := setup(t, s)
	o.Slots = submission.NewLockSlots(dir, 1)
	r := submission.Submit(t.Context(), o, compose(t, "a@contoso.example"), submission.Policy{Deadline: time.Now().Add(2 * time.Second)})
	e := r.Err()
	if e == nil || e.Fault != smtp.FaultSlotsBusy || !strings.Contains(e.Error(), dir) || r.Count(smtp.NotAttempted) != 1 {
		t.Fatalf("err %v", e)
	}
	if f := diagnosis.Find(e.Symptom(), diagnosis.Facts{}); f.Code != "connection-slots-busy" || f.Class != diagnosis.ClassThrottled {
		t.Errorf("found as %s, %s", f.Code, f.Class)
	}
	if len(s.commands()) != 0 {
		t.Errorf("the server heard %q", s.commands())
	}
	ctx, cancel := context.WithCancel(t.Context())
	slots := submission.NewLockSlots(dir, 1)
	slots.Waiting = func(string) { cancel() }
	o.Slots = slots
	if r := submission.Submit(ctx, o, compose(t, "a@contoso.example"), once); !r.Interrupted() {
		t.Errorf("err %v, want an interruption", r.Err())
	}
}

// In a directory of somebody else, or that others may write, a stranger could
// hold all slots, and root would make files where a link of the stranger's leads.
func TestSlotsInADirectoryOfOthersAreNotUsed(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("rights come with the directory")
	}
	dir := t.TempDir()
	for name, plant := range map[string]func(slots string) error{
		"others may write": func(slots string) error { return errors.Join(os.Mkdir(slots, 0o700), os.Chmod(slots, 0o777)) },
		"a link where all may write": func(slots string) error {
			shared := filepath.Dir(slots)
			return errors.Join(os.Chmod(shared, 0o777), os.Mkdir(filepath.Join(dir, "elsewhere"), 0o700), os.Symlink(filepath.Join(dir, "elsewhere"), slots))
		},
	} {
		t.Run(name, func(t *testing.T) {
			shared, err := os.MkdirTemp(dir, "shared")
			if err != nil {
				t.Fatal(err)
			}
			slots := filepath.Join(shared, "slots")
			if err := plant(slots); err != nil {
				t.Fatal(err)
			}
			release, err := submission.NewLockSlots(slots, 0).Acquire(t.Context(), "a@contoso.example")
			if !errors.Is(err, session.ErrNoSlots) || release != nil {
				t.Errorf("got %v, want ErrNoSlots", err)
			}
			if made, _ := filepath.Glob(filepath.Join(slots, "*")); len(made) > 0 {
				t.Errorf("made %q", made)
			}
		})
	}
}
