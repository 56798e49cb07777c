// Package ending has the one rule from outcomes to an exit code: every verb, the
// outbox and what is kept of a message name the same failure by the same code.
package ending

import (
	"context"
	"errors"
	"io/fs"
	"slices"

	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/courier"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/keypair"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/outbox/spool"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/readymessage"
	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/submission"
	"github.com/smtpsend/smtpsend/internal/transaction"
	"github.com/smtpsend/smtpsend/internal/zone"
)

// Code finds the exit code of an error that ended a verb.
func Code(err error) int {
	var coded *exit.Error
	var problems *config.Problems
	var field *badinput.FieldError
	var file *badinput.FileError
	var tz *zone.Error
	var pair *keypair.Error // a setting names the file
	switch {
	case err == nil:
		return exit.OK
	case errors.As(err, &coded) && coded.Shown:
		return coded.Code
	case errors.Is(err, context.Canceled): // whatever was going on then
		return exit.Interrupted
	case errors.As(err, &coded):
		return coded.Code
	case errors.As(err, &problems), errors.As(err, &tz), errors.As(err, &pair):
		return exit.Config
	case errors.As(err, &field):
		return exit.Data
	case errors.Is(err, readymessage.ErrNoCopy):
		return exit.CannotCreate
	case errors.As(err, &file), errors.Is(err, fs.ErrNotExist):
		return exit.NoInput
	}
	return exit.Bug
}

// Outbox gives an error of the outbox its exit code.
func Outbox(err error) error {
	var fileSystem *store.FileSystemError
	var unsafe *ownfile.Error
	var schema *store.SchemaError
	var input *spool.InputError
	var tz *zone.Error
	var coded *exit.Error
	var field *badinput.FieldError
	var file *badinput.FileError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &coded), errors.As(err, &field), errors.As(err, &file): // Code knows them
		return err
	case errors.Is(err, context.Canceled):
		return exit.With(exit.Interrupted, err)
	case errors.As(err, &fileSystem), errors.As(err, &schema), errors.As(err, &unsafe), errors.As(err, &tz):
		return exit.With(exit.Config, err)
	case errors.As(err, &input):
		return exit.With(exit.Data, err)
	case errors.Is(err, store.ErrLocked), errors.Is(err, store.ErrBusy), errors.Is(err, store.ErrChanged):
		return exit.With(exit.TryAgain, err)
	case errors.Is(err, store.ErrNotFound), errors.Is(err, spool.ErrNoContent):
		return exit.With(exit.NoInput, err)
	case errors.Is(err, operator.ErrNoFilter):
		return exit.Usagef("give queue ids or a filter, or --all for all messages")
	case errors.Is(err, store.ErrBroken), errors.Is(err, store.ErrCorrupt), errors.Is(err, spool.ErrDamaged):
		return exit.With(exit.IO, err)
	}
	return exit.With(exit.CannotCreate, err)
}

// Ending is the outcome of all the mail of a verb, as far as its exit code says
// it. It counts recipients, messages or rows, whichever the verb deals in.
type Ending struct {
	Accepted int // the server has them
	Refused  int // it does not, and nothing will try them again
	Open     int // it does not, they could be tried again, and nothing keeps them
	Kept     int // the outbox tries them again
	InDoubt  int

	Failures []int // for each failure, what it ends with when there is nothing else
	Broken   int   // what ended the verb before it was done: Interrupted, or the code of an error
}

// gravity orders the codes of failures: what needs a person before what passes,
// and what passes before what is over.
var gravity = []int{exit.NotAuthorised, exit.Config, exit.Protocol, exit.NoHost, exit.IO, exit.TryAgain, exit.Refused, exit.NoUser}

// Code is the one rule from outcomes to an exit code, for every verb. Doubt comes
// first. When one has the message and another lacks it for good, or nothing keeps
// it, whoever calls must not submit the same again: that is Partly, and never
// TryAgain. What the outbox keeps does no harm when it is tried again, so there
// the failure's own code says why it waits.
func (e Ending) Code() int {
	partly := e.Accepted > 0 && e.Refused+e.Open > 0
	switch {
	case e.InDoubt > 0:
		return exit.InDoubt
	case e.Broken != exit.OK && !(partly && e.Open > 0):
		return e.Broken
	case partly:
		return exit.Partly
	case e.Refused+e.Open+e.Kept == 0:
		return exit.OK
	}
	return e.Worst()
}

// Passes reports that those who do not have the message yet may get it when it is
// tried again as it is.
func (e Ending) Passes() bool {
	return e.InDoubt == 0 && e.Open > 0 && e.Broken == exit.OK && e.Worst() == exit.TryAgain
}

