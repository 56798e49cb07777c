package batch

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/mailmerge"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
)

// Forecast says how long a batch will take and what it needs.
type Forecast struct {
	Done       int // rows that need nothing more
	Messages   int
	Recipients int
	Used       int // recipients of the last 24 hours, of the mailbox with the most
	Mailboxes  int
	PerMinute  int // the limits of a mailbox
	PerDay     int
	Takes      time.Duration // of the mailbox with the most to do
	Days       int           // days over which the recipients per day spread it; 1 when they do not
	Ahead      int           // other messages of these mailboxes, which go first
	Last       time.Time     // the latest time that a row asks for, when that is what takes longest
}

// Usage is what the outbox holds of a batch's mailboxes.
type Usage struct {
	Left       map[string]mailmerge.Left // rows that were taken and wait still
	Recipients map[string]int            // of the last 24 hours
	Others     map[string]mailmerge.Left // what else is due
}

// UsageOf reads the usage of the mailboxes that were checked.
func (c Checked) UsageOf(ctx context.Context, box *outbox.Outbox, b mailmerge.Batch) (u Usage, err error) {
	u.Recipients = make(map[string]int)
	for name := range c.Mailboxes {
		m, err := operator.OneMailbox(ctx, box, name)
		if err != nil && !errors.Is(err, store.ErrNotFound) {
			return u, err
		}
		u.Recipients[name] = m.Recipients
	}
	if u.Left, err = mailmerge.StillLeft(ctx, box, b.ID); err == nil {
		u.Others, err = mailmerge.DueBeside(ctx, box, b.ID)
	}
	return u, err
}

// Forecast computes from the limits of a mailbox, messages in any minute and
// recipients in any 24 hours, and from what it has done of them.
func (c Checked) Forecast(perMinute, recipientsPerDay int, u Usage) Forecast {
	f := Forecast{Mailboxes: len(c.Mailboxes), Days: 1, Done: c.Known, PerMinute: perMinute, PerDay: recipientsPerDay}
	for name, n := range c.Mailboxes {
		left := u.Left[name]
		n.Messages, n.Recipients = n.Messages+left.Messages, n.Recipients+left.Recipients
		f.Done -= left.Messages
		f.Messages += n.Messages
		f.Recipients += n.Recipients
		if n.Messages == 0 {
			continue
		}
		used := min(u.Recipients[name], recipientsPerDay) // the limit may be lower now
		f.Used = max(f.Used, used)
		others := u.Others[name]
		f.Ahead += others.Messages
		takes := time.Duration((others.Messages+n.Messages-1)/perMinute) * time.Minute
		days := (used + others.Recipients + n.Recipients + recipientsPerDay - 1) / recipientsPerDay
		if days > 1 {
			takes = max(takes, time.Duration(days-1)*24*time.Hour)
		}
		f.Takes, f.Days = max(f.Takes, takes), max(f.Days, days)
	}
	f.Done = max(0, f.Done)
	if f.Messages > 0 && c.Last.After(time.Now().Add(f.Takes)) {
		f.Last = c.Last
	}
	return f
}

// String is the forecast in one line.
func (f Forecast) String() string {
	if f.Messages == 0 {
		return counted(f.Done, "row") + " done, nothing left to submit"
	}
	s := counted(f.Messages, "message") + " to " + counted(f.Recipients, "recipient")
	if f.Mailboxes > 1 {
		s += fmt.Sprintf(" from %d mailboxes", f.Mailboxes)
	}
	if f.Done > 0 {
		s = counted(f.Done, "row") + " done; " + s
	}
	switch {
	case f.Days > 1:
		s += fmt.Sprintf(", spread over %d days by the limit of %d recipients", f.Days, f.PerDay)
	case f.Takes >= time.Minute:
		s += fmt.Sprintf(", about %d minutes at %d a minute", int(f.Takes.Minutes())+1, f.PerMinute)
	case f.Last.IsZero():
		s += ", less than a minute"
	}
	if !f.Last.IsZero() {
		s += ", the last one not before " + f.Last.Local().Format("2006-01-02 15:04")
	}
	if f.Used > 0 {
		s += fmt.Sprintf("; %d of the day's %d recipients used", f.Used, f.PerDay)
	}
	if f.Ahead > 0 {
		s += fmt.Sprintf("; %s of the outbox first", counted(f.Ahead, "other due message"))
	}
	return s
}

// counted is a number with its noun.
func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}
