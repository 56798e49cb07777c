package tokencache_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"
	"golang.org/x/oauth2"

	"github.com/smtpsend/smtpsend/tokencache"
)

func TestMain(m *testing.M) {
	if job := os.Getenv(jobVariable); job != "" {
		os.Exit(runJob(job))
	}
	goleak.VerifyTestMain(m)
}

// source gives tokens tok-1, tok-2, ... of a life, or an error.
type source struct {
	mu    sync.Mutex
	asked int           // guarded by mu
	life  time.Duration // 0 for tokens without expiry
	err   error         // guarded by mu
	enter chan struct{} // when not nil, receives at each call
	leave chan struct{} // when not nil, is received from before each answer
}

func (s *source) Token(ctx context.Context) (*oauth2.Token, error) {
	s.mu.Lock()
	s.asked++
	n, err := s.asked, s.err
	s.mu.Unlock()
	if s.enter != nil {
		s.enter <- struct{}{}
	}
	if s.leave != nil {
		select {
		case <-s.leave:
		case <-ctx.Done():
			return nil, context.Cause(ctx)
		}
	}
	if err != nil {
		return nil, err
	}
	token := &oauth2.Token{AccessToken: fmt.Sprintf("tok-%d", n), TokenType: "Bearer"}
	if s.life != 0 {
		token.Expiry = time.Now().Add(s.life)
	}
	return token, nil
}

func (s *source) count() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.asked
}

func (s *source) fail(err error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.err = err
}

// refusal is an error as a token endpoint's refusal should be.
type refusal struct{ code string }

func (r *refusal) Error() string                { return "refused: " + r.code }
func (r *refusal) Refusal() bool                { return true }
func (r *refusal) MarshalJSON() ([]byte, error) { return fmt.Appendf(nil, "%q", r.code), nil }

func restore(detail []byte) error {
	var code string
	if _, err := fmt.Sscanf(string(detail), "%q", &code); err != nil {
		return nil
	}
	return &refusal{code}
}

func newKey(t testing.TB, credential string) tokencache.Key {
	t.Helper()
	key, err := tokencache.NewKey(tokencache.Identity{
		Authority: "https://login.example", Tenant: "contoso", Client: "c", Scope: "s/.default",
	}, []byte(credential))
	if err != nil {
		t.Fatal(err)
	}
	return key
}

// stores are the implementations that the suite runs on.
var stores = map[string]func(testing.TB) tokencache.Store{
	"memory": func(testing.TB) tokencache.Store { return tokencache.NewMemoryStore() },
	"file":   func(t testing.TB) tokencache.Store { return tokencache.NewFileStore(t.TempDir() + "/a/b") },
}

// forEachStore runs a behaviour on each store, in bubbles with their own time.
func forEachStore(t *testing.T, behaviour func(*testing.T, tokencache.Store)) {
	t.Helper()
	for name, newStore := range stores {
		t.Run(name, func(t *testing.T) {
			store := newStore(t)
			synctest.Test(t, func(t *testing.T) { behaviour(t, store) })
		})
	}
}

// run is a new process as far as the store can tell: a cache with nothing in
// memory that does not put up with warnings.
func run(t *testing.T, src tokencache.Source, store tokencache.Store, change ...func(*tokencache.Options)) *tokencache.Cache {
	t.Helper()
	o := tokencache.Options{Store: store, Key: newKey(t, "secret"), Warn: func(err error) { t.Errorf("warning: %v", err) }}
	for _, f := range change {
		f(&o)
	}
	return tokencache.New(src, o)
}

