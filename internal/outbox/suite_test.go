package outbox_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/mailbox"
	"github.com/smtpsend/smtpsend/internal/outbox/mailmerge"
	"github.com/smtpsend/smtpsend/internal/outbox/notice"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/outbox/queueid"
	"github.com/smtpsend/smtpsend/internal/outbox/spool"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// database is one that the outbox can keep its mail in. The behaviour tests run
// on each, by the same code.
type database struct {
	name string
	// open makes a new outbox; reopen opens it once more, as another process would.
	open func(t *testing.T, o outbox.Options) (ob queue, reopen func(outbox.Options) queue)
}

// queue is what the behaviour tests need of an outbox: its own methods, and as
// methods what other packages do with it.
type queue struct{ *outbox.Outbox }

// on gives an outbox those methods.
func on(ob *outbox.Outbox) queue { return queue{ob} }

func (q queue) List(ctx context.Context, f operator.Filter) ([]operator.Mail, error) {
	return operator.List(ctx, q.Outbox, f)
}

func (q queue) History(ctx context.Context, f operator.Filter) ([]operator.Detail, error) {
	return operator.History(ctx, q.Outbox, f)
}

func (q queue) Show(ctx context.Context, id queueid.ID) (operator.Detail, error) {
	return operator.Show(ctx, q.Outbox, id)
}

func (q queue) Act(ctx context.Context, a outbox.Action, f operator.Filter) (int, error) {
	return operator.Act(ctx, q.Outbox, a, f)
}

func (q queue) Mailbox(ctx context.Context, name string) (operator.Mailbox, error) {
	return operator.OneMailbox(ctx, q.Outbox, name)
}

func (q queue) Mailboxes(ctx context.Context) ([]operator.Mailbox, error) {
	return operator.Mailboxes(ctx, q.Outbox)
}

func (q queue) Finished(ctx context.Context, since time.Time) (map[outbox.State]int, error) {
	return operator.Finished(ctx, q.Outbox, since)
}

func (q queue) SetLimits(ctx context.Context, name string, l mailbox.Limits) error {
	return q.Outbox.Mailboxes().SetLimits(ctx, name, l)
}

func (q queue) HoldMailbox(ctx context.Context, name, reason string) error {
	return q.Outbox.Mailboxes().Hold(ctx, name, reason)
}

func (q queue) ReleaseMailbox(ctx context.Context, name string) error {
	return q.Outbox.Mailboxes().Release(ctx, name)
}

func (q queue) Records(ctx context.Context) ([]mailbox.Record, error) {
	return q.Outbox.Mailboxes().Records(ctx)
}

func (q queue) Notices(ctx context.Context, road notice.Road, limit int) ([]notice.Notice, error) {
	return q.Outbox.Notices().List(ctx, road, limit)
}

func (q queue) NoticesDone(ctx context.Context, road notice.Road, list []notice.Notice) error {
	return q.Outbox.Notices().Done(ctx, road, list)
}

func (q queue) NoticesLater(ctx context.Context, road notice.Road, list []notice.Notice) error {
	return q.Outbox.Notices().Later(ctx, road, list)
}

func (q queue) StartBatch(ctx context.Context, name, sum string, total int64) (b, before mailmerge.Batch, err error) {
	return mailmerge.Start(ctx, q.Outbox, name, sum, total)
}

func (q queue) BatchCounts(ctx context.Context, id int64) (all, inDoubt map[outbox.State]int, err error) {
	return mailmerge.Counts(ctx, q.Outbox, id)
}

func (q queue) BatchLeft(ctx context.Context, id int64) (map[string]mailmerge.Left, error) {
	return mailmerge.StillLeft(ctx, q.Outbox, id)
}

func (q queue) DueBeside(ctx context.Context, id int64) (map[string]mailmerge.Left, error) {
	return mailmerge.DueBeside(ctx, q.Outbox, id)
}

func (q queue) KnownRows(ctx context.Context, b mailmerge.Batch, rows []string) (map[string]bool, error) {
	return mailmerge.KnownRows(ctx, q.Outbox, b, rows)
}

func (q queue) PastRows(ctx context.Context, id int64, after string, limit int) ([]mailmerge.PastRow, error) {
	return mailmerge.PastRows(ctx, q.Outbox, id, after, limit)
}

var databases = []database{{"sqlite", openSQLite}}

func openSQLite(t *testing.T, o outbox.Options) (queue, func(outbox.Options) queue) {
	dir := t.TempDir()
	open := func(o outbox.Options) queue {
		ob, err := outbox.Open(t.Context(), dir, o)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = ob.Close() })
		return queue{ob}
	}
	return open(o), open
}

// conform runs a behaviour test on every database, with a clock of its own and
// without jitter.
func conform(t *testing.T, o outbox.Options, test func(t *testing.T, f *fixture)) {
	t.Helper()
	for _, db := range databases {
		t.Run(db.name, func(t *testing.T) {
			f := &fixture{t: t, ctx: context.Background(), clock: &clock{now: time.Date(2026, 11, 16, 9, 0, 0, 0, time.UTC)}}
			o.Clock, o.Steady, o.Jitter = f.clock.Now, f.clock.steady, func() float64 { return 0 }
			o = o.Synchronous("OFF") // behaviour is the same, and quicker to see
			f.options = o
			f.queue, f.reopen = db.open(t, o)
			test(t, f)
		})
	}
}

