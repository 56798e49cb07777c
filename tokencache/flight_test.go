package tokencache_test

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"golang.org/x/oauth2"

	"github.com/smtpsend/smtpsend/tokencache"
)

func TestGoroutinesMakeOneRequest(t *testing.T) {
	forEachStore(t, func(t *testing.T, store tokencache.Store) {
		src := &source{life: time.Hour, leave: make(chan struct{})}
		c := run(t, src, store)
		var wg sync.WaitGroup
		for range 100 {
			wg.Go(func() {
				if e, err := c.Get(t.Context()); err != nil || e.Token.AccessToken != "tok-1" || e.Cached {
					t.Errorf("got %+v, %v", e, err)
				}
			})
		}
		synctest.Wait()
		close(src.leave)
		wg.Wait()
		if src.count() != 1 {
			t.Errorf("%d requests, want 1", src.count())
		}
	})
}

func TestCallerThatLeavesDoesNotEndTheSearchOfOthers(t *testing.T) {
	forEachStore(t, func(t *testing.T, store tokencache.Store) {
		src := &source{life: time.Hour, enter: make(chan struct{}), leave: make(chan struct{})}
		c := run(t, src, store)
		impatient, cancel := context.WithCancelCause(t.Context())
		interrupted := errors.New("interrupted")
		left, got := make(chan error), make(chan error)
		go func() { _, err := c.Token(impatient); left <- err }() // it begins the search
		<-src.enter
		go func() { _, err := c.Token(t.Context()); got <- err }()
		synctest.Wait()
		cancel(interrupted)
		if err := <-left; !errors.Is(err, interrupted) || err.Error() != "tokencache: waiting for a token: interrupted" {
			t.Errorf("who left: %v", err)
		}
		src.leave <- struct{}{}
		if err := <-got; err != nil || src.count() != 1 {
			t.Errorf("who waited: %v after %d requests", err, src.count())
		}
	})
}

func TestSearchEndsWhenNobodyWaits(t *testing.T) {
	forEachStore(t, func(t *testing.T, store tokencache.Store) {
		src := &source{life: time.Hour, enter: make(chan struct{}), leave: make(chan struct{})}
		c := run(t, src, store)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		go func() { <-src.enter }()
		if _, err := c.Token(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("err = %v", err)
		}
		synctest.Wait() // the source has seen its context end, and the lock is free
		src.enter, src.leave = nil, nil
		if e := get(t, c); e.Token.AccessToken != "tok-2" {
			t.Errorf("next call: %+v", e)
		}
	})
}

// stubborn is a source whose first call takes 3 s to notice that its context
// ended.
type stubborn struct{ called atomic.Bool }

func (s *stubborn) Token(ctx context.Context) (*oauth2.Token, error) {
	if !s.called.Swap(true) {
		<-ctx.Done()
		pass(3 * time.Second)
		return nil, context.Cause(ctx)
	}
	return &oauth2.Token{AccessToken: "new", Expiry: time.Now().Add(time.Hour)}, nil
}

func TestSearchThatEndsIsNotJoined(t *testing.T) {
	forEachStore(t, func(t *testing.T, store tokencache.Store) {
		c := run(t, &stubborn{}, store)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		if _, err := c.Token(ctx); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("err = %v", err)
		}
		start := time.Now()
		e := get(t, c)
		if took := time.Since(start); e.Token.AccessToken != "new" || took < 3*time.Second || took > 4*time.Second {
			t.Errorf("next call: %s after %v, want a token of its own when the lock is free", e.Token.AccessToken, took)
		}
	})
}

func TestEndedContextIsNotAsked(t *testing.T) {
	src := &source{life: time.Hour}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := tokencache.New(src, tokencache.Options{}).Token(ctx); !errors.Is(err, context.Canceled) || src.count() != 0 {
		t.Errorf("err = %v after %d requests", err, src.count())
	}
}

// deadlineSource tells the deadline that it sees, when asked.
type deadlineSource struct {
	ask chan struct{}
	see chan time.Time
}

func (s deadlineSource) Token(ctx context.Context) (*oauth2.Token, error) {
	for range s.ask {
		d, _ := ctx.Deadline()
		s.see <- d
	}
	return nil, errors.New("done")
}

func TestSourceSeesTheDeadlineOfWhoeverWaitsLongest(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		src := deadlineSource{make(chan struct{}), make(chan time.Time)}
		c := tokencache.New(src, tokencache.Options{})
		start := time.Now()
		wait := func(d time.Duration) context.CancelFunc {
			ctx, cancel := context.WithCancel(t.Context())
			if d > 0 {
				ctx, cancel = context.WithTimeout(t.Context(), d)
			}
			go func() { _, _ = c.Token(ctx) }()
			synctest.Wait()
			return cancel
		}
		expect := func(name string, want time.Time) {
			t.Helper()
			src.ask <- struct{}{}
			if got := <-src.see; !got.Equal(want) {
				t.Errorf("%s: deadline %v, want %v", name, got, want)
			}
		}
		defer wait(10 * time.Second)()
		expect("one", start.Add(10*time.Second))
		defer wait(20 * time.Second)()
		expect("two", start.Add(20*time.Second))
		endless := wait(0)
		expect("one without", time.Time{})
		endless()
		synctest.Wait()
		expect("two again", start.Add(20*time.Second))
		close(src.ask)
		synctest.Wait()
	})
}

