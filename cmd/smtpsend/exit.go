package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/courier"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/submission"
	"github.com/smtpsend/smtpsend/internal/zone"
)

// The exit codes, those of sysexits(3) where it has one. They are the same for
// every verb.
const (
	exitOK            = 0
	exitPartly        = 3   // some have it, and nothing keeps it for the others
	exitInDoubt       = 4   // the final dot was sent and no reply came
	exitUsage         = 64  // EX_USAGE
	exitData          = 65  // EX_DATAERR: bad message or address
	exitNoInput       = 66  // EX_NOINPUT: an input file is missing
	exitNoUser        = 67  // EX_NOUSER: every recipient refused
	exitNoHost        = 68  // EX_NOHOST: host unknown
	exitRefused       = 69  // EX_UNAVAILABLE: refused for good by the service
	exitBug           = 70  // EX_SOFTWARE
	exitCannotCreate  = 73  // EX_CANTCREAT
	exitIO            = 74  // EX_IOERR
	exitTryAgain      = 75  // EX_TEMPFAIL
	exitProtocol      = 76  // EX_PROTOCOL: TLS or protocol
	exitNotAuthorised = 77  // EX_NOPERM: token or AUTH refused, SendAsDenied
	exitConfig        = 78  // EX_CONFIG
	exitInterrupted   = 130 // as the shell has it for SIGINT
)

const exitHelp = `Exit codes: 0 all accepted; 3 some accepted, others not; 4 in doubt (no reply to the
final dot); 64 usage; 65 bad message or address; 66 input file missing; 67 every
recipient refused; 68 host unknown; 69 refused for good; 70 bug; 73, 74 cannot
write; 75 try again; 76 TLS or protocol; 77 not authorised; 78 configuration;
130 interrupted.`

// exitError carries an exit code. With shown, the reader has been told all.
type exitError struct {
	code  int
	err   error
	shown bool
}

func (e *exitError) Error() string { return e.err.Error() }
func (e *exitError) Unwrap() error { return e.err }

// usagef is an error in the command line.
func usagef(format string, args ...any) error {
	return &exitError{code: exitUsage, err: fmt.Errorf(format, args...)}
}

// withCode gives err the exit code.
func withCode(code int, err error) error { return &exitError{code: code, err: err} }

// codeOf finds the exit code of an error that ended a verb.
func codeOf(err error) int {
	var exit *exitError
	var problems *config.Problems
	var field *message.FieldError
	var file *message.FileError
	var tz *zone.Error
	switch {
	case err == nil:
		return exitOK
	case errors.As(err, &exit) && exit.shown:
		return exit.code
	case errors.Is(err, context.Canceled): // whatever was going on then
		return exitInterrupted
	case errors.As(err, &exit):
		return exit.code
	case errors.As(err, &problems), errors.As(err, &tz):
		return exitConfig
	case errors.As(err, &field):
		return exitData
	case errors.Is(err, message.ErrNoCopy):
		return exitCannotCreate
	case errors.As(err, &file), errors.Is(err, fs.ErrNotExist):
		return exitNoInput
	}
	return exitBug
}

// asExit gives an error of the outbox its exit code.
func asExit(err error) error {
	var fileSystem *outbox.FileSystemError
	var unsafe *ownfile.Error
	var schema *outbox.SchemaError
	var input *outbox.InputError
	var tz *zone.Error
	var coded *exitError
	var field *message.FieldError
	var file *message.FileError
	switch {
	case err == nil:
		return nil
	case errors.As(err, &coded), errors.As(err, &field), errors.As(err, &file): // codeOf knows them
		return err
	case errors.Is(err, context.Canceled):
		return withCode(exitInterrupted, err)
	case errors.As(err, &fileSystem), errors.As(err, &schema), errors.As(err, &unsafe), errors.As(err, &tz):
		return withCode(exitConfig, err)
	case errors.As(err, &input):
		return withCode(exitData, err)
	case errors.Is(err, outbox.ErrLocked), errors.Is(err, outbox.ErrBusy), errors.Is(err, outbox.ErrChanged):
		return withCode(exitTryAgain, err)
	case errors.Is(err, outbox.ErrNotFound), errors.Is(err, outbox.ErrNoContent):
		return withCode(exitNoInput, err)
	case errors.Is(err, outbox.ErrNoFilter):
		return usagef("name messages, or filter them; --all for every one")
	case errors.Is(err, outbox.ErrBroken), errors.Is(err, outbox.ErrCorrupt), errors.Is(err, outbox.ErrDamaged):
		return withCode(exitIO, err)
	}
	return withCode(exitCannotCreate, err)
}

// ending is what became of all the mail of a verb, as far as its exit code says
// it. It counts recipients, messages or rows, whichever the verb deals in.
type ending struct {
	accepted int // the server has them
	refused  int // it does not, and nothing will try them again
	open     int // it does not, they could be tried again, and nothing keeps them
	kept     int // the outbox tries them again
	inDoubt  int

	failures []int // for each failure, what it ends with when there is nothing else
	broken   int   // what ended the verb before it was done: exitInterrupted, or the code of an error
}

