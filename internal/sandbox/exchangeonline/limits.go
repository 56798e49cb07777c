package exchangeonline

import (
	"strings"
	"sync"
	"time"

	"github.com/smtpsend/smtpsend/internal/exchange"
)

// Limits are those of a mailbox. 0 is what is said here, a negative number no
// limit.
type Limits struct {
	Connections       int // at once, else 432 after the content; 0: 3
	SendAsDenied      int // refusals until the sender is throttled; 0: 10
	MessagesPerMinute int // beyond it the reply to the content is delayed; 0: no limit (Exchange: 30)
	RecipientsPerDay  int // beyond it 554 5.2.0; 0: no limit (Exchange: 10,000)
	// TimeScale makes the minutes and days of these limits pass that many times
	// faster; 0: 1.
	TimeScale float64
}

// limits are what Exchange Online counts per mailbox.
type limits struct {
	connections, sendAsDenied   int
	perMinute, recipientsPerDay int
	scale                       float64

	mu        sync.Mutex // guards mailboxes and what they point to
	mailboxes map[string]*usage
}

type usage struct {
	connections int         // that hold one of the places
	denied      int         // SendAsDenied so far
	messages    []time.Time // accepted, the last minute's and later
	recipients  []dated     // of the last day
}

type dated struct {
	at    time.Time
	count int
}

func newLimits(o Limits) *limits {
	l := &limits{
		connections: o.Connections, sendAsDenied: o.SendAsDenied,
		perMinute: o.MessagesPerMinute, recipientsPerDay: o.RecipientsPerDay,
		scale: o.TimeScale, mailboxes: map[string]*usage{},
	}
	if l.connections == 0 {
		l.connections = exchange.Connections
	}
	if l.sendAsDenied == 0 {
		l.sendAsDenied = 10
	}
	if l.scale <= 0 {
		l.scale = 1
	}
	return l
}

// scaled is how long d takes here.
func (l *limits) scaled(d time.Duration) time.Duration {
	return time.Duration(float64(d) / l.scale)
}

// of needs mu.
func (l *limits) of(mailbox string) *usage {
	mailbox = strings.ToLower(mailbox)
	u := l.mailboxes[mailbox]
	if u == nil {
		u = &usage{}
		l.mailboxes[mailbox] = u
	}
	return u
}

// enter takes one of the mailbox's places, and reports whether there was one.
func (l *limits) enter(mailbox string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	u := l.of(mailbox)
	if l.connections > 0 && u.connections >= l.connections {
		return false
	}
	u.connections++
	return true
}

func (l *limits) leave(mailbox string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.of(mailbox).connections--
}

// deny counts a SendAsDenied.
func (l *limits) deny(mailbox string) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.of(mailbox).denied++
}

// throttled reports whether the mailbox was denied too often. Exchange lifts
// this after a time of its choosing; here it stays.
func (l *limits) throttled(mailbox string) bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.sendAsDenied > 0 && l.of(mailbox).denied >= l.sendAsDenied
}

// takeRecipients counts n recipients towards the day's quota, or refuses.
func (l *limits) takeRecipients(mailbox string, n int, now time.Time) bool {
	if l.recipientsPerDay <= 0 {
		return true
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	u := l.of(mailbox)
	since := now.Add(-l.scaled(24 * time.Hour))
	for len(u.recipients) > 0 && !u.recipients[0].at.After(since) {
		u.recipients = u.recipients[1:]
	}
	used := n
	for _, r := range u.recipients {
		used += r.count
	}
	if used > l.recipientsPerDay {
		return false
	}
	u.recipients = append(u.recipients, dated{now, n})
	return true
}

// pace counts a message and returns how long its reply has to wait: Microsoft
// documents that the excess of a minute is carried over to the next ones.
func (l *limits) pace(mailbox string, now time.Time) time.Duration {
	if l.perMinute <= 0 {
		return 0
	}
	l.mu.Lock()
	defer l.mu.Unlock()
	u := l.of(mailbox)
	at := now
	if n := len(u.messages); n >= l.perMinute {
		if free := u.messages[n-l.perMinute].Add(l.scaled(time.Minute)); free.After(at) {
			at = free
		}
		u.messages = u.messages[n-l.perMinute+1:]
	}
	u.messages = append(u.messages, at)
	return at.Sub(now)
}
