package batch

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"runtime"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/outbox/spool"
	"github.com/smtpsend/smtpsend/internal/rows"
	"github.com/smtpsend/smtpsend/internal/zone"
)

// Checked is the result of checking all rows.
type Checked struct {
	Rows      int              // that can be used
	Bad       int              // that cannot
	Twice     int              // that are in the file before, and are one message with it
	Known     int              // that were taken before, by an earlier start of the batch
	Problems  []rows.Error     // of the bad ones, each with all of its own; the first MaxProblems in order
	Mailboxes map[string]Count // what each mailbox will submit, without what is known
	Last      time.Time        // the latest time that a row asks for; zero when none does
	Legacy    int              // see rows.Reader.Legacy
	Unsent    []message.Unsent // images that the message of the first row shows and does not carry
	Unread    bool             // there were limits.WrongRows that cannot be used, and the rest was not looked at
}

// MaxProblems is how many problems are kept; all are counted.
const MaxProblems = 1000

// Count is what one mailbox has to submit.
type Count struct{ Messages, Recipients int }

// Known returns which of the rows with these keys were taken before.
type Known func(keys []string) (map[string]bool, error)

// Check reads every row and checks all that Add would refuse, but for the content
// of attachments, of which it looks that they can be opened. known is nil for a
// batch that begins. The error is a *rows.Error with N 0, the file itself, that of
// known, or the cause of ctx, with which checking ends.
func Check(ctx context.Context, in *rows.Reader, p Plan, known Known) (Checked, error) {
	c := &checker{
		plan: p, known: known, files: make(map[message.Attachment]looked), seen: make(map[[8]byte][8]byte),
		total: Checked{Mailboxes: make(map[string]Count)},
	}
	work := make(chan []rows.Row, 4)
	var wg sync.WaitGroup
	for range max(2, runtime.NumCPU()) {
		wg.Go(func() {
			for list := range work {
				c.check(ctx, list)
			}
		})
	}
	err := c.feed(ctx, in, work)
	close(work)
	wg.Wait()
	c.total.Legacy = in.Legacy
	slices.SortStableFunc(c.total.Problems, func(a, b rows.Error) int { return a.N - b.N })
	c.total.Problems = c.total.Problems[:min(len(c.total.Problems), MaxProblems)]
	if err == nil {
		err = c.failed
	}
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return c.total, err
}

// A worker gets so many rows at once, so that handing them over costs little
// beside checking them, but fewer when they are large.
const (
	chunkRows = 256
	chunkCost = 1 << 20 // octets
)

type checker struct {
	plan  Plan
	known Known
	seen  map[[8]byte][8]byte // hash of the key -> hash of the row; 16 octets a row, for feed alone

	mu     sync.Mutex // guards the rest
	files  map[message.Attachment]looked
	total  Checked
	failed error // of known, or of the process
}

// feed reads rows and hands them out.
func (c *checker) feed(ctx context.Context, in *rows.Reader, work chan<- []rows.Row) error {
	list := make([]rows.Row, 0, chunkRows)
	for cost := 0; ctx.Err() == nil; {
		if c.enough() {
			work <- list
			_, err := in.Next()
			c.total.Unread = !errors.Is(err, io.EOF)
			return nil
		}
		row, err := in.Next()
		var bad *rows.Error
		switch {
		case errors.Is(err, io.EOF):
			work <- list
			return nil
		case errors.As(err, &bad) && bad.N > 0:
			c.note(bad.N, bad.Line, bad.Err)
			continue
		case err != nil:
			work <- list
			return err
		}
		if known, other := c.stoodBefore(row); other {
			c.note(row.N, row.Line, fmt.Errorf("another row has the key %q: two messages need two keys", row.Key))
			continue
		} else if known {
			c.total.Twice++
			continue
		}
		list = append(list, row)
		if cost += row.Cost; len(list) == chunkRows || cost > chunkCost {
			work <- list
			list, cost = make([]rows.Row, 0, chunkRows), 0
		}
	}
	return context.Cause(ctx)
}

// stoodBefore reports a row whose key stood before: with the same row it is one
// message, with another one of the two would be lost.
func (c *checker) stoodBefore(row rows.Row) (known, other bool) {
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

// enough reports that so many rows are wrong that it is the file.
func (c *checker) enough() bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.total.Bad >= limits.WrongRows
}

// note counts a row that cannot be used.
func (c *checker) note(n, line int, problems ...error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total.Bad++
	// Twice as many as shown, since they come in out of order.
	for _, err := range problems {
		if len(c.total.Problems) < 2*MaxProblems {
			c.total.Problems = append(c.total.Problems, rows.Error{N: n, Line: line, Err: err})
		}
	}
}

