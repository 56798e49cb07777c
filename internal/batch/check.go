package batch

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"slices"
	"sync"
	"time"

	"github.com/smtpsend/smtpsend/internal/mailtemplate"
	"github.com/smtpsend/smtpsend/internal/message"
)

// Plan says how a row becomes a message.
type Plan struct {
	Template *mailtemplate.Template
	Base     message.Draft // what every message has: From, Mailbox, ...
}

// Draft fills in the template for one row and returns when the message is to be
// submitted (zero: at once). The error is *message.FieldError.
func (p Plan) Draft(row Row) (message.Draft, time.Time, error) {
	d := p.Base
	// Appending to the base's lists would share their memory among rows.
	d.To, d.Cc, d.Bcc = slices.Clip(d.To), slices.Clip(d.Cc), slices.Clip(d.Bcc)
	d.ReplyTo, d.Headers, d.Attachments = slices.Clip(d.ReplyTo), slices.Clip(d.Headers), slices.Clip(d.Attachments)
	if err := p.Template.Fill(&d, row.Data); err != nil {
		return d, time.Time{}, err
	}
	at, err := p.Template.At(row.Data)
	return d, at, err
}

// mailbox is what the message will be submitted as.
func mailbox(d message.Draft) string {
	if d.Mailbox.IsZero() {
		return d.From.Addr()
	}
	return d.Mailbox.Addr()
}

// Checked is the result of checking all rows.
type Checked struct {
	Rows      int              // that can be used
	Bad       int              // that cannot
	Twice     int              // that stand in the file before, and are one message with it
	Problems  []RowError       // of the bad ones, the first MaxProblems in order
	Mailboxes map[string]Count // what each mailbox will submit
	Legacy    int              // see Rows.Legacy
}

// MaxProblems is how many problems are kept; all are counted.
const MaxProblems = 1000

// Count is what one mailbox has to submit.
type Count struct{ Messages, Recipients int }

// Check reads every row and checks the message that it would make, but for the
// content of its attachments, of which it looks that they are there. Its error is
// a *RowError with N 0: the file itself.
func Check(rows *Rows, p Plan) (Checked, error) {
	c := &checker{
		plan: p, files: make(map[string]error), seen: make(map[[8]byte][8]byte),
		total: Checked{Mailboxes: make(map[string]Count)},
	}
	work := make(chan []Row, 4)
	var wg sync.WaitGroup
	for range max(2, runtime.NumCPU()) {
		wg.Go(func() {
			for list := range work {
				c.check(list)
			}
		})
	}
	err := c.feed(rows, work)
	close(work)
	wg.Wait()
	c.total.Legacy = rows.Legacy
	slices.SortFunc(c.total.Problems, func(a, b RowError) int { return a.N - b.N })
	c.total.Problems = c.total.Problems[:min(len(c.total.Problems), MaxProblems)]
	return c.total, err
}

// chunkRows is how many rows a worker gets at once, so that handing them over
// costs little beside checking them.
const chunkRows = 256

type checker struct {
	plan Plan
	seen map[[8]byte][8]byte // hash of the key -> hash of the row; 16 octets a row, for feed alone

	mu    sync.Mutex // guards the rest
	files map[string]error
	total Checked
}

// feed reads rows and hands them out.
func (c *checker) feed(rows *Rows, work chan<- []Row) error {
	list := make([]Row, 0, chunkRows)
	for {
		row, err := rows.Next()
		var bad *RowError
		switch {
		case errors.Is(err, io.EOF):
			work <- list
			return nil
		case errors.As(err, &bad) && bad.N > 0:
			c.note(*bad)
			continue
		case err != nil:
			work <- list
			return err
		}
		if known, other := c.stoodBefore(row); other {
			c.note(RowError{row.N, row.Line, fmt.Errorf("another row has the key %q: two messages need two keys", row.Key)})
			continue
		} else if known {
			c.total.Twice++
			continue
		}
		if list = append(list, row); len(list) == chunkRows {
			work <- list
			list = make([]Row, 0, chunkRows)
		}
	}
}

