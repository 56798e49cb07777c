package users_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/relay/users"
)

// world is a clock and a sleep that the test moves.
type world struct {
	mu    sync.Mutex
	now   time.Time
	slept []time.Duration
	block chan struct{} // a sleep waits for it, when not nil
}

func (w *world) Now() time.Time {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.now
}

func (w *world) pass(d time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.now = w.now.Add(d)
}

func (w *world) Sleep(ctx context.Context, d time.Duration) error {
	w.mu.Lock()
	w.slept = append(w.slept, d)
	block := w.block
	w.mu.Unlock()
	if block != nil {
		select {
		case <-block:
		case <-ctx.Done():
		}
	}
	return context.Cause(ctx)
}

// took is what was slept since the last call.
func (w *world) took() []time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	slept := w.slept
	w.slept = nil
	return slept
}

// relay is a file with the user scanner, and the users of it.
func relay(t *testing.T) (*users.Users, *world, string) {
	t.Helper()
	path := filepath.Join(t.TempDir(), "relay-users")
	if _, err := users.Add(t.Context(), path, "", "Scanner", "right-one"); err != nil {
		t.Fatal(err)
	}
	w := &world{now: time.Now()}
	u, err := users.Open(t.Context(), users.Options{Path: path, Now: w.Now, Sleep: w.Sleep, Warn: func(err error) { t.Log(err) }})
	if err != nil {
		t.Fatal(err)
	}
	return u, w, path
}

func check(t *testing.T, u *users.Users, client, name, password string, want error) {
	t.Helper()
	got, err := u.Check(t.Context(), client, name, password)
	if !errors.Is(err, want) || (err == nil) != (want == nil) {
		t.Errorf("%s as %s with %q: got %v; want %v", client, name, password, err, want)
	}
	if want == nil && got != "Scanner" {
		t.Errorf("the name is %q", got)
	}
}

