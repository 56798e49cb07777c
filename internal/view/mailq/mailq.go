// Package mailq shows what waits in the outbox in the form of Postfix's mailq, which
// programs read.
package mailq

import (
	"time"

	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/outbox/queueid"
	"github.com/smtpsend/smtpsend/internal/printable"
	"github.com/smtpsend/smtpsend/internal/stdio"
	"github.com/smtpsend/smtpsend/internal/view"
)

// List is what waits, in the order of its arrival.
type List []Message

// Message is a message that waits.
type Message struct {
	QID         queueid.ID
	State       outbox.State
	Size        int64
	Arrived     time.Time
	ReversePath string
	Why         string   // it waits; "" for a first attempt
	Open        []string // the forward-paths of those who do not have it yet
}

// New is the view of messages that wait, at a time.
func New(list []operator.Detail, now time.Time) List {
	var q List
	for _, d := range list {
		m := Message{
			QID: d.QID, State: d.State, Size: d.Size, Arrived: d.CreatedAt, ReversePath: d.ReversePath, Why: view.Why(d.Mail, now, view.InTable),
		}
		for _, r := range d.RecipientStates {
			if r.State == outbox.RecipientOpen {
				m.Open = append(m.Open, r.ForwardPath)
			}
		}
		q = append(q, m)
	}
	return q
}

// Print writes the list to standard output, or that it is empty.
func (q List) Print(p *stdio.Printer) {
	if len(q) == 0 {
		p.Printf("Mail queue is empty\n")
		return
	}
	p.Printf("-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------\n")
	var octets int64
	for _, m := range q {
		octets += m.Size
		m.print(p)
	}
	p.Printf("-- %d Kbytes in %d %s.\n", (octets+1023)/1024, len(q), view.Plural(len(q), "Request", "Requests"))
}

func (m Message) print(p *stdio.Printer) {
	mark := map[outbox.State]string{outbox.Sending: "*", outbox.Held: "!"}[m.State]
	p.Printf("%-11s %8d %s  %s\n", string(m.QID)+mark, m.Size, m.Arrived.Local().Format("Mon Jan _2 15:04:05"), m.ReversePath)
	if m.Why != "" {
		p.Printf("(%s)\n", printable.Line(m.Why))
	}
	for _, path := range m.Open {
		p.Printf("%41s%s\n", "", path)
	}
	p.Printf("\n")
}