// stoodBefore reports a row whose key stood before: with the same row it is one
// message, with another one of the two would be lost.
func (c *checker) stoodBefore(row Row) (known, other bool) {
	key, sum := short(row.Key), short(row.Sum)
	old, known := c.seen[key]
	c.seen[key] = sum
	return known, known && old != sum
}

// short is a hash for comparing rows of one file.
func short(s string) [8]byte {
	sum := sha256.Sum256([]byte(s))
	return [8]byte(sum[:8])
}

func (c *checker) note(bad RowError) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total.Bad++
	// Twice as many as shown, since they come in out of order.
	if len(c.total.Problems) < 2*MaxProblems {
		c.total.Problems = append(c.total.Problems, bad)
	}
}

// check checks some rows and adds up what they make.
func (c *checker) check(list []Row) {
	counts := make(map[string]Count)
	good := 0
	for _, row := range list {
		d, err := c.one(row)
		if err != nil {
			c.note(RowError{row.N, row.Line, err})
			continue
		}
		good++
		n := counts[mailbox(d)]
		n.Messages++
		n.Recipients += len(d.To) + len(d.Cc) + len(d.Bcc)
		counts[mailbox(d)] = n
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total.Rows += good
	for name, n := range counts {
		sum := c.total.Mailboxes[name]
		c.total.Mailboxes[name] = Count{sum.Messages + n.Messages, sum.Recipients + n.Recipients}
	}
}

func (c *checker) one(row Row) (message.Draft, error) {
	d, _, err := c.plan.Draft(row)
	if err != nil {
		return d, err
	}
	if err := d.Check(); err != nil {
		return d, err
	}
	for _, a := range d.Attachments {
		if err := c.file(a.Path); err != nil {
			return d, err
		}
	}
	return d, nil
}

// maxFiles bounds what is remembered of attachments, so that rows with a file
// each do not fill the memory.
const maxFiles = 10_000

// file looks whether an attachment is there, once for all rows that share it.
func (c *checker) file(path string) error {
	c.mu.Lock()
	err, known := c.files[path]
	c.mu.Unlock()
	if known {
		return err
	}
	err = look(path)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.files) < maxFiles {
		c.files[path] = err
	}
	return err
}

func look(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return &message.FileError{Path: path, Err: err}
	}
	if !info.Mode().IsRegular() {
		return &message.FileError{Path: path, Err: message.ErrNotRegular}
	}
	return nil
}

// Forecast says how long a batch will take and what it needs.
type Forecast struct {
	Messages   int
	Recipients int
	Mailboxes  int
	Takes      time.Duration // of the mailbox with the most to do
	Days       int           // days over which the recipients per day spread it; 1 when they do not
}

// Forecast computes from the limits of a mailbox: messages in any minute and
// recipients in any 24 hours.
func (c Checked) Forecast(perMinute, recipientsPerDay int) Forecast {
	f := Forecast{Mailboxes: len(c.Mailboxes), Days: 1}
	for _, n := range c.Mailboxes {
		f.Messages += n.Messages
		f.Recipients += n.Recipients
		takes := time.Duration((n.Messages-1)/perMinute) * time.Minute
		days := (n.Recipients + recipientsPerDay - 1) / recipientsPerDay
		if days > 1 {
			takes = max(takes, time.Duration(days-1)*24*time.Hour)
		}
		f.Takes, f.Days = max(f.Takes, takes), max(f.Days, days)
	}
	return f
}

// String is the forecast in one line.
func (f Forecast) String() string {
	s := fmt.Sprintf("%d messages to %d recipients", f.Messages, f.Recipients)
	if f.Mailboxes > 1 {
		s += fmt.Sprintf(" from %d mailboxes", f.Mailboxes)
	}
	switch {
	case f.Days > 1:
		return s + fmt.Sprintf(", spread over %d days by the limit of recipients", f.Days)
	case f.Takes >= time.Minute:
		return s + fmt.Sprintf(", about %d minutes", int(f.Takes.Minutes())+1)
	}
	return s + ", less than a minute"
}
