//go:build unix

package faultmatrix_test

import (
	"fmt"
	"slices"
	"strings"

	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/submission"
)

// judge compares what a client believes with what the server did, for every
// recipient of the message with the content text. What it returns is wrong
// whatever the fault was.
func (s *server) judge(recipients []smtp.Recipient, text string) (wrong []string) {
	say := func(format string, args ...any) { wrong = append(wrong, fmt.Sprintf(format, args...)) }
	copies := make(map[string]int)
	for _, m := range s.kept() {
		for _, to := range m.to {
			copies[to]++
			if m.content != text && slices.ContainsFunc(recipients, func(r smtp.Recipient) bool { return r.ForwardPath == to }) {
				say("stored %d octets for %s that are not the message of %d", len(m.content), to, len(text))
			}
		}
	}
	for _, r := range recipients {
		n := copies[r.ForwardPath]
		switch r.Outcome {
		case smtp.Accepted:
			if n != 1 || !r.Reply.Positive() {
				say("%s is accepted (%v) and stored %d times", r.ForwardPath, r.Reply, n)
			}
		case smtp.Transient:
			if n != 0 || !r.Reply.Transient() {
				say("%s is deferred (%v) and stored %d times", r.ForwardPath, r.Reply, n)
			}
		case smtp.Permanent:
			if n != 0 || !r.Reply.Permanent() {
				say("%s is refused (%v) and stored %d times", r.ForwardPath, r.Reply, n)
			}
		case smtp.NotAttempted:
			if n != 0 {
				say("%s is not attempted and stored %d times", r.ForwardPath, n)
			}
		case smtp.InDoubt:
			if n > 1 {
				say("%s is in doubt and stored %d times", r.ForwardPath, n)
			}
			if !slices.ContainsFunc(s.conns, s.leavesDoubt) {
				say("%s is in doubt, and the server either asked for no content or gave a definite answer", r.ForwardPath)
			}
		default:
			say("%s has the outcome %q", r.ForwardPath, r.Outcome)
		}
	}
	return wrong
}

// leavesDoubt reports a connection in which content was asked for and no
// definite answer to it was to be read.
func (s *server) leavesDoubt(c *conn) bool {
	if s.cell.chunked { // the client has sent all, and cannot know how much was read
		return true
	}
	return c.asked && (!c.definite || s.cell.fault == reset || s.cell.fault.timed())
}

// judgeReceipt is judge for a receipt, which also tells the attempts.
func (s *server) judgeReceipt(r *submission.Receipt, text string) []string {
	wrong := s.judge(r.Recipients, text)
	if got := s.connections(); got != len(r.Attempts) {
		wrong = append(wrong, fmt.Sprintf("%d attempts, and %d connections", len(r.Attempts), got))
	}
	if r.Err() == nil && !r.AllAccepted() && r.Count(smtp.Transient)+r.Count(smtp.Permanent) == 0 {
		wrong = append(wrong, "no error, and neither accepted nor refused")
	}
	if e := r.Err(); e != nil && strings.Contains(e.Error(), accessToken) {
		wrong = append(wrong, "the error holds the token")
	}
	return wrong
}

// allowed says which outcomes of the only attempt are right in a cell with one
// recipient. Several are where the fault races with what the client sends.
func (c cell) allowed() []smtp.Outcome {
	switch {
	case c.chunked:
		return c.allowedByChunk()
	case c.stage == response && !c.empty334: // the server refuses AUTH in the end
		return []smtp.Outcome{smtp.NotAttempted}
	case c.fault == slow, c.stage == quit, c.healthy:
		return []smtp.Outcome{smtp.Accepted}
	case c.stage < mailFrom && !(c.place == after && (c.stage == auth || c.stage == response)):
		return []smtp.Outcome{smtp.NotAttempted}
	case c.stage == content:
		return c.allowedInContent()
	case c.stage == dot:
		return c.allowedAtDot()
	case c.stage == data && c.place == after:
		return c.allowedBehind354()
	case c.place == before && c.fault.refusing():
		return c.refusal()
	case c.fault.refusing():
		return append(c.refusal(), smtp.NotAttempted)
	}
	return []smtp.Outcome{smtp.NotAttempted}
}

// refusal is what a reply of the cell's kind means.
func (c cell) refusal() []smtp.Outcome {
	if c.fault == permanent {
		return []smtp.Outcome{smtp.Permanent}
	}
	return []smtp.Outcome{smtp.Transient}
}

// allowedBehind354: what comes together with the 354 is seen before the dot is
// sent, so that nothing is believed of it; what cuts the connection may be seen
// only later.
func (c cell) allowedBehind354() []smtp.Outcome {
	switch c.fault {
	case transient, permanent:
		return c.refusal()
	case closing, leaving:
		return append(c.refusal(), smtp.InDoubt)
	case garbage, megabyte, mixed, stray:
		return []smtp.Outcome{smtp.NotAttempted}
	}
	return []smtp.Outcome{smtp.NotAttempted, smtp.InDoubt}
}

func (c cell) allowedInContent() []smtp.Outcome {
	switch c.fault {
	case transient, permanent, closing, leaving:
		return c.refusal()
	case stray:
		return []smtp.Outcome{smtp.Accepted, smtp.NotAttempted}
	case garbage, megabyte, mixed:
		return []smtp.Outcome{smtp.InDoubt, smtp.NotAttempted}
	}
	return []smtp.Outcome{smtp.NotAttempted, smtp.InDoubt}
}

func (c cell) allowedAtDot() []smtp.Outcome {
	switch {
	case c.place == after && c.fault == reset: // the reply may be lost with the connection
		return []smtp.Outcome{smtp.Accepted, smtp.InDoubt}
	case c.place == after, c.fault == stray:
		return []smtp.Outcome{smtp.Accepted}
	case c.place != within && c.fault.refusing():
		return c.refusal()
	case c.place == line && c.fault != silence:
		return []smtp.Outcome{smtp.InDoubt, smtp.NotAttempted}
	}
	return []smtp.Outcome{smtp.InDoubt}
}

// recovers reports whether a second connection, which has no fault, must end in
// acceptance: the first failed in a way that passes, and without doubt.
func (c cell) recovers() bool {
	if c.chunked {
		return c.place == before && c.fault == transient && c.stage < content
	}
	if c.stage == response && !c.empty334 || c.stage >= content || c.place != before {
		return false
	}
	switch c.fault {
	case transient, closing, leaving:
		return c.stage != dial && c.stage != handshake
	case silence, halfLine, drip, reset, fin, truncated:
		return c.stage != dial && c.stage != handshake
	}
	return false
}

// right reports whether the outcomes of all recipients are among those allowed.
func right(recipients []smtp.Recipient, allowed []smtp.Outcome) bool {
	return !slices.ContainsFunc(recipients, func(r smtp.Recipient) bool { return !slices.Contains(allowed, r.Outcome) })
}
