package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/submission"
	"github.com/smtpsend/smtpsend/internal/zone"
)

// The exit codes, those of sysexits(3) where it has one. They are the same for
// every verb.
const (
	exitOK            = 0
	exitPartly        = 3   // some recipients refused
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

const exitHelp = `Exit codes: 0 all accepted; 3 some recipients refused; 4 in doubt (no reply to the
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

// receiptCode is the exit code of a submission: doubt first, then what has to
// be mended, then what passes, then what became of the recipients.
func receiptCode(r *submission.Receipt, f diagnosis.Finding) int {
	if r.Count(submission.InDoubt) > 0 {
		return exitInDoubt
	}
	if r.AllAccepted() {
		return exitOK
	}
	if r.Interrupted() {
		return exitInterrupted
	}
	e := r.Err()
	if e != nil && (e.Stage != diagnosis.StageRcpt || !e.Reply.Negative()) {
		code := findingCode(e, f)
		if code == exitRefused && r.Count(submission.Accepted) > 0 { // of several transactions one
			return exitPartly
		}
		return code
	}
	if f.Class == diagnosis.ClassConfiguration || (e != nil && refusedSignIn(e)) {
		return exitNotAuthorised
	}
	return recipientsCode(r)
}

// recipientsCode is for refusals of single recipients.
func recipientsCode(r *submission.Receipt) int {
	for _, rcpt := range r.Recipients {
		if rcpt.Outcome == submission.Transient {
			return exitTryAgain
		}
	}
	if r.Count(submission.Permanent) == len(r.Recipients) || notAll(r) {
		return exitNoUser
	}
	return exitPartly
}

// notAll reports that nothing was submitted because of the recipients that were
// refused.
func notAll(r *submission.Receipt) bool {
	e := r.Err()
	return e != nil && errors.Is(e, submission.ErrNotAll)
}

// findingCode is for a failure of the whole submission.
func findingCode(e *submission.Error, f diagnosis.Finding) int {
	var file *message.FileError
	switch {
	case errors.As(e, &file):
		return exitIO
	case f.Code == string(diagnosis.FaultDNSNotFound):
		return exitNoHost
	case protocolFault(e.Fault), protocolFault(diagnosis.Fault(f.Code)), e.Reply.Positive(), e.Reply.Intermediate():
		return exitProtocol
	case e.Stage == diagnosis.StageToken && f.Class == diagnosis.ClassConfiguration:
		return exitNotAuthorised
	case f.Transient():
		return exitTryAgain
	case f.Class == diagnosis.ClassConfiguration, refusedSignIn(e):
		return exitNotAuthorised
	}
	return exitRefused
}

// refusedSignIn reports that the server wants another sign-in, whoever it is
// and whatever it says: AUTH was refused for good, or a later command with 530
// or 535 (RFC 4954 6).
func refusedSignIn(e *submission.Error) bool {
	return e.Stage == diagnosis.StageAuth && e.Reply.Permanent() || e.Reply.Code == 530 || e.Reply.Code == 535
}

func protocolFault(f diagnosis.Fault) bool {
	switch f {
	case diagnosis.FaultTLSUntrusted, diagnosis.FaultTLSIntercepted, diagnosis.FaultTLSHostname, diagnosis.FaultTLSExpired,
		diagnosis.FaultTLSVersion, diagnosis.FaultTLSNotSpoken, diagnosis.FaultTLSFailure,
		diagnosis.FaultStartTLSMissing, diagnosis.FaultXOAUTH2Missing, diagnosis.FaultNotSMTP, diagnosis.FaultTokenUnusable:
		return true
	}
	return false
}