func TestInvalidateDuringASearchIsHeeded(t *testing.T) {
	forEachStore(t, func(t *testing.T, store tokencache.Store) {
		src := &source{life: time.Hour}
		first := get(t, run(t, src, store)).Token
		pass(time.Second)
		c := run(t, src, store)
		c.Invalidate(first)
		c.Invalidate(first) // once more, as two sessions with one token do
		var wg sync.WaitGroup
		for range 10 {
			wg.Go(func() {
				if e := get(t, c); e.Token.AccessToken != "tok-2" {
					t.Errorf("got %s", e.Token.AccessToken)
				}
			})
		}
		wg.Wait()
	})
}

func TestRefreshDoesNotTakeTheResultOfAnOlderSearch(t *testing.T) {
	forEachStore(t, func(t *testing.T, store tokencache.Store) {
		src := &source{life: time.Hour, enter: make(chan struct{}), leave: make(chan struct{})}
		c := run(t, src, store)
		older, refreshed := make(chan string, 1), make(chan string, 1)
		go func() { older <- get(t, c).Token.AccessToken }()
		<-src.enter
		pass(time.Second)
		go func() {
			e, err := c.Refresh(t.Context())
			if err != nil {
				t.Error(err)
				e.Token = new(oauth2.Token)
			}
			refreshed <- e.Token.AccessToken
		}()
		synctest.Wait()
		src.leave <- struct{}{}
		<-src.enter
		src.leave <- struct{}{}
		if a, b := <-older, <-refreshed; a != "tok-1" || b != "tok-2" {
			t.Errorf("got %s and %s, want tok-1 and tok-2", a, b)
		}
	})
}

func TestLockIsWaitedForTenSeconds(t *testing.T) {
	forEachStore(t, func(t *testing.T, store tokencache.Store) {
		unlock, locked, err := store.TryLock(newKey(t, "secret"))
		if err != nil || !locked {
			t.Fatalf("TryLock = %v, %v", locked, err)
		}
		defer unlock()
		start := time.Now()
		e := get(t, run(t, &source{life: time.Hour}, store))
		if took := time.Since(start); e.Token.AccessToken != "tok-1" || took < 10*time.Second || took > 11*time.Second {
			t.Errorf("%s after %v, want tok-1 after 10 s", e.Token.AccessToken, took)
		}
	})
}

func TestTokenThatAppearsWhileTheLockIsTakenIsUsed(t *testing.T) {
	forEachStore(t, func(t *testing.T, store tokencache.Store) {
		key := newKey(t, "secret")
		unlock, locked, err := store.TryLock(key)
		if err != nil || !locked {
			t.Fatalf("TryLock = %v, %v", locked, err)
		}
		defer unlock()
		time.AfterFunc(3*time.Second, func() {
			if err := store.Save(key, &tokencache.Record{
				Token:    &oauth2.Token{AccessToken: "of-another", Expiry: time.Now().Add(time.Hour)},
				Obtained: time.Now(),
			}); err != nil {
				t.Error(err)
			}
		})
		src, start := &source{life: time.Hour}, time.Now()
		e := get(t, run(t, src, store))
		if took := time.Since(start); e.Token.AccessToken != "of-another" || took > 4*time.Second || src.count() != 0 {
			t.Errorf("%s after %v and %d requests", e.Token.AccessToken, took, src.count())
		}
	})
}

// overtaken is a store into which another process saves a token just before
// the lock is had.
type overtaken struct{ tokencache.Store }

func (s overtaken) TryLock(key tokencache.Key) (func(), bool, error) {
	if err := s.Save(key, &tokencache.Record{
		Token:    &oauth2.Token{AccessToken: "of-another", Expiry: time.Now().Add(time.Hour)},
		Obtained: time.Now(),
	}); err != nil {
		return nil, false, err
	}
	return s.Store.TryLock(key)
}

func TestTokenThatAppearsBeforeTheLockIsUsed(t *testing.T) {
	forEachStore(t, func(t *testing.T, store tokencache.Store) {
		src := &source{life: time.Hour}
		if e := get(t, run(t, src, overtaken{store})); e.Token.AccessToken != "of-another" || src.count() != 0 {
			t.Errorf("%s after %d requests", e.Token.AccessToken, src.count())
		}
	})
}

