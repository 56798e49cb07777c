package session

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/xoauth2"
)

// Error says at which stage a submission ended and keeps what the server said.
// Every error of a session, and of the transactions on it, is of type *Error or
// wraps one.
type Error struct {
	Stage  smtp.Stage
	Reply  smtp.Reply           // the server's reply; zero when none came
	Fault  smtp.Fault           // what went wrong without a reply
	Result *xoauth2.ErrorResult // the error result that came with a 334 before the refusal
	Server string               // host:port
	// InDoubt says that the final dot was sent and no reply to it came: the
	// server may have the message, whatever Fault kept the reply away.
	InDoubt bool
	Err     error // the cause; nil when the reply says all
}

// Error names stage, server and either the reply or the cause.
func (e *Error) Error() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s", e.Stage)
	if e.Server != "" && e.Stage != smtp.StageToken {
		fmt.Fprintf(&b, " (%s)", e.Server)
	}
	if !e.Reply.IsZero() {
		fmt.Fprintf(&b, ": %s", e.Reply)
	}
	if e.Err != nil {
		fmt.Fprintf(&b, ": %v", e.Err)
	}
	if e.Reply.IsZero() && e.Err == nil {
		fmt.Fprintf(&b, ": %s", e.Fault)
	}
	if e.Result != nil {
		fmt.Fprintf(&b, " (%v)", e.Result)
	}
	return b.String()
}

// Unexpected is a reply other than the one that the stage needs.
func Unexpected(r smtp.Reply) *Error { return &Error{Reply: r} }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Interrupted reports whether the caller's context was cancelled, which is
// not a failure of anything.
func (e *Error) Interrupted() bool { return errors.Is(e.Err, context.Canceled) }

// errTooLate is the cause when the caller's deadline passed.
var errTooLate error = tooLate{}

// tooLate is context.DeadlineExceeded.
type tooLate struct{}

func (tooLate) Error() string { return "time limit passed: " + context.DeadlineExceeded.Error() }

// Unwrap returns context.DeadlineExceeded.
func (tooLate) Unwrap() error { return context.DeadlineExceeded }

// faultOf classifies a cause. A deadline of ours and a silent server look alike
// on a socket; both mean that no answer came in time.
func faultOf(err error) smtp.Fault {
	var syntax *smtp.SyntaxError
	switch {
	case err == nil:
		return ""
	case errors.As(err, &syntax), errors.Is(err, smtp.ErrTooLong):
		return smtp.FaultNotSMTP
	}
	return diagnosis.FaultOf(err)
}
