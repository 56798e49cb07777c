package submission

import (
	"context"
	"errors"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/smtpsend/smtpsend/internal/ascii"

	"github.com/smtpsend/smtpsend/internal/bearer"
	"github.com/smtpsend/smtpsend/internal/lazyregexp"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/transaction"
)

// Attempt is one session's, or one transaction's, try at a message.
type Attempt struct {
	Started time.Time
	Took    time.Duration
	Waited  time.Duration // before it
	Steps   []session.Step
	Err     *session.Error // nil when the final dot was answered with 2yz

	cut bool // our time limit ended it
}

// silent reports that no more is known than that the try did not end well.
func (a Attempt) silent() bool { return a.Err != nil && a.Err.Reply.IsZero() && !a.Err.InDoubt }

// Receipt is the whole account of a submission.
type Receipt struct {
	MessageID   string
	Mailbox     string
	ReversePath string
	Server      string // host:port
	Size        int64  // octets of content
	Recipients  []smtp.Recipient
	Reply       smtp.Reply // to the final dot; zero when none came
	QueueID     string     // the server's name for the message, when its reply gives one
	Hostname    string     // Exchange's, from [Hostname=...]
	Attempts    []Attempt
	Started     time.Time
	Took        time.Duration
	Token       bearer.Token // that was used last
	Notes       []string     // oddities of the server worth reporting to its operator

	relay       bool  // Server is the socket of a relay
	interrupted error // why the wait for a further attempt ended
}

// newReceipt has every recipient of m not attempted.
func newReceipt(o session.Options, m *mailobject.Mail) *Receipt {
	r := &Receipt{
		MessageID: m.MessageID, Mailbox: o.Mailbox, ReversePath: m.Envelope.ReversePath,
		Server: o.Address(), relay: o.Socket != "", Size: m.Content.Size(), Started: time.Now(),
	}
	for _, to := range m.Envelope.ForwardPaths {
		r.Recipients = append(r.Recipients, smtp.Recipient{ForwardPath: to, Outcome: smtp.NotAttempted})
	}
	return r
}

// Err returns the error of the last attempt, nil when it had none. Of attempts
// that our time limit ended it looks at the one before: what made another
// attempt needed says more than that there was no time for it, unless it was a
// token that is not believed.
func (r *Receipt) Err() *session.Error {
	n := len(r.Attempts) - 1
	for n > 0 && r.Attempts[n].cut && !staleToken(r.Attempts[n-1].Err) {
		n--
	}
	if n < 0 {
		return nil
	}
	return r.Attempts[n].Err
}

// Failure is what kept the message from anyone: Err, else what was said of the first
// recipient that did not get it, who is to. It is nil when all have it.
func (r *Receipt) Failure() (e *session.Error, to string) {
	if e := r.Err(); e != nil {
		return e, ""
	}
	for _, rcpt := range r.Recipients {
		if rcpt.Outcome != smtp.Accepted {
			return &session.Error{Stage: rcpt.Stage, Reply: rcpt.Reply, Fault: rcpt.Fault, Server: r.Server}, rcpt.ForwardPath
		}
	}
	return nil, ""
}

// Interrupted reports whether the caller's context was cancelled, in the last
// attempt or in the wait for a further one.
func (r *Receipt) Interrupted() bool {
	if errors.Is(r.interrupted, context.Canceled) {
		return true
	}
	n := len(r.Attempts)
	return n > 0 && r.Attempts[n-1].Err != nil && r.Attempts[n-1].Err.Interrupted()
}

// Count returns how many recipients have the outcome.
func (r *Receipt) Count(o smtp.Outcome) int {
	n := 0
	for _, rcpt := range r.Recipients {
		if rcpt.Outcome == o {
			n++
		}
	}
	return n
}

// Open are the forward-paths that another attempt could serve: deferred, or not
// attempted.
func (r *Receipt) Open() []string {
	var paths []string
	for _, rcpt := range r.Recipients {
		if rcpt.Outcome.Open() {
			paths = append(paths, rcpt.ForwardPath)
		}
	}
	return paths
}

// AllAccepted reports whether the server took responsibility for every
// recipient.
func (r *Receipt) AllAccepted() bool { return r.Count(smtp.Accepted) == len(r.Recipients) }

// record writes down the outcomes of a try. One that did not come as far as a
// recipient leaves the refusal before it in place.
func (r *Receipt) record(res transaction.Result) {
	outcomes := make(map[string]smtp.Recipient, len(res.Recipients))
	for _, rcpt := range res.Recipients {
		outcomes[rcpt.ForwardPath] = rcpt
	}
	for i, rcpt := range r.Recipients {
		if now, ok := outcomes[rcpt.ForwardPath]; ok && (now.Outcome != smtp.NotAttempted || rcpt.Reply.IsZero()) {
			r.Recipients[i] = now
		}
	}
	r.Notes = append(r.Notes, res.Notes...)
	if !res.Reply.IsZero() {
		r.Reply = res.Reply
		r.QueueID, r.Hostname = identify(res.Reply)
	}
}

var queuedAs = lazyregexp.New(`(?i)\bqueued as ([^\s;,]+)`)

// identify reads from the reply to the final dot under which name and where
// the server keeps the message: "2.0.0 OK <id> [Hostname=host]" is Exchange's
// form, "2.0.0 Ok: queued as id" Postfix's. Exchange's is read without expressions,
// because every send would compile them.
func identify(r smtp.Reply) (queueID, host string) {
	text := r.Text()
	words := strings.Fields(text)
	for i := 0; i < len(words) && host == ""; i++ {
		host = hostname(words[i])
	}
	if strings.Contains(strings.ToLower(text), "queued as") {
		if m := queuedAs.Get().FindStringSubmatch(text); m != nil {
			return m[1], host
		}
	}
	for i, word := range words[min(1, len(words)):] {
		id, _, closed := strings.Cut(word, ">")
		if closed && len(id) > 1 && id[0] == '<' && endsInOK(words[i]) {
			return id + ">", host
		}
	}
	return "", host
}

// hostname is the name in "[Hostname=name]", "" when there is none.
func hostname(word string) string {
	for {
		_, rest, found := strings.Cut(word, "[Hostname=")
		if !found {
			return ""
		}
		if name, _, closed := strings.Cut(rest, "]"); closed && name != "" {
			return name
		}
		word = rest
	}
}

// endsInOK reports a word that is OK, or has it after punctuation.
func endsInOK(word string) bool {
	before, found := strings.CutSuffix(strings.ToUpper(word), "OK")
	last, _ := utf8.DecodeLastRuneInString(before)
	return found && (before == "" || isPunctuation(last))
}

// isPunctuation reports what does not belong to a word.
func isPunctuation(r rune) bool { return !ascii.IsAlnum(r) && r != '_' }
