// Package exit has the exit codes, and the error that ends a verb with one. Any
// package may say with it which code an error of its own means; the rule for all the
// others, and for the outcomes of mail, is internal/exit/ending.
package exit

import "fmt"

// The exit codes, those of sysexits(3) where it has one. They are the same for
// every verb.
const (
	OK            = 0
	Partly        = 3   // some have it, and nothing keeps it for the others
	InDoubt       = 4   // the final dot was sent and no reply came
	Usage         = 64  // EX_USAGE
	Data          = 65  // EX_DATAERR: bad message or address
	NoInput       = 66  // EX_NOINPUT: an input file is missing
	NoUser        = 67  // EX_NOUSER: every recipient refused
	NoHost        = 68  // EX_NOHOST: host unknown
	Refused       = 69  // EX_UNAVAILABLE: refused for good by the service
	Bug           = 70  // EX_SOFTWARE
	CannotCreate  = 73  // EX_CANTCREAT
	IO            = 74  // EX_IOERR
	TryAgain      = 75  // EX_TEMPFAIL
	Protocol      = 76  // EX_PROTOCOL: TLS or protocol
	NotAuthorised = 77  // EX_NOPERM: token or AUTH refused, SendAsDenied
	Config        = 78  // EX_CONFIG
	Interrupted   = 130 // as the shell has it for SIGINT
)

// Ends is the code of the verb expiry alone: something ends within the time that was
// asked for.
const Ends = 1

// The exit codes of a plugin for Nagios and its kin (Monitoring Plugins Development
// Guidelines, "Plugin Return Codes"). OK is the same.
const (
	NagiosWarning  = 1
	NagiosCritical = 2
	NagiosUnknown  = 3
)

// Help is the table of the codes, for the help of verbs.
const Help = `Exit codes: 0 all accepted; 3 some accepted, others not; 4 in doubt (no reply to the
final dot); 64 usage; 65 bad message or address; 66 input file missing; 67 every
recipient refused; 68 host unknown; 69 refused for good; 70 bug; 73, 74 cannot
write; 75 try again; 76 TLS or protocol; 77 not authorised; 78 configuration;
130 interrupted.`

// Error is an error that ends a verb with an exit code. With Shown, people have been
// told all of it.
type Error struct {
	Code  int
	Err   error
	Shown bool
}

// Error is the text of Err.
func (e *Error) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *Error) Unwrap() error { return e.Err }

// Told is the end of a verb whose result people were shown: err with the exit code,
// nil when that is OK.
func Told(code int, err error) error {
	if code == OK {
		return nil
	}
	return &Error{Code: code, Err: err, Shown: true}
}

// Usagef is an error in the command line.
func Usagef(format string, args ...any) error {
	return &Error{Code: Usage, Err: fmt.Errorf(format, args...)}
}

// With gives err the exit code.
func With(code int, err error) error { return &Error{Code: code, Err: err} }
