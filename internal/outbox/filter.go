package outbox

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/outbox/store"
)

// Filter names messages; every field that is set narrows it.
type Filter struct {
	QIDs    []QID
	Mailbox string
	States  []State
	To      string // a recipient's address, or "@domain"
	From    string // the reverse-path, or "@domain"
	Key     string
	Batch   int64
	Row     string
	// Since and Until name the messages that were in the outbox, waiting or
	// being submitted, at some time from Since to before Until.
	Since, Until time.Time

	All    bool // for actions: yes, on every message
	Before QID  // those that came before it: to go on with a list
	Oldest bool // the oldest first
	Limit  int  // 0: no limit
}

// bounded reports whether the filter names less than everything.
func (f Filter) bounded() bool {
	return f.All || len(f.QIDs) > 0 || f.Mailbox != "" || len(f.States) > 0 || f.To != "" || f.From != "" || f.Key != "" ||
		f.Batch != 0 || f.Row != "" || !f.Since.IsZero() || !f.Until.IsZero()
}

func (f Filter) order() string {
	order := " ORDER BY m.id DESC"
	if f.Oldest {
		order = " ORDER BY m.id"
	}
	if f.Limit > 0 {
		order += " LIMIT " + strconv.Itoa(f.Limit)
	}
	return order
}

// conditions gathers a WHERE clause.
type conditions struct {
	text []string
	args []any
}

// add appends a condition in which each ? is the next argument.
func (c *conditions) add(text string, args ...any) {
	for _, a := range args {
		c.args = append(c.args, a)
		text = strings.Replace(text, "? ", fmt.Sprintf("?%d ", len(c.args)), 1)
	}
	c.text = append(c.text, text)
}

// in appends that a column has one of the values.
func (c *conditions) in(column string, values []any) {
	marks := make([]string, len(values))
	for i, v := range values {
		c.args = append(c.args, v)
		marks[i] = "?" + strconv.Itoa(len(c.args))
	}
	c.text = append(c.text, column+" IN ("+strings.Join(marks, ",")+")")
}

// where turns a filter into a condition on mail m. Everything from outside is an
// argument.
func (ob *Outbox) where(f Filter) (string, []any, error) {
	c := &conditions{text: []string{"1 = 1"}}
	if len(f.QIDs) > 0 {
		ids := make([]any, len(f.QIDs))
		for i, q := range f.QIDs {
			id, err := ob.id(q)
			if err != nil {
				return "", nil, err
			}
			ids[i] = id
		}
		c.in("m.id", ids)
	}
	if f.Mailbox != "" {
		c.add("m.mailbox = ? ", mailboxKey(f.Mailbox))
	}
	if len(f.States) > 0 {
		states := make([]any, len(f.States))
		for i, s := range f.States {
			states[i] = string(s)
		}
		c.in("m.state", states)
	}
	if f.To != "" {
		same, value := sameAddress("r.addr", f.To)
		c.add(toQuery(same), value, value, value, value)
	}
	if f.From != "" {
		column, value := sameAddress("m.reverse_path", f.From)
		c.add(column, value)
	}
	return ob.whereRest(f, c)
}

func (ob *Outbox) whereRest(f Filter, c *conditions) (string, []any, error) {
	if f.Key != "" {
		c.add("m.dedupe_key = ? ", f.Key)
	}
	if f.Batch != 0 {
		c.add("m.batch_id = ? ", f.Batch)
	}
	if f.Row != "" {
		c.add("m.row_key = ? ", f.Row)
	}
	if !f.Until.IsZero() {
		c.add("m.created_at < ? ", store.Millis(f.Until))
	}
	if !f.Since.IsZero() {
		c.add("(m.finished_at IS NULL OR m.finished_at >= ? )", store.Millis(f.Since))
	}
	if f.Before != "" {
		id, err := ob.id(f.Before)
		if err != nil {
			return "", nil, err
		}
		c.add("m.id < ? ", id)
	}
	return strings.Join(c.text, " AND "), c.args, nil
}

// toQuery finds the messages to a recipient: the settled ones by the index, the
// others among what waits.
func toQuery(same string) string {
	text := "SELECT r.mail_id FROM rcpt r WHERE r.state <> '" + string(RecipientOpen) + "' AND " + same
	for _, s := range []State{Ready, Sending, Held} {
		text += " UNION ALL SELECT r.mail_id FROM mail w JOIN rcpt r ON r.mail_id = w.id WHERE w.state = '" + string(s) + "' AND r." + recipientOpen + " AND " + same
	}
	return "m.id IN (" + text + ")"
}

// sameAddress compares a column with an address or the domain of one.
func sameAddress(column, value string) (condition string, arg any) {
	value = strings.ToLower(value)
	if strings.HasPrefix(value, "@") {
		escaped := strings.NewReplacer(`\`, `\\`, "%", `\%`, "_", `\_`).Replace(value)
		return "lower(" + column + ") LIKE ? ESCAPE '\\'", "%" + escaped
	}
	return "lower(" + column + ") = ? ", value
}
