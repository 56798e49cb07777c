package operator

import (
	"errors"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/mailbox"
	"github.com/smtpsend/smtpsend/internal/outbox/queueid"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
)

// ErrNoFilter says that an action was to have no bounds.
var ErrNoFilter = errors.New("no messages were named")

// Filter names messages; every field that is set narrows it.
type Filter struct {
	QIDs    []queueid.ID
	Mailbox string
	States  []outbox.State
	To      string // a recipient's address, or "@domain"
	From    string // the reverse-path, or "@domain"
	Key     string
	Batch   int64
	Row     string
	// Since and Until name the messages that were in the outbox, waiting or
	// being submitted, at some time from Since to before Until.
	Since, Until time.Time

	All    bool       // for actions: yes, on every message
	Before queueid.ID // those that came before it: to go on with a list
	Oldest bool       // the oldest first
	Limit  int        // 0: no limit
}

// bounded reports whether the filter names less than everything.
func (f Filter) bounded() bool {
	return f.All || len(f.QIDs) > 0 || f.Mailbox != "" || len(f.States) > 0 || f.To != "" || f.From != "" || f.Key != "" ||
		f.Batch != 0 || f.Row != "" || !f.Since.IsZero() || !f.Until.IsZero()
}

// each has a filter for each of the ids.
func (f Filter) each() []Filter {
	list := make([]Filter, len(f.QIDs))
	for i, qid := range f.QIDs {
		list[i] = f
		list[i].QIDs = []queueid.ID{qid}
	}
	return list
}

// Within narrows the filter to messages in one of the states.
func (f Filter) Within(states ...outbox.State) Filter {
	if len(f.States) > 0 {
		states = slices.DeleteFunc(slices.Clone(states), func(s outbox.State) bool { return !slices.Contains(f.States, s) })
	}
	if len(states) == 0 {
		states = []outbox.State{""} // which no message has
	}
	f.States = states
	return f
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

// where turns a filter into a condition on mail m. Everything from outside is an
// argument.
func where(box *outbox.Outbox, f Filter) (string, []any, error) {
	c := &store.Where{Text: []string{"1 = 1"}}
	if len(f.QIDs) > 0 {
		ids := make([]any, len(f.QIDs))
		for i, q := range f.QIDs {
			id, err := box.Number(q)
			if err != nil {
				return "", nil, err
			}
			ids[i] = id
		}
		c.In("m.id", ids)
	}
	if f.Mailbox != "" {
		c.Add("m.mailbox = ? ", mailbox.Key(f.Mailbox))
	}
	if len(f.States) > 0 {
		states := make([]any, len(f.States))
		for i, s := range f.States {
			states[i] = string(s)
		}
		c.In("m.state", states)
	}
	if f.To != "" {
		same, value := sameAddress("r.addr", f.To)
		c.Add(toQuery(same), value, value, value, value)
	}
	if f.From != "" {
		column, value := sameAddress("m.reverse_path", f.From)
		c.Add(column, value)
	}
	return whereRest(box, f, c)
}

func whereRest(box *outbox.Outbox, f Filter, c *store.Where) (string, []any, error) {
	if f.Key != "" {
		c.Add("m.dedupe_key = ? ", f.Key)
	}
	if f.Batch != 0 {
		c.Add("m.batch_id = ? ", f.Batch)
	}
	if f.Row != "" {
		c.Add("m.row_key = ? ", f.Row)
	}
	if !f.Until.IsZero() {
		c.Add("m.created_at < ? ", store.Millis(f.Until))
	}
	if !f.Since.IsZero() {
		c.Add("(m.finished_at IS NULL OR m.finished_at >= ? )", store.Millis(f.Since))
	}
	if f.Before != "" {
		id, err := box.Number(f.Before)
		if err != nil {
			return "", nil, err
		}
		c.Add("m.id < ? ", id)
	}
	return c.String(), c.Args, nil
}

// toQuery finds the messages to a recipient: the finished ones by the index, the
// others among what waits.
func toQuery(same string) string {
	open := "'" + string(outbox.RecipientOpen) + "'"
	text := "SELECT r.mail_id FROM rcpt r WHERE r.state <> " + open + " AND " + same
	for _, s := range []outbox.State{outbox.Ready, outbox.Sending, outbox.Held} {
		text += " UNION ALL SELECT r.mail_id FROM mail w JOIN rcpt r ON r.mail_id = w.id WHERE w.state = '" + string(s) + "' AND r.state = " + open + " AND " + same
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