func TestRefreshDoesNotTakeARefusalOfAnOlderSearch(t *testing.T) {
	forEachStore(t, func(t *testing.T, store tokencache.Store) {
		key := newKey(t, "secret")
		unlock, locked, err := store.TryLock(key)
		if err != nil || !locked {
			t.Fatalf("TryLock = %v, %v", locked, err)
		}
		c := run(t, &source{life: time.Hour}, store)
		refused := &tokencache.Record{Refusal: &tokencache.Refused{Text: "refused", At: time.Now()}}
		asked, refreshed := make(chan error, 1), make(chan error, 1)
		go func() { _, err := c.Get(t.Context()); asked <- err }()
		pass(time.Second)
		go func() { _, err := c.Refresh(t.Context()); refreshed <- err }()
		pass(time.Second)
		if err := store.Save(key, refused); err != nil {
			t.Fatal(err)
		}
		if _, ok := errors.AsType[*tokencache.RefusedError](<-asked); !ok {
			t.Error("Get did not take the refusal that another process stored")
		}
		unlock()
		if err := <-refreshed; err != nil {
			t.Errorf("Refresh: %v", err)
		}
	})
}

// broken is a store in which nothing works.
type broken struct{}

var errBroken = errors.New("disk on fire")

func (broken) Load(tokencache.Key) (*tokencache.Record, error) { return nil, errBroken }
func (broken) Save(tokencache.Key, *tokencache.Record) error   { return errBroken }
func (broken) TryLock(tokencache.Key) (func(), bool, error)    { return nil, false, errBroken }

func TestBrokenStoreCostsOneWarning(t *testing.T) {
	src, warnings := &source{life: time.Hour}, []error(nil)
	c := tokencache.New(src, tokencache.Options{Store: broken{}, Warn: func(err error) { warnings = append(warnings, err) }})
	for range 3 {
		e := get(t, c)
		if e.Token.AccessToken != "tok-1" {
			t.Errorf("got %s", e.Token.AccessToken)
		}
	}
	c.Invalidate(get(t, c).Token)
	if e := get(t, c); e.Token.AccessToken != "tok-2" || src.count() != 2 {
		t.Errorf("after Invalidate: %s after %d requests", e.Token.AccessToken, src.count())
	}
	if len(warnings) != 1 || !errors.Is(warnings[0], errBroken) || warnings[0].Error() != "tokencache: reading a stored token: disk on fire" {
		t.Errorf("warnings = %v", warnings)
	}
}

type oddSource struct{ token *oauth2.Token }

func (s oddSource) Token(context.Context) (*oauth2.Token, error) { return s.token, nil }

func TestSourceWithoutTokenIsAnError(t *testing.T) {
	for _, token := range []*oauth2.Token{nil, {}} {
		_, err := tokencache.New(oddSource{token}, tokencache.Options{}).Token(t.Context())
		if err == nil || err.Error() != "tokencache: source returned no token" {
			t.Errorf("%v: %v", token, err)
		}
	}
}

func TestCallersTokenIsTheirs(t *testing.T) {
	c := tokencache.New(&source{life: time.Hour}, tokencache.Options{})
	get(t, c).Token.AccessToken = "changed"
	if e := get(t, c); e.Token.AccessToken != "tok-1" {
		t.Errorf("got %s", e.Token.AccessToken)
	}
}

func TestTokenSourceAdapts(t *testing.T) {
	c := tokencache.New(&source{life: time.Hour}, tokencache.Options{})
	var adapted oauth2.TokenSource = c.TokenSource(t.Context())
	for range 2 {
		if token, err := adapted.Token(); err != nil || token.AccessToken != "tok-1" {
			t.Errorf("got %v, %v", token, err)
		}
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := c.TokenSource(ctx).Token(); !errors.Is(err, context.Canceled) {
		t.Errorf("ended context: %v", err)
	}
}

func TestKeyIsNotPrinted(t *testing.T) {
	key := newKey(t, "secret")
	type holder struct{ k tokencache.Key }
	plain := fmt.Sprintf("%v %+v %#v %x %d", key, key, key, key, key)
	if want := fmt.Sprintf("%[1]s %[1]s %[1]s %[1]s %[1]s", key.ID()); plain != want {
		t.Errorf("printed %s, want %s", plain, want)
	}
	a, b := fmt.Sprintf("%+v", holder{key}), fmt.Sprintf("%#v", &holder{key})
	if len(a) > 120 || len(b) > 160 { // the ID and an address
		t.Errorf("in a struct: %s %s", a, b)
	}
}

func TestKeyCoversEveryPart(t *testing.T) {
	base := tokencache.Identity{Authority: "a", Tenant: "t", Client: "c", Scope: "s"}
	seen := map[string]bool{}
	for _, id := range []tokencache.Identity{
		base, {"A", "t", "c", "s"}, {"a", "T", "c", "s"}, {"a", "t", "C", "s"}, {"a", "t", "c", "S"},
		{"at", "", "c", "s"}, {"a", "tc", "", "s"}, {"", "", "", ""},
	} {
		for _, credential := range []string{"x", "y"} {
			key, err := tokencache.NewKey(id, []byte(credential))
			if err != nil {
				t.Fatal(err)
			}
			if seen[key.ID()] || len(key.ID()) != 32 || key.IsZero() {
				t.Errorf("%+v with %s: ID %q", id, credential, key.ID())
			}
			seen[key.ID()] = true
		}
	}
	if key, err := tokencache.NewKey(base, nil); err == nil || !key.IsZero() || err.Error() != "tokencache: credential is empty" {
		t.Errorf("empty credential: %v, %v", key, err)
	}
}
