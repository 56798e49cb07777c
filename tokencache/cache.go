package tokencache

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"sync"
	"time"

	"golang.org/x/oauth2"
)

// DefaultGrace is the grace time when Options.Grace is zero.
const DefaultGrace = 30 * time.Second

// Source gets a new token each time it is asked. Token must be safe for
// concurrent use and return soon after ctx ends.
type Source interface {
	Token(ctx context.Context) (*oauth2.Token, error)
}

// Options are the options of a Cache. The zero value is a cache in memory.
type Options struct {
	// Store keeps tokens between runs and processes; nil means a new
	// MemoryStore.
	Store Store
	// Key names the token in Store. The zero Key is enough for a MemoryStore that
	// only this Cache uses. A FileStore needs a Key, because it encrypts with it.
	Key Key
	// Grace is how long before its expiry a token is no longer returned, because it
	// could expire before the server sees it. Zero means DefaultGrace; a negative value
	// means no grace time. Grace is at most half the token's life, so that a token that
	// is valid for a few minutes is reused too.
	Grace time.Duration
	// MinLife is how long a token in the cache must still be valid to be returned, such
	// as 20 min for servers that refuse tokens that expire soon. It has no upper limit.
	// A new token that is valid for a shorter time is returned once.
	MinLife time.Duration
	// Warn, when set, gets the first problem with Store. It may be called from any
	// goroutine.
	Warn func(error)
	// Restore makes the error that a source returned for a refusal again, from the
	// result of its MarshalJSON. If Restore or its result is nil, a RefusedError has
	// only the text.
	Restore func(detail []byte) error
}

// Cache returns tokens of one Source for one Key. Make it with New.
type Cache struct {
	source Source
	o      Options
	warned sync.Once

	mu       sync.Mutex
	memory   *Record  // guarded by mu; what was last seen, nil for nothing
	rejected [32]byte // guarded by mu; SHA-256 of the token that was invalidated
	flight   *flight  // guarded by mu; the search under way, nil for none
}

// New returns a cache of the tokens of source.
func New(source Source, o Options) *Cache {
	if o.Store == nil {
		o.Store = NewMemoryStore()
	}
	switch {
	case o.Grace == 0:
		o.Grace = DefaultGrace
	case o.Grace < 0:
		o.Grace = 0
	}
	return &Cache{source: source, o: o}
}

// Entry is a token and where it came from.
type Entry struct {
	Token    *oauth2.Token // a copy that the caller may change
	Obtained time.Time     // when the source was asked for it
	// Cached says that the token was asked for before the call that returned
	// this Entry. When a server refuses it, a new one may be better.
	Cached bool
}

// Token returns a token that is valid for longer than Grace and MinLife, from the
// cache or from the source. The error is that of the source, is a *RefusedError, or
// wraps the cause of the end of ctx. A refresh token and the values of Token.Extra are
// not stored: only the call that asked the source gets them.
func (c *Cache) Token(ctx context.Context) (*oauth2.Token, error) {
	e, err := c.Get(ctx)
	return e.Token, err
}

// Get returns what Token returns, and says where the token came from.
func (c *Cache) Get(ctx context.Context) (Entry, error) {
	return c.get(ctx, false)
}

// Refresh returns a token that was asked for after the call began, even if the cache
// has one. Callers at the same time still share one token.
func (c *Cache) Refresh(ctx context.Context) (Entry, error) {
	return c.get(ctx, true)
}

// Invalidate removes token from memory and from the store, unless they have another
// one by now. Call it when a server has refused the token. A nil token is ignored.
func (c *Cache) Invalidate(token *oauth2.Token) {
	if token == nil || token.AccessToken == "" {
		return
	}
	c.mu.Lock()
	c.rejected = sha256.Sum256([]byte(token.AccessToken))
	c.mu.Unlock()

	// Without the store's lock: a new token that another process saves in
	// between is lost at worst, which costs one request.
	stored := c.load()
	if stored == nil || stored.Token == nil || stored.Token.AccessToken != token.AccessToken {
		return
	}
	if err := c.o.Store.Save(c.o.Key, &Record{Refusal: stored.Refusal}); err != nil {
		c.warn(fmt.Errorf("tokencache: removing a refused token: %w", err))
	}
}

// isRejected reports whether token was invalidated.
func (c *Cache) isRejected(token *oauth2.Token) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.rejected == ([sha256.Size]byte{}) { // none was, which is nearly always so
		return false
	}
	return c.rejected == sha256.Sum256([]byte(token.AccessToken))
}

// maxRounds bounds how often a caller joins a search that ends with what it
// cannot use: one that began before the caller's Refresh or Invalidate.
const maxRounds = 3

func (c *Cache) get(ctx context.Context, force bool) (Entry, error) {
	q := query{start: now(), force: force}
	record, err := c.find(ctx, q)
	for round := 1; round < maxRounds && !c.fits(record, err, q); round++ {
		record, err = c.find(ctx, q)
	}
	if err != nil {
		return Entry{}, err
	}
	token := *record.Token
	return Entry{Token: &token, Obtained: record.Obtained, Cached: !q.after(record.Obtained)}, nil
}

// fits reports whether the result of a search, which another caller may have
// begun, serves q.
func (c *Cache) fits(r *Record, err error, q query) bool {
	if err != nil {
		refused, ok := errors.AsType[*RefusedError](err)
		return !ok || !q.force || q.after(refused.At)
	}
	return !c.isRejected(r.Token) && (!q.force || q.after(r.Obtained))
}

// load reads the store; trouble counts as nothing there.
func (c *Cache) load() *Record {
	r, err := c.o.Store.Load(c.o.Key)
	if err != nil {
		c.warn(fmt.Errorf("tokencache: reading a stored token: %w", err))
		return nil
	}
	return r
}

// warn passes on the first trouble only: in a relay that runs for months, or a
// report of a thousand mails, the same sentence a thousand times helps no one.
func (c *Cache) warn(err error) {
	if c.o.Warn != nil {
		c.warned.Do(func() { c.o.Warn(err) })
	}
}

// fetch asks the source and saves what it says.
func (c *Cache) fetch(ctx context.Context) (*Record, error) {
	asked := now()
	token, err := c.source.Token(ctx)
	if err != nil {
		c.remember(err)
		return nil, err
	}
	if token == nil || token.AccessToken == "" {
		return nil, errors.New("tokencache: source returned no token")
	}
	c.mu.Lock()
	c.rejected = [32]byte{} // a source that gives the same token again is believed
	c.mu.Unlock()
	r := &Record{Token: token, Obtained: asked}
	if !token.Expiry.IsZero() { // nothing would tell when to stop using it
		c.save(r)
	}
	return r, nil
}

func (c *Cache) save(r *Record) {
	c.keep(r)
	if err := c.o.Store.Save(c.o.Key, r); err != nil {
		c.warn(fmt.Errorf("tokencache: storing a token: %w", err))
	}
}

// keep has r at hand for the next call.
func (c *Cache) keep(r *Record) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.memory = r
}

// recall returns what keep was last given.
func (c *Cache) recall() *Record {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.memory
}

// now is the wall clock alone: the monotonic clock stands still while a
// machine sleeps, and tokens end all the same.
func now() time.Time { return time.Now().Round(0) }