// check checks some rows and adds up what they make.
func (c *checker) check(ctx context.Context, list []rows.Row) {
	known, err := c.knownOf(list)
	counts := make(map[string]Count)
	good, old := 0, 0
	var last time.Time
	for _, row := range list {
		m, err := c.one(ctx, row)
		if ctx.Err() != nil {
			return
		}
		if _, of := errors.AsType[*zone.Error](err); of { // of the process, not of the row
			c.fail(err)
			return
		}
		if err != nil {
			c.note(row.N, row.Line, c.problems(ctx, row, err)...)
			continue
		}
		good++
		if m.ReadyAt.After(last) {
			last = m.ReadyAt
		}
		box := strings.ToLower(m.Mailbox) // as Exchange compares
		n := counts[box]                  // also of a mailbox whose rows are all known
		if known[row.Key] {
			old++
		} else {
			n.Messages++
			n.Recipients += len(m.Envelope.ForwardPaths)
		}
		counts[box] = n
	}
	c.fail(err)
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total.Rows += good
	c.total.Known += old
	if last.After(c.total.Last) {
		c.total.Last = last
	}
	for name, n := range counts {
		sum := c.total.Mailboxes[name]
		c.total.Mailboxes[name] = Count{sum.Messages + n.Messages, sum.Recipients + n.Recipients}
	}
}

// fail notes what has nothing to do with a row; nil is nothing.
func (c *checker) fail(err error) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.failed == nil {
		c.failed = err
	}
}

func (c *checker) knownOf(list []rows.Row) (map[string]bool, error) {
	if c.known == nil || len(list) == 0 {
		return nil, nil
	}
	keys := make([]string, len(list))
	for i, row := range list {
		keys[i] = row.Key
	}
	return c.known(keys)
}

// one checks a row and returns its message without content.
func (c *checker) one(ctx context.Context, row rows.Row) (spool.Message, error) {
	d, at, err := c.plan.Draft(ctx, row)
	if err == nil {
		err = d.Check()
	}
	if err != nil {
		return spool.Message{}, err
	}
	m := stored(&mailobject.Mail{Envelope: d.Envelope()}, row)
	m.ReadyAt = at
	if err := m.Check(); err != nil {
		return m, err
	}
	if row.N == 1 {
		if err := c.images(ctx, d); err != nil {
			return m, err
		}
	}
	// Text grows at most to three octets for one, by quoted-printable, and by
	// line ends; Markdown becomes HTML and text. Nearer to the limit it is composed.
	size := int64(len(d.Text)+len(d.HTML)+2*len(d.Markdown)) * 8
	for _, a := range d.Attachments {
		n, err := c.file(ctx, a)
		if err != nil {
			return m, err
		}
		size += n
	}
	if size+1<<20 < limits.Message {
		return m, nil
	}
	return m, tooLarge(ctx, d)
}

// images looks which images the reader of the first message will not see. The other
// messages come of the same template, and a warning for each would be one too many.
func (c *checker) images(ctx context.Context, d message.Draft) error {
	if d.HTML == "" && d.Markdown == "" {
		return nil
	}
	m, err := message.Compose(ctx, d)
	if err != nil {
		return err
	}
	defer m.Close()
	c.mu.Lock()
	defer c.mu.Unlock()
	c.total.Unsent = m.Missing()
	return nil
}

// problems is all that is wrong with a row of which one found the first.
func (c *checker) problems(ctx context.Context, row rows.Row, first error) []error {
	d := c.plan.draft()
	all := c.plan.Template.FillAll(ctx, &d, row.Data)
	if len(all) == 0 { // else what is missing would be told twice
		if err := d.Check(); err != nil {
			all = append(all, err)
		}
	}
	if _, err := c.plan.Template.At(ctx, row.Data); err != nil {
		all = append(all, err)
	}
	for _, a := range d.Attachments {
		if _, err := c.file(ctx, a); err != nil {
			all = append(all, err)
		}
	}
	if len(all) == 0 {
		return []error{first}
	}
	return all
}

// tooLarge composes a message to see how large it is.
func tooLarge(ctx context.Context, d message.Draft) error {
	m, err := message.Compose(ctx, d)
	if err != nil {
		return err
	}
	defer m.Close()
	if n := m.Content.Size(); n > limits.Message {
		return &badinput.FieldError{Field: "content", Reason: fmt.Sprintf("has %d octets, %d are allowed", n, limits.Message)}
	}
	return nil
}

// maxFiles bounds what is remembered of attachments, so that rows with a file
// each do not fill the memory.
const maxFiles = 10_000

// looked is what an attachment costs in a message, or why it cannot be attached.
type looked struct {
	size int64
	err  error
}

// file looks at an attachment, once for all rows that share it.
func (c *checker) file(ctx context.Context, a message.Attachment) (int64, error) {
	c.mu.Lock()
	l, known := c.files[a]
	c.mu.Unlock()
	if known {
		return l.size, l.err
	}
	l.size, l.err = look(ctx, a)
	c.mu.Lock()
	defer c.mu.Unlock()
	if len(c.files) < maxFiles {
		c.files[a] = l
	}
	return l.size, l.err
}

// look composes a message of the attachment alone, which does not read it.
func look(ctx context.Context, a message.Attachment) (int64, error) {
	nobody := address.MustParse("nobody@contoso.example")
	m, err := message.Compose(ctx, message.Draft{From: nobody, To: []address.Address{nobody}, Attachments: []message.Attachment{a}})
	if err != nil {
		return 0, err
	}
	defer m.Close()
	return m.Content.Size(), nil
}