func TestPasswordsAreChecked(t *testing.T) {
	u, w, path := relay(t)
	check(t, u, "a", "scanner", "right-one", nil)
	check(t, u, "a", "SCANNER", "right-one", nil)
	check(t, u, "a", "scanner", "Right-one", users.ErrWrong)
	check(t, u, "a", "printer", "right-one", users.ErrWrong)
	check(t, u, "a", "", "", users.ErrWrong)
	check(t, u, "a", "scanner", strings.Repeat("x", 1<<20), users.ErrWrong)
	if got := fmt.Sprint(w.took()); got != "[1s 2s 4s 5s]" {
		t.Errorf("wrong passwords took %s", got)
	}
	if !u.Has("scanner") || u.Has("printer") {
		t.Error("another user is there")
	}
	// A file that has changed counts within a second, and drops what was remembered.
	if _, err := users.Add(t.Context(), path, "", "scanner", "another-one"); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Second)
	check(t, u, "b", "scanner", "right-one", users.ErrWrong)
	check(t, u, "a", "scanner", "right-one", users.ErrWrong)
	if _, err := u.Check(t.Context(), "b", "scanner", "another-one"); err != nil {
		t.Error(err)
	}
	// One that cannot be used changes nothing.
	if err := os.WriteFile(path, []byte("scanner:plain\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	w.pass(time.Second)
	if _, err := u.Check(t.Context(), "b", "scanner", "another-one"); err != nil {
		t.Error(err)
	}
	var problems *users.Problems
	if err := u.Reload(t.Context()); !errors.As(err, &problems) || strings.Contains(err.Error(), "plain") {
		t.Errorf("got %v", err)
	}
}

// TestGuessingCostsTheClientItsTurn is the rule of the package's comment.
func TestGuessingCostsTheClientItsTurn(t *testing.T) {
	u, w, _ := relay(t)
	check(t, u, "nat", "scanner", "right-one", nil)
	for i := range 10 {
		check(t, u, "nat", "scanner", fmt.Sprint("guess", i), users.ErrWrong)
	}
	w.took()
	check(t, u, "nat", "scanner", "guess10", users.ErrLater)
	check(t, u, "nat", "printer", "guess10", users.ErrLater)
	if got := fmt.Sprint(w.took()); got != "[2s 2s]" {
		t.Errorf("refusals took %s", got)
	}
	check(t, u, "nat", "scanner", "right-one", nil)         // it was there within a day
	check(t, u, "nat", "scanner", "guess3", users.ErrWrong) // it learns nothing new
	check(t, u, "home", "scanner", "right-one", nil)        // another client
	w.pass(59 * time.Second)
	check(t, u, "nat", "scanner", "guess10", users.ErrLater)
	w.pass(time.Second)
	check(t, u, "nat", "scanner", "guess10", users.ErrWrong)
	check(t, u, "nat", "scanner", "guess11", users.ErrLater)
	w.pass(24 * time.Hour)
	check(t, u, "nat", "scanner", "guess11", users.ErrWrong)
	check(t, u, "nat", "scanner", "right-one", nil) // looked at again: a day is over
	w.pass(-48 * time.Hour)                         // a clock that is set back locks no one out
	check(t, u, "nat", "scanner", "guess12", users.ErrWrong)
	check(t, u, "new", "scanner", "right-one", nil)
}

// TestOldPasswordLocksNoOneOut: a device with a password that was changed tries again and
// again, behind the same address as one that has the new one.
func TestOldPasswordLocksNoOneOut(t *testing.T) {
	u, w, _ := relay(t)
	for range 100 {
		check(t, u, "nat", "scanner", "old-one", users.ErrWrong)
	}
	if got := w.took(); len(got) != 100 || got[99] != time.Second {
		t.Errorf("took %v", got)
	}
	check(t, u, "nat", "scanner", "right-one", nil)
}

// TestGoodClientBehindAGuesser gets in in its turn, without having been there before.
func TestGoodClientBehindAGuesser(t *testing.T) {
	u, w, _ := relay(t)
	for i := range 10 {
		check(t, u, "nat", "scanner", fmt.Sprint("guess", i), users.ErrWrong)
	}
	w.took()
	w.block = make(chan struct{})
	guess := make(chan error, 1)
	go func() {
		_, err := u.Check(t.Context(), "nat", "scanner", "guess10") // has the turn for its delay
		guess <- err
	}()
	for len(w.took()) == 0 {
		runtime.Gosched()
	}
	w.pass(time.Minute)
	good := make(chan error, 1)
	go func() {
		_, err := u.Check(t.Context(), "nat", "scanner", "right-one")
		good <- err
	}()
	close(w.block)
	if err := <-guess; !errors.Is(err, users.ErrLater) {
		t.Error(err)
	}
	if err := <-good; err != nil {
		t.Error(err)
	}
}

func TestCheckEndsWithItsContext(t *testing.T) {
	u, w, _ := relay(t)
	w.block = make(chan struct{})
	ctx, cancel := context.WithCancelCause(t.Context())
	over := errors.New("the server ends")
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			if _, err := u.Check(ctx, "nat", "scanner", fmt.Sprint("guess", i)); !errors.Is(err, over) {
				t.Errorf("got %v", err)
			}
		})
	}
	cancel(over)
	all.Wait()
}

// TestManyClientsTakeTheMemoryOfOne: a hash takes 19 MiB.
func TestManyClientsTakeTheMemoryOfOne(t *testing.T) {
	u, _, _ := relay(t)
	before := heap()
	var all sync.WaitGroup
	for i := range 50 {
		all.Go(func() {
			if _, err := u.Check(t.Context(), fmt.Sprint("client", i), "nobody", "guess"); !errors.Is(err, users.ErrWrong) {
				t.Error(err)
			}
		})
	}
	all.Wait()
	if grown := heap() - before; grown > 150 {
		t.Errorf("the heap grew by %d MiB", grown)
	}
}

// heap is what the system gave to it at most, in MiB.
func heap() int {
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	return int(m.HeapSys >> 20)
}

func TestClientsAreBounded(t *testing.T) {
	u, _, _ := relay(t)
	if got, want := users.Clients(u), 4096; got > want {
		t.Errorf("%d clients are kept; want at most %d", got, want)
	}
}