// gravity orders the codes of failures: what needs a person before what passes,
// and what passes before what is over.
var gravity = []int{exitNotAuthorised, exitConfig, exitProtocol, exitNoHost, exitIO, exitTryAgain, exitRefused, exitNoUser}

// code is the one rule from outcomes to an exit code, for every verb. Doubt comes
// first. When one has the message and another lacks it for good, or nothing keeps
// it, whoever calls must not submit the same again: that is exitPartly, and never
// exitTryAgain. What the outbox keeps does no harm when it is tried again, so there
// the failure's own code says why it waits.
func (e ending) code() int {
	partly := e.accepted > 0 && e.refused+e.open > 0
	switch {
	case e.inDoubt > 0:
		return exitInDoubt
	case e.broken != exitOK && !(partly && e.open > 0):
		return e.broken
	case partly:
		return exitPartly
	case e.refused+e.open+e.kept == 0:
		return exitOK
	}
	return e.worst()
}

// passes reports that those who do not have the message yet may get it when it is
// tried again as it is.
func (e ending) passes() bool {
	return e.inDoubt == 0 && e.open > 0 && e.broken == exitOK && e.worst() == exitTryAgain
}

// worst is the gravest of the failures; without any, what is left says it.
func (e ending) worst() int {
	for _, code := range gravity {
		if slices.Contains(e.failures, code) {
			return code
		}
	}
	switch {
	case len(e.failures) > 0:
		return e.failures[0]
	case e.open+e.kept > 0:
		return exitTryAgain
	case e.refused > 0:
		return exitNoUser
	}
	return exitOK
}

// endingOf is what became of one submission. found is the finding of r.Failure.
func endingOf(r *submission.Receipt, found diagnosis.Finding) ending {
	e := ending{
		accepted: r.Count(smtp.Accepted), refused: r.Count(smtp.Permanent), inDoubt: r.Count(smtp.InDoubt),
		open: r.Count(smtp.Transient) + r.Count(smtp.NotAttempted),
	}
	failure, _ := r.Failure()
	if failure == nil {
		return e
	}
	e.failures = []int{failureCode(failure, found)}
	if failure.Stage == smtp.StageRcpt && r.Count(smtp.Transient) > 0 { // of several refusals one passes
		e.failures = append(e.failures, exitTryAgain)
	}
	if r.Interrupted() {
		e.broken = exitInterrupted
	}
	return e
}

// notAll reports that nothing was submitted because of the recipients that were
// refused.
func notAll(r *submission.Receipt) bool {
	e := r.Err()
	return e != nil && errors.Is(e, submission.ErrNotAll)
}

// failureCode is the exit code of one failure by itself, whichever verb met it.
func failureCode(e *submission.Error, f diagnosis.Finding) int {
	var file *message.FileError
	switch {
	case errors.As(e, &file), errors.Is(e, outbox.ErrDamaged):
		return exitIO
	case f.Code == string(smtp.FaultDNSNotFound):
		return exitNoHost
	case protocolFault(e.Fault), protocolFault(smtp.Fault(f.Code)), e.Reply.Positive(), e.Reply.Intermediate():
		return exitProtocol
	case f.Class == diagnosis.ClassConfiguration && e.Stage == smtp.StageToken:
		return exitNotAuthorised
	case f.Transient(), e.Stage == smtp.StageRcpt && e.Reply.Transient():
		return exitTryAgain
	case f.Class == diagnosis.ClassConfiguration, refusedSignIn(e):
		return exitNotAuthorised
	case f.Class == diagnosis.ClassPermanent && e.Stage == smtp.StageRcpt:
		return exitNoUser
	}
	return exitRefused
}

// rememberedCode is failureCode for what the outbox remembers of a failure: its
// code in the catalogue, and the reply's number, 0 when none came.
func rememberedCode(kind string, number int) int {
	entry, known := diagnosis.Lookup(kind)
	switch {
	case known:
		e := &submission.Error{Stage: entry.Stages[0], Reply: smtp.Reply{Code: number}}
		return failureCode(e, diagnosis.Finding{Code: kind, Class: entry.Class})
	case kind == courier.KindSettings:
		return exitConfig
	case kind == courier.KindDamaged:
		return exitIO
	}
	return exitTryAgain // it was not tried yet
}

// refusedSignIn reports that the server wants another sign-in, whoever it is
// and whatever it says: AUTH was refused for good, or a later command with 530
// or 535 (RFC 4954 6).
func refusedSignIn(e *submission.Error) bool {
	return e.Stage == smtp.StageAuth && e.Reply.Permanent() || e.Reply.Code == 530 || e.Reply.Code == 535
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
