package outbox

import (
	"errors"
)

// The errors that callers tell apart, beside those of package store. They are wrapped.
var (
	// ErrDamaged says that a stored content is not what was taken.
	ErrDamaged = errors.New("the content is not what was taken")
	// ErrNoContent says that a message is over and its content deleted.
	ErrNoContent = errors.New("its content was deleted")
	// ErrIdle says that no message of the mailbox is due.
	ErrIdle = errors.New("nothing is due")
	// ErrLost says that a claim is no longer the caller's.
	ErrLost = errors.New("the message is no longer claimed")
	// ErrSize says that the content had another size than announced: it was cut
	// off, and nothing was taken.
	ErrSize = errors.New("the content has another size than announced")
)

// InputError is a message that cannot be taken as it is.
type InputError struct{ Field, Reason string }

// Error names field and reason.
func (e *InputError) Error() string { return e.Field + ": " + e.Reason }
