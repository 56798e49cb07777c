package smtpsend

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/account"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/submission"
)

// Outcome is what happened to a message for one recipient.
type Outcome string

// The outcomes. With all but Accepted and InDoubt the server does not have the message
// for the recipient, so sending it again makes no duplicate.
const (
	Accepted     Outcome = "accepted"      // the server took responsibility (RFC 5321 4.1.1.4)
	Deferred     Outcome = "deferred"      // refused for now (4yz): the same may work later
	Refused      Outcome = "refused"       // refused for good (5yz), or not sent because the server cannot take it
	InDoubt      Outcome = "in doubt"      // everything was sent and no reply came: the server may have it
	NotAttempted Outcome = "not attempted" // something failed before this recipient's turn
)

// Stage is the step of a submission at which something was decided.
type Stage string

// The stages in the order in which a submission passes them.
const (
	StageConfig   = Stage(smtp.StageConfig)   // settings, before any connection
	StageToken    = Stage(smtp.StageToken)    // the request to the token endpoint
	StageDial     = Stage(smtp.StageDial)     // name resolution and TCP, and the wait for a free connection
	StageGreeting = Stage(smtp.StageGreeting) // the server's first reply
	StageEHLO     = Stage(smtp.StageEHLO)
	StageStartTLS = Stage(smtp.StageStartTLS) // STARTTLS and the TLS handshake
	StageAuth     = Stage(smtp.StageAuth)
	StageMail     = Stage(smtp.StageMail)
	StageRcpt     = Stage(smtp.StageRcpt)
	StageData     = Stage(smtp.StageData)
	StageContent  = Stage(smtp.StageContent) // the content and the reply to its end
)

// Reply is a reply of the server. The zero value means that none came.
type Reply struct {
	Code     int    // such as 250
	Enhanced string // enhanced status code (RFC 3463), such as "5.7.3"; "" when the reply has none
	Text     string // all lines without the code, joined by line feeds
}

// String is code and text in one line, "" for no reply.
func (r Reply) String() string {
	if r.Code == 0 {
		return ""
	}
	return strings.TrimSpace(fmt.Sprintf("%d %s", r.Code, strings.ReplaceAll(r.Text, "\n", " ")))
}

// Finding is a failure that smtpsend knows: its name and what helps. "smtpsend
// explain CODE" and docs/errors.md say more.
type Finding struct {
	Code  string // short name, such as "smtp-auth-disabled-mailbox"
	Title string
	Cause string
	Fixes []Fix // the most likely first
}

// Fix is something that may help.
type Fix struct {
	Text     string   // a sentence
	Commands []string // ready to paste, in order
	Who      string   // who has the right to do it; "" when anyone has
}

// Recipient is one address of a Receipt.
type Recipient struct {
	Address string // as the server got it
	Outcome Outcome
	Stage   Stage    // that decided the outcome
	Reply   Reply    // that decided it; zero when none came
	Finding *Finding // nil when the recipient was accepted, or has no reply of its own
}

// Receipt is the account of one submission.
type Receipt struct {
	MessageID  string // with its angle brackets
	Mailbox    string // that signed in
	Server     string // "host:port"
	Hostname   string // the machine that took the message, as Exchange names it; "" when it does not
	QueueID    string // the server's name for the message; "" when it gave none
	Size       int64  // octets of content
	Recipients []Recipient
	Reply      Reply // to the end of the content
	Attempts   int   // sessions or transactions that were tried
	Started    time.Time
	Took       time.Duration
}

// With returns the addresses with one of the outcomes.
func (r *Receipt) With(outcomes ...Outcome) []string {
	var list []string
	for _, rcpt := range r.Recipients {
		if slices.Contains(outcomes, rcpt.Outcome) {
			list = append(list, rcpt.Address)
		}
	}
	return list
}

// Open returns the addresses that did not get the message and may get it later, by
// another submission: those that are Deferred or NotAttempted.
func (r *Receipt) Open() []string { return r.With(Deferred, NotAttempted) }