// Worst is the gravest of the failures; without any, what is left says it.
func (e Ending) Worst() int {
	for _, code := range gravity {
		if slices.Contains(e.Failures, code) {
			return code
		}
	}
	switch {
	case len(e.Failures) > 0:
		return e.Failures[0]
	case e.Open+e.Kept > 0:
		return exit.TryAgain
	case e.Refused > 0:
		return exit.NoUser
	}
	return exit.OK
}

// OfReceipt is the outcome of one submission. found is the finding of r.Failure.
func OfReceipt(r *submission.Receipt, found diagnosis.Finding) Ending {
	e := Ending{
		Accepted: r.Count(smtp.Accepted), Refused: r.Count(smtp.Permanent), InDoubt: r.Count(smtp.InDoubt),
		Open: r.Count(smtp.Transient) + r.Count(smtp.NotAttempted),
	}
	failure, _ := r.Failure()
	if failure == nil {
		return e
	}
	e.Failures = []int{FailureCode(failure, found)}
	if failure.Stage == smtp.StageRcpt && r.Count(smtp.Transient) > 0 { // of several refusals one passes
		e.Failures = append(e.Failures, exit.TryAgain)
	}
	if r.Interrupted() {
		e.Broken = exit.Interrupted
	}
	return e
}

// NotAll reports that nothing was submitted because of the recipients that were
// refused.
func NotAll(r *submission.Receipt) bool {
	e := r.Err()
	return e != nil && errors.Is(e, transaction.ErrNotAll)
}

// FailureCode is the exit code of one failure by itself, whichever verb met it.
func FailureCode(e *session.Error, f diagnosis.Finding) int {
	var file *badinput.FileError
	switch {
	case errors.As(e, &file), errors.Is(e, spool.ErrDamaged):
		return exit.IO
	case f.Code == string(smtp.FaultDNSNotFound):
		return exit.NoHost
	case protocolFault(e.Fault), protocolFault(smtp.Fault(f.Code)), e.Reply.Positive(), e.Reply.Intermediate():
		return exit.Protocol
	case unreadCredential(smtp.Fault(f.Code)):
		return exit.Config
	case f.Class == diagnosis.ClassConfiguration && e.Stage == smtp.StageToken:
		return exit.NotAuthorised
	case f.Transient(), e.Stage == smtp.StageRcpt && e.Reply.Transient():
		return exit.TryAgain
	case f.Class == diagnosis.ClassConfiguration, refusedSignIn(e):
		return exit.NotAuthorised
	case f.Class == diagnosis.ClassPermanent && e.Stage == smtp.StageRcpt:
		return exit.NoUser
	}
	return exit.Refused
}

// RememberedCode is FailureCode for what the outbox remembers of a failure: its
// code in the catalogue, and the reply's number, 0 when none came.
func RememberedCode(kind string, number int) int {
	entry, known := diagnosis.Lookup(kind)
	switch {
	case known:
		e := &session.Error{Stage: entry.Stages[0], Reply: smtp.Reply{Code: number}}
		return FailureCode(e, diagnosis.Finding{Code: kind, Class: entry.Class})
	case kind == courier.KindSettings:
		return exit.Config
	case kind == courier.KindDamaged:
		return exit.IO
	}
	return exit.TryAgain // it was not tried yet
}

// refusedSignIn reports that the server wants another sign-in, whoever it is
// and whatever it says: AUTH was refused for good, or a later command with 530
// or 535 (RFC 4954 6).
func refusedSignIn(e *session.Error) bool {
	atSignIn := e.Stage == smtp.StageAuth && e.Reply.Permanent()
	later := e.Reply.Code == 530 || e.Reply.Code == 535
	return atSignIn || later
}

func protocolFault(f smtp.Fault) bool {
	switch f {
	case smtp.FaultTLSUntrusted, smtp.FaultTLSIntercepted, smtp.FaultTLSHostname, smtp.FaultTLSExpired,
		smtp.FaultTLSVersion, smtp.FaultTLSNotSpoken, smtp.FaultTLSFailure,
		smtp.FaultStartTLSMissing, smtp.FaultXOAUTH2Missing, smtp.FaultNotSMTP, smtp.FaultTokenUnusable:
		return true
	}
	return false
}

// unreadCredential reports a credential that a setting names and that cannot be used here,
// as with a file of a secret: no one was asked, so no one refused anything.
func unreadCredential(f smtp.Fault) bool {
	switch f {
	case smtp.FaultCertificateUnreadable, smtp.FaultCertificateKey, smtp.FaultCertificateKind,
		smtp.FaultFederatedToken, smtp.FaultIdentityEndpoint, smtp.FaultArcKey, smtp.FaultAccessToken:
		return true
	}
	return false
}
