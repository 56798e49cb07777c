package spool

import (
	"errors"
	"sync"

	"github.com/smtpsend/smtpsend/internal/outbox/store"
)

// The errors that callers tell apart. They are wrapped.
var (
	// ErrDamaged says that a stored content is not what was taken.
	ErrDamaged = errors.New("the content in the outbox is damaged")
	// ErrNoContent says that a message is over and its content deleted.
	ErrNoContent = errors.New("its content was deleted")
	// ErrSize says that the content had another size than announced: it was cut
	// off, and nothing was taken.
	ErrSize = errors.New("the content has another size than announced")
)

// InputError is a message that cannot be taken as it is.
type InputError struct{ Field, Reason string }

// Error names field and reason.
func (e *InputError) Error() string { return e.Field + ": " + e.Reason }

// errClosed is for calls after Close.
var errClosed = errors.New("the outbox is closed")

// Spool takes messages in. It is safe for concurrent use.
type Spool struct {
	db      *store.DB
	maxSize int64
	ensure  func(t *store.Tx, mailbox string) error

	adds chan *add
	quit chan struct{}
	done sync.WaitGroup

	mailboxes sync.Map // that surely have a row
}

// New returns the spool of a database; Close ends it. A message may have so many
// octets, and ensure is called, within the transaction, for the mailbox of one that
// may be its first.
func New(db *store.DB, maxSize int64, ensure func(t *store.Tx, mailbox string) error) *Spool {
	s := &Spool{db: db, maxSize: maxSize, ensure: ensure, adds: make(chan *add), quit: make(chan struct{})}
	s.done.Go(s.commitLoop)
	return s
}

// Close waits for what is being committed. What comes after it is not taken.
func (s *Spool) Close() {
	close(s.quit)
	s.done.Wait()
}