// String has a line for each recipient: outcome, address and reply.
func (r *Receipt) String() string {
	var b strings.Builder
	for _, rcpt := range r.Recipients {
		b.WriteString(strings.TrimSpace(fmt.Sprintf("%-14s%s  %s", rcpt.Outcome, rcpt.Address, rcpt.Reply)) + "\n")
	}
	return b.String()
}

// Error says why not every recipient was accepted. It unwraps to the cause, such as
// context.Canceled, a *tls.CertificateVerificationError or an *xoauth2.ErrorResult.
type Error struct {
	Stage     Stage
	Reply     Reply  // the server's; zero when none came
	Recipient string // the recipient that Reply is about; "" when it is about all
	// InDoubt says that at least one recipient is InDoubt: if you send the message
	// again, that recipient may get it twice.
	InDoubt bool
	Finding Finding
	Err     error // the cause; nil when Reply says everything

	text      string
	temporary bool
}

// Error names stage, server and reply or cause.
func (e *Error) Error() string { return "smtpsend: " + e.text }

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Temporary reports whether the failure may pass by itself, so that the same message
// can be sent later to the addresses of Receipt.Open. It is false when a recipient is in
// doubt.
func (e *Error) Temporary() bool { return e.temporary && !e.InDoubt }

// result makes a Receipt of what happened, and an Error unless all is well.
func (c *Client) result(ctx context.Context, r *submission.Receipt, from string) (*Receipt, error) {
	explained := r.Explain(account.Known(c.cfg, r.Mailbox, from, r.Token))
	receipt := &Receipt{
		MessageID: r.MessageID, Mailbox: r.Mailbox, Server: r.Server, Hostname: r.Hostname, QueueID: r.QueueID, Size: r.Size,
		Reply: replyOf(r.Reply), Attempts: len(r.Attempts), Started: r.Started, Took: r.Took,
	}
	for i, rcpt := range r.Recipients {
		shown := Recipient{Address: rcpt.ForwardPath, Outcome: Outcome(rcpt.Outcome.Word()), Stage: Stage(rcpt.Stage), Reply: replyOf(rcpt.Reply)}
		if found := explained.Recipients[i]; found != nil {
			finding := findingOf(*found)
			shown.Finding = &finding
		}
		receipt.Recipients = append(receipt.Recipients, shown)
	}
	if explained.Failure == nil {
		return receipt, nil
	}
	e := newError(explained.Failure, explained.Finding)
	e.Recipient, e.InDoubt = explained.To, r.Count(smtp.InDoubt) > 0
	if ctx.Err() != nil && !errors.Is(e.Err, ctx.Err()) { // it ended the wait for another attempt
		e.Err = errors.Join(ctx.Err(), e.Err)
	}
	return receipt, e
}

// tokenError is err of the token endpoint as an Error.
func (c *Client) tokenError(err error) error {
	failed := &session.Error{Stage: smtp.StageToken, Fault: diagnosis.FaultOf(err), Err: err}
	return newError(failed, diagnosis.Find(failed.Symptom(), account.Facts(c.cfg, "", "")))
}

func newError(failed *session.Error, found diagnosis.Finding) *Error {
	e := &Error{
		Stage: Stage(failed.Stage), Reply: replyOf(failed.Reply), Finding: findingOf(found), InDoubt: failed.InDoubt, Err: failed.Err,
		text: failed.Error(), temporary: found.Transient(),
	}
	if e.Err == nil && failed.Result != nil {
		e.Err = failed.Result
	}
	return e
}

func replyOf(r smtp.Reply) Reply { return Reply{r.Code, r.Enhanced.String(), r.Text()} }

func findingOf(f diagnosis.Finding) Finding {
	shown := Finding{Code: f.Code, Title: f.Title, Cause: f.Cause}
	for _, fix := range f.Fixes {
		shown.Fixes = append(shown.Fixes, Fix(fix))
	}
	return shown
}
