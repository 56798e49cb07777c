package outbox

import "errors"

// The errors that callers tell apart, beside those of packages store and spool. They
// are wrapped.
var (
	// ErrIdle says that no message of the mailbox is due.
	ErrIdle = errors.New("nothing is due")
)
