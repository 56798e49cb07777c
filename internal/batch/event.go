package batch

import (
	"time"

	"github.com/smtpsend/smtpsend/internal/outbox/mailmerge"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
)

// Event is what a run tells about: one of the types of this file. Events come from
// several goroutines, but each type from one at a time.
type Event interface{ event() }

// GoesOn: the batch was started before, and goes on.
type GoesOn struct {
	Batch  mailmerge.Batch // as it was, with the time of its start
	Before Account
}

// SourceChanged: the file is not what it was at the last start; rows whose key is
// known stay as they were taken then.
type SourceChanged struct{ Known int }

// Stuck: no further rows are taken, while those that were are submitted.
type Stuck struct{ Err error }

// TriedAgain: a mailbox that was held or paused is tried, since the batch was
// started again.
type TriedAgain struct{ Mailbox operator.Mailbox }

// OtherSender: another process submits from this outbox, these rows too.
type OtherSender struct{}

// Progress is how far the batch is.
type Progress struct {
	Account Account
	Rows    int           // in all
	Done    int           // that need nothing more
	Here    int           // of these, since this start
	Elapsed time.Duration // since this start

	Waits operator.Mailbox // one that submits nothing for more than a minute; zero for none
	Last  time.Time        // the latest time that a row asks for, when that is all that is waited for
}

// ProgressEnds: no Progress comes any more.
type ProgressEnds struct{}

func (GoesOn) event()        {}
func (SourceChanged) event() {}
func (Stuck) event()         {}
func (TriedAgain) event()    {}
func (OtherSender) event()   {}
func (Progress) event()      {}
func (ProgressEnds) event()  {}