// clock stands still until it is told.
type clock struct {
	mu      sync.Mutex
	now     time.Time
	boots   int
	running time.Duration // since the last boot
}

func (c *clock) Now() time.Time {
	c.mu.Lock()
	defer c.mu.Unlock()
	return c.now
}

func (c *clock) steady() (string, time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	return fmt.Sprint("boot-", c.boots), c.running
}

// add lets time go by.
func (c *clock) add(d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now, c.running = c.now.Add(d), c.running+d
}

// set moves the clock, while the machine runs on.
func (c *clock) set(by time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now = c.now.Add(by)
}

// boot starts the machine again, after the clock says that so much time went by.
func (c *clock) boot(after time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.now, c.boots, c.running = c.now.Add(after), c.boots+1, 0
}

type fixture struct {
	t   *testing.T
	ctx context.Context
	queue
	reopen  func(outbox.Options) queue
	options outbox.Options
	clock   *clock
	sender  *outbox.Sender
}

const box = "app@contoso.example"

// mail is a message to the recipients, one if none are named.
func mail(to ...string) spool.Message {
	if len(to) == 0 {
		to = []string{"kim@fabrikam.example"}
	}
	return spool.Message{
		Mailbox: box, MessageID: "<1@contoso.example>",
		Envelope: mailobject.Envelope{ReversePath: box, ForwardPaths: to},
	}
}

const content = "Subject: Report\r\n\r\nAll is well.\r\n"

// put accepts m with the usual content.
func (f *fixture) put(m spool.Message) queueid.ID {
	f.t.Helper()
	q, dup, err := f.Accept(f.ctx, m, strings.NewReader(content))
	if err != nil || dup {
		f.t.Fatalf("Accept: dup %v, %v", dup, err)
	}
	return q
}

// lock makes f the sender.
func (f *fixture) lock() outbox.Recovered {
	f.t.Helper()
	s, r, err := f.Lock(f.ctx)
	if err != nil {
		f.t.Fatal(err)
	}
	f.sender = s
	f.t.Cleanup(func() { _ = s.Release() })
	return r
}

func (f *fixture) claim() *outbox.Claim {
	f.t.Helper()
	c, err := f.sender.Claim(f.ctx, box)
	if err != nil {
		f.t.Fatalf("Claim: %v", err)
	}
	return c
}

// allowed claims a message and is allowed to send its content.
func (f *fixture) allowed() *outbox.Claim {
	f.t.Helper()
	c := f.claim()
	if err := f.sender.AllowData(f.ctx, c); err != nil {
		f.t.Fatalf("AllowData: %v", err)
	}
	return c
}

func (f *fixture) finish(c *outbox.Claim, r outbox.Result) outbox.Settled {
	f.t.Helper()
	s, err := f.sender.Finish(f.ctx, c, r)
	if err != nil {
		f.t.Fatalf("Finish: %v", err)
	}
	return s
}

// all is the result that every recipient of c has the outcome.
func all(c *outbox.Claim, o smtp.Outcome) (r outbox.Result) {
	for _, p := range c.Envelope.ForwardPaths {
		r.Recipients = append(r.Recipients, outbox.Recipient{Recipient: smtp.Recipient{ForwardPath: p, Outcome: o}})
	}
	return r
}

// waits is the *WaitError that Claim gives.
func (f *fixture) waits() *mailbox.WaitError {
	f.t.Helper()
	_, err := f.sender.Claim(f.ctx, box)
	var w *mailbox.WaitError
	if !errors.As(err, &w) {
		f.t.Fatalf("Claim: %v, want a *WaitError", err)
	}
	return w
}

func (f *fixture) show(q queueid.ID) operator.Detail {
	f.t.Helper()
	d, err := f.Show(f.ctx, q)
	if err != nil {
		f.t.Fatal(err)
	}
	return d
}

// story is the kinds of a message's events.
func (f *fixture) story(q queueid.ID) string {
	f.t.Helper()
	var kinds []string
	for _, e := range f.show(q).Events {
		kind := string(e.Kind)
		if e.Recipient != "" {
			kind = fmt.Sprintf("%s(%s)", kind, e.Recipient)
		}
		kinds = append(kinds, kind)
	}
	return strings.Join(kinds, ", ")
}

func (f *fixture) noticed() string {
	f.t.Helper()
	list, err := f.Notices(f.ctx, notice.RoadMail, 100)
	if err != nil {
		f.t.Fatal(err)
	}
	var kinds []string
	for _, n := range list {
		kinds = append(kinds, string(n.Kind))
	}
	return strings.Join(kinds, ", ")
}

// read is the whole stored content.
func (f *fixture) read(q queueid.ID) (string, error) {
	b, err := f.Body(f.ctx, q)
	if err != nil {
		return "", err
	}
	defer b.Close()
	data, err := io.ReadAll(b)
	return string(data), err
}