func get(t *testing.T, c *tokencache.Cache) tokencache.Entry {
	t.Helper()
	e, err := c.Get(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func TestStoreKeepsARecord(t *testing.T) {
	forEachStore(t, func(t *testing.T, store tokencache.Store) {
		key, other := newKey(t, "secret"), newKey(t, "another")
		if r, err := store.Load(key); r != nil || err != nil {
			t.Fatalf("empty store: %+v, %v", r, err)
		}
		want := &tokencache.Record{
			Token:    &oauth2.Token{AccessToken: "tok", TokenType: "Bearer", Expiry: time.Now().Add(time.Hour)},
			Obtained: time.Now(),
			Refusal:  &tokencache.Refused{Text: "text", At: time.Now(), Detail: []byte(`"d"`)},
		}
		if err := store.Save(key, want); err != nil {
			t.Fatal(err)
		}
		got, err := store.Load(key)
		if err != nil || got == nil || got.Token == nil || got.Refusal == nil {
			t.Fatalf("got %+v, %v", got, err)
		}
		if got.Token.AccessToken != "tok" || got.Token.TokenType != "Bearer" || !got.Token.Expiry.Equal(want.Token.Expiry) ||
			!got.Obtained.Equal(want.Obtained) || got.Refusal.Text != "text" || !got.Refusal.At.Equal(want.Refusal.At) || string(got.Refusal.Detail) != `"d"` {
			t.Errorf("got %+v %+v %+v", got, got.Token, got.Refusal)
		}
		if r, err := store.Load(other); r != nil || err != nil {
			t.Errorf("under another key: %+v, %v", r, err)
		}
		if err := store.Save(key, &tokencache.Record{}); err != nil {
			t.Fatal(err)
		}
		if r, err := store.Load(key); err != nil || r != nil && (r.Token != nil || r.Refusal != nil) {
			t.Errorf("after an empty record: %+v, %v", r, err)
		}
	})
}

func TestStoreLocksEachKeyOnce(t *testing.T) {
	forEachStore(t, func(t *testing.T, store tokencache.Store) {
		lock := func(credential string) (func(), bool) {
			unlock, locked, err := store.TryLock(newKey(t, credential))
			if err != nil {
				t.Fatal(err)
			}
			return unlock, locked
		}
		unlock, locked := lock("secret")
		if !locked {
			t.Fatal("a free lock is taken")
		}
		if _, again := lock("secret"); again {
			t.Error("locked twice")
		}
		other, locked := lock("another")
		if !locked {
			t.Fatal("the lock of another key is taken")
		}
		other()
		if err := store.Save(newKey(t, "secret"), &tokencache.Record{}); err != nil {
			t.Errorf("saving beside the lock: %v", err)
		}
		unlock()
		unlock, locked = lock("secret")
		if !locked {
			t.Fatal("not unlocked")
		}
		unlock()
	})
}

func TestTokenIsSharedByRuns(t *testing.T) {
	forEachStore(t, func(t *testing.T, store tokencache.Store) {
		src := &source{life: time.Hour}
		first := run(t, src, store)
		if e := get(t, first); e.Token.AccessToken != "tok-1" || e.Cached || !e.Obtained.Equal(time.Now()) {
			t.Errorf("first run: %+v", e)
		}
		pass(time.Minute)
		for range 2 {
			second := run(t, src, store)
			for range 2 {
				if e := get(t, second); e.Token.AccessToken != "tok-1" || !e.Cached || time.Since(e.Obtained) != time.Minute {
					t.Errorf("later run: %+v", e)
				}
			}
		}
		if e := get(t, first); !e.Cached || src.count() != 1 {
			t.Errorf("%+v after %d requests, want the first token after 1", e, src.count())
		}
	})
}

func TestGraceEndsATokenEarly(t *testing.T) {
	for name, tt := range map[string]struct {
		life, grace, minLife time.Duration
		lasts                time.Duration // handed out until then, not after
	}{
		"default 30 s":              {time.Hour, 0, 0, time.Hour - 30*time.Second},
		"told":                      {time.Hour, 10 * time.Minute, 0, 50 * time.Minute},
		"none":                      {time.Hour, -1, 0, time.Hour},
		"half the life at most":     {10 * time.Minute, 20 * time.Minute, 0, 5 * time.Minute},
		"half of a very short life": {20 * time.Second, 0, 0, 10 * time.Second},
		"min life":                  {time.Hour, 0, 20 * time.Minute, 40*time.Minute + time.Second},
		"min life over the life":    {time.Hour, 0, 2 * time.Hour, time.Second},
	} {
		t.Run(name, func(t *testing.T) {
			forEachStore(t, func(t *testing.T, store tokencache.Store) {
				src := &source{life: tt.life}
				set := func(o *tokencache.Options) { o.Grace, o.MinLife = tt.grace, tt.minLife }
				c := run(t, src, store, set)
				get(t, c)
				pass(tt.lasts - time.Second)
				if tt.lasts > time.Second {
					if e := get(t, c); e.Token.AccessToken != "tok-1" {
						t.Errorf("1 s before its end: %s", e.Token.AccessToken)
					}
					if e := get(t, run(t, src, store, set)); e.Token.AccessToken != "tok-1" {
						t.Errorf("1 s before its end, from the store: %s", e.Token.AccessToken)
					}
				}
				pass(time.Second)
				if e := get(t, c); e.Token.AccessToken != "tok-2" || e.Cached {
					t.Errorf("at its end: %s, cached %v", e.Token.AccessToken, e.Cached)
				}
			})
		})
	}
}

func TestTokenWithoutExpiryIsNotKept(t *testing.T) {
	forEachStore(t, func(t *testing.T, store tokencache.Store) {
		c := run(t, &source{}, store)
		get(t, c)
		if e := get(t, c); e.Token.AccessToken != "tok-2" {
			t.Errorf("second call: %s", e.Token.AccessToken)
		}
	})
}

func TestRecordFromTheFutureIsNotBelieved(t *testing.T) {
	forEachStore(t, func(t *testing.T, store tokencache.Store) {
		ahead := time.Now().Add(2 * time.Minute)
		if err := store.Save(newKey(t, "secret"), &tokencache.Record{
			Token:    &oauth2.Token{AccessToken: "tok-future", Expiry: ahead.Add(time.Hour)},
			Obtained: ahead, Refusal: &tokencache.Refused{Text: "future", At: ahead},
		}); err != nil {
			t.Fatal(err)
		}
		if e := get(t, run(t, &source{life: time.Hour}, store)); e.Token.AccessToken != "tok-1" {
			t.Errorf("got %s", e.Token.AccessToken)
		}
	})
}

func TestInvalidateTakesThatTokenOnly(t *testing.T) {
	forEachStore(t, func(t *testing.T, store tokencache.Store) {
		src := &source{life: time.Hour}
		old := get(t, run(t, src, store))
		pass(time.Minute)
		a, b, c := run(t, src, store), run(t, src, store), run(t, src, store)
		get(t, a)
		get(t, b)
		a.Invalidate(old.Token)
		if e := get(t, a); e.Token.AccessToken != "tok-2" || e.Cached {
			t.Errorf("after Invalidate: %+v", e)
		}
		pass(time.Second)
		b.Invalidate(old.Token) // which the store does not have any more
		if e := get(t, b); e.Token.AccessToken != "tok-2" || !e.Cached {
			t.Errorf("another run after its Invalidate: %+v", e)
		}
		c.Invalidate(nil)
		c.Invalidate(&oauth2.Token{AccessToken: "unknown"})
		if e := get(t, c); e.Token.AccessToken != "tok-2" || src.count() != 2 {
			t.Errorf("after Invalidate of others: %s after %d requests", e.Token.AccessToken, src.count())
		}
	})
}

func TestInvalidateTakesTheTokenFromOtherRuns(t *testing.T) {
	forEachStore(t, func(t *testing.T, store tokencache.Store) {
		src := &source{life: time.Hour}
		first := run(t, src, store)
		first.Invalidate(get(t, first).Token)
		pass(time.Second)
		if e := get(t, run(t, src, store)); e.Token.AccessToken != "tok-2" {
			t.Errorf("another run: %s", e.Token.AccessToken)
		}
	})
}

// sameToken is a source like a managed identity's, which has a cache itself.
type sameToken struct{ expiry time.Time }

func (s sameToken) Token(context.Context) (*oauth2.Token, error) {
	return &oauth2.Token{AccessToken: "same", Expiry: s.expiry}, nil
}

func TestSourceThatGivesARejectedTokenAgainIsBelieved(t *testing.T) {
	forEachStore(t, func(t *testing.T, store tokencache.Store) {
		c := run(t, sameToken{time.Now().Add(time.Hour)}, store)
		c.Invalidate(get(t, c).Token)
		pass(time.Second)
		if e := get(t, c); e.Cached {
			t.Errorf("after Invalidate: %+v", e)
		}
		pass(time.Second)
		if e := get(t, c); !e.Cached {
			t.Errorf("later: %+v", e)
		}
	})
}

func TestRefreshAsksAgain(t *testing.T) {
	forEachStore(t, func(t *testing.T, store tokencache.Store) {
		src := &source{life: time.Hour}
		c := run(t, src, store)
		get(t, c)
		pass(time.Second)
		e, err := c.Refresh(t.Context())
		if err != nil || e.Token.AccessToken != "tok-2" || e.Cached {
			t.Errorf("Refresh: %+v, %v", e, err)
		}
		if e := get(t, run(t, src, store)); e.Token.AccessToken != "tok-2" {
			t.Errorf("another run after Refresh: %+v", e)
		}
	})
}

func TestRefusalIsRememberedForTenSeconds(t *testing.T) {
	forEachStore(t, func(t *testing.T, store tokencache.Store) {
		src := &source{life: time.Hour, err: fmt.Errorf("asking: %w", &refusal{"7000215"})}
		c := run(t, src, store)
		if _, err := c.Token(t.Context()); err == nil || err.Error() != "asking: refused: 7000215" {
			t.Fatalf("first: %v", err)
		}
		pass(9 * time.Second)
		for _, again := range []*tokencache.Cache{c, run(t, src, store), run(t, src, store, func(o *tokencache.Options) { o.Restore = restore })} {
			_, err := again.Token(t.Context())
			remembered, ok := errors.AsType[*tokencache.RefusedError](err)
			if !ok || remembered.Text != "asking: refused: 7000215" || time.Since(remembered.At) != 9*time.Second || !remembered.Refusal() {
				t.Errorf("after 9 s: %#v", err)
			}
			if want := "asking: refused: 7000215 (refused less than 10s ago, not asked again)"; err.Error() != want {
				t.Errorf("text %q, want %q", err, want)
			}
		}
		_, err := run(t, src, store, func(o *tokencache.Options) { o.Restore = restore }).Token(t.Context())
		if r, ok := errors.AsType[*refusal](err); !ok || r.code != "7000215" {
			t.Errorf("restored: %#v", err)
		}
		if src.count() != 1 {
			t.Errorf("%d requests in 9 s, want 1", src.count())
		}
		src.fail(nil)
		pass(time.Second)
		if e := get(t, c); e.Token.AccessToken != "tok-2" {
			t.Errorf("after 10 s: %+v", e)
		}
	})
}

func TestRefusalOfOneCredentialIsNoneOfAnother(t *testing.T) {
	forEachStore(t, func(t *testing.T, store tokencache.Store) {
		src := &source{life: time.Hour, err: &refusal{"x"}}
		if _, err := run(t, src, store).Token(t.Context()); err == nil {
			t.Fatal("no error")
		}
		src.fail(nil)
		mended := run(t, src, store, func(o *tokencache.Options) { o.Key = newKey(t, "the right secret") })
		if e := get(t, mended); e.Token.AccessToken != "tok-2" {
			t.Errorf("got %+v", e)
		}
	})
}

func TestRefreshIsNotKeptFromAskingByARefusal(t *testing.T) {
	forEachStore(t, func(t *testing.T, store tokencache.Store) {
		src := &source{life: time.Hour, err: &refusal{"x"}}
		c := run(t, src, store)
		_, _ = c.Token(t.Context())
		pass(time.Second)
		src.fail(nil)
		if e, err := c.Refresh(t.Context()); err != nil || e.Token.AccessToken != "tok-2" {
			t.Errorf("Refresh: %+v, %v", e, err)
		}
	})
}

func TestRefusalLeavesTheTokenToWhoeverNeedsLess(t *testing.T) {
	forEachStore(t, func(t *testing.T, store tokencache.Store) {
		src := &source{life: time.Hour}
		get(t, run(t, src, store))
		pass(50 * time.Minute)
		src.fail(&refusal{"expired"})
		_, err := run(t, src, store, func(o *tokencache.Options) { o.MinLife = 20 * time.Minute }).Token(t.Context())
		if err == nil || err.Error() != "refused: expired" {
			t.Errorf("err = %v", err)
		}
		if e := get(t, run(t, src, store)); e.Token.AccessToken != "tok-1" {
			t.Errorf("got %+v", e)
		}
	})
}

func TestOtherErrorsAreNotRemembered(t *testing.T) {
	for name, err := range map[string]error{
		"plain":      errors.New("connection refused"),
		"transient":  &notRefusal{},
		"end of ctx": fmt.Errorf("%w: %w", &refusal{"x"}, context.DeadlineExceeded),
	} {
		t.Run(name, func(t *testing.T) {
			forEachStore(t, func(t *testing.T, store tokencache.Store) {
				src := &source{life: time.Hour, err: err}
				c := run(t, src, store)
				for range 2 {
					if _, got := c.Token(t.Context()); got != err {
						t.Errorf("got %v, want the source's error itself", got)
					}
				}
				if src.count() != 2 {
					t.Errorf("%d requests, want 2", src.count())
				}
			})
		})
	}
}

type notRefusal struct{}

func (*notRefusal) Error() string { return "throttled" }
func (*notRefusal) Refusal() bool { return false }

// pass lets time go by in a bubble, at no cost.
func pass(d time.Duration) { <-time.After(d) }
