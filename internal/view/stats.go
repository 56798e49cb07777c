package view

import (
	"time"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/stdio"
)

// Stats counts what is in the outbox.
type Stats struct {
	stdio.Schema
	ExitCode  int                  `json:"exit_code"`
	Finished  map[outbox.State]int `json:"finished"`
	Held      int                  `json:"held_mailboxes"`
	Mailboxes int                  `json:"mailboxes"`
	Paused    int                  `json:"paused_mailboxes"`
	Since     time.Time            `json:"since"` // of Finished
	Waiting   map[outbox.State]int `json:"waiting"`
}

// NewStats counts what waits for mailboxes, beside what was finished since a time.
func NewStats(list []operator.Mailbox, finished map[outbox.State]int, since time.Time) Stats {
	v := Stats{Waiting: make(map[outbox.State]int), Finished: finished, Since: since, Mailboxes: len(list), ExitCode: exit.OK}
	for _, m := range list {
		switch {
		case m.Held():
			v.Held++
		case m.Pause != "":
			v.Paused++
		}
		for state, n := range m.Counts {
			v.Waiting[state] += n
		}
	}
	return v
}

// Print writes the counts.
func (v Stats) Print(p *stdio.Printer) {
	p.Printf("now       %d waiting, %d sending, %d held, in %d %s\n", v.Waiting[outbox.Ready], v.Waiting[outbox.Sending], v.Waiting[outbox.Held],
		v.Mailboxes, Plural(v.Mailboxes, "mailbox", "mailboxes"))
	if v.Held+v.Paused > 0 {
		p.Printf("          %d %s held, %d paused: smtpsend queue why\n", v.Held, Plural(v.Held, "mailbox", "mailboxes"), v.Paused)
	}
	p.Printf("finished  %d sent, %d refused or expired, %d cancelled since %s\n", v.Finished[outbox.Sent], v.Finished[outbox.Dead], v.Finished[outbox.Cancelled],
		v.Since.Local().Format("2006-01-02 15:04"))
}
