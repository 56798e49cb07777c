// Package outbox keeps mail objects until a server has taken them, in one
// SQLite file that needs nothing installed. This package is the life of a message:
//
//  1. Accept writes envelope and content. It returns when the commit is on disk,
//     and only then is the message taken. Up to 64 messages share a commit; a
//     content of more than 1 MiB goes in piece by piece, so that small messages
//     flow on beside it, and is taken with the last commit.
//  2. One process at a time submits: Lock proves it by a lock file, and first
//     puts in order what the last one left (7).
//  3. Claim takes the most urgent due message of a mailbox, the oldest first, and
//     writes the attempt ahead: trouble on our side cannot repeat it for nothing.
//  4. AllowData, just before the content goes out, checks the limits (never more
//     than 30 messages in any 60 s and 10,000 recipients in any 24 h, or less) and
//     marks the message as maybe submitted, in one transaction. Until Finish, and
//     for 60 s after it, the message counts.
//  5. Finish records its outcome. Accepted by all: sent. A recipient refused
//     for good: dead, with its content kept. Transient: again after 1, 2, 4 ...
//     minutes, at most 4 hours, until the waits add up to 5 days. Throttled: the
//     mailbox pauses, and no attempt counts. The server cannot be used (a refusal
//     before the mail, a certificate, what is not a reply): it pauses for 1, 2, 4 ...
//     minutes, at most 4 hours, and is held after a day; what came instead of a reply
//     in a message's transaction counts in its 5 days. The sign-in was refused, or
//     the mailbox may not submit, or is blocked: it is held, and the message stays as
//     it was. The mailbox may not submit as the sender, or another thing about this one
//     message has to be fixed first: the message is held, with what else has the same
//     sender, until it is released, and other mail of the mailbox goes on. Five refusals of one kind in a row: the mailbox pauses for 10 minutes,
//     after a sixth for 20, and so on to 4 hours. In doubt: once more, with the
//     same Message-ID, or held; a second doubt is always held.
//  6. A held mailbox is probed by a sign-in (StartProbe, EndProbe) after 30 minutes,
//     1, 2, then each 4 hours, and goes on when that is accepted. The row of probes
//     ends when a message is accepted, because a mailbox may sign in and not submit.
//     What an operator holds is not probed.
//  7. After a crash a message that was claimed only is due again. One whose data
//     was allowed is in doubt, and treated and recorded so.
//
// Duplicates can arise in one place only: what was in doubt and is submitted
// again. Each such case has an event that says so.
//
// Limits, and what is remembered of messages that are over, count time that the
// machine was seen running (store/clock.go): a clock that is set, however far, lets
// nothing go out too fast and nothing be forgotten. One that is set back moves due
// times with it, so that nothing waits for the hour to come again.
//
// Each thing that an outbox is made of has a package: store the database, spool what
// is on disk of a message, mailbox what lets one submit, notice what the operator has
// to be told. Beside it are those who look: operator, mailmerge.
//
// An Outbox is safe for concurrent use, and any number of processes may have the
// same one open.
package outbox

import (
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"time"

	"github.com/smtpsend/smtpsend/internal/exchange"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/outbox/mailbox"
	"github.com/smtpsend/smtpsend/internal/outbox/notice"
	"github.com/smtpsend/smtpsend/internal/outbox/queueid"
	"github.com/smtpsend/smtpsend/internal/outbox/spool"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
)

// Doubt says what is done with a message that is in doubt.
type Doubt string

// The zero value submits it once more: for most, a message that arrives twice does
// less harm than one that is lost.
const (
	DoubtAgain Doubt = ""
	DoubtHold  Doubt = "hold"
)

// Options say how an outbox behaves. The zero value is the default of each.
type Options struct {
	Limits    mailbox.Limits // of a mailbox that has none of its own
	InDoubt   Doubt          // again, once
	GiveUp    time.Duration  // sum of the waits after which a message is dead: 5 days (RFC 5321 4.5.4.1)
	Retention time.Duration  // how long what is finished is kept, in time that was seen running: 30 days; also how long a key is known, but of a row of a batch: a year more
	KeepSent  bool           // keep the content of what was sent, too
	MaxSize   int64          // octets of one message: limits.Message
	Reserve   int64          // octets of disk that stay free: 256 MiB; negative: none

	// LockWait is how long another program's lock on the database is waited for: 10 s. See
	// store.Options.
	LockWait time.Duration
	// AnyFileSystem turns the refusal of a network file system into a warning.
	AnyFileSystem bool
	// Warn, when set, is told oddities that do not stop anything.
	Warn func(string)
	// Clock is time.Now, and Jitter rand.Float64, when nil.
	Clock  func() time.Time
	Jitter func() float64
	// Steady names the running of the machine, in one word, and says how long it has
	// lasted whatever the clock is set to; nil: the system's. One that is named "-" is
	// not known: only the clock counts.
	Steady func() (era string, at time.Duration)
	// Minute and Day are the lengths of the two limits' windows, for use beside a
	// stand-in whose time runs faster: 60 s and 24 h. Waits shrink with Minute.
	Minute, Day time.Duration

	tests func(*store.Options) // tests: changes what is otherwise made of these
}

func (o Options) withDefaults() Options {
	for _, f := range []struct {
		field *time.Duration
		value time.Duration
	}{{&o.GiveUp, 5 * 24 * time.Hour}, {&o.Retention, 30 * 24 * time.Hour}, {&o.Minute, time.Minute}, {&o.Day, 24 * time.Hour}} {
		if *f.field == 0 {
			*f.field = f.value
		}
	}
	ofExchange := mailbox.Limits{PerMinute: exchange.MessagesPerMinute, RecipientsPerDay: exchange.RecipientsPerDay}
	if o.Limits.Uncounted {
		ofExchange = mailbox.Limits{}
	}
	o.Limits = o.Limits.Or(ofExchange)
	if o.MaxSize == 0 {
		o.MaxSize = limits.Message
	}
	if o.Jitter == nil {
		o.Jitter = rand.Float64
	}
	return o
}

// store are the options of the database.
func (o Options) store() store.Options {
	s := store.Options{Reserve: o.Reserve, LockWait: o.LockWait, AnyFileSystem: o.AnyFileSystem, Warn: o.Warn, Clock: o.Clock, Steady: o.Steady}
	if o.tests != nil {
		o.tests(&s)
	}
	return s
}

// Exists reports whether there is an outbox in dir, or something that keeps us
// from knowing, of which Open says what it is.
func Exists(dir string) bool { return store.Exists(dir) }

// Outbox is an open outbox.
type Outbox struct {
	o         Options
	db        *store.DB
	tag       queueid.Tag
	rules     mailbox.Rules
	mailboxes *mailbox.Mailboxes
	notices   *notice.Notices
	spool     *spool.Spool
	wake      chan struct{}
}

// Open opens the outbox in dir, which is made when it does not exist: store.Open
// says how, and what is refused.
func Open(ctx context.Context, dir string, o Options) (*Outbox, error) {
	return open(ctx, dir, o, store.Open)
}

// OpenToRead is Open for those who only look, also where the disk cannot be written:
// store.OpenToRead says how. Then what writes returns store.ErrReadOnly, and Close
// store.ErrChanged when another program has written meanwhile.
func OpenToRead(ctx context.Context, dir string, o Options) (*Outbox, error) {
	return open(ctx, dir, o, store.OpenToRead)
}

func open(ctx context.Context, dir string, o Options, database func(context.Context, string, store.Schema, store.Options) (*store.DB, error)) (*Outbox, error) {
	o = o.withDefaults()
	db, err := database(ctx, dir, schema, o.store())
	if err != nil {
		return nil, fmt.Errorf("opening outbox %s: %w", dir, err)
	}
	tag, err := store.Meta(db.View(ctx), "tag")
	if err != nil {
		return nil, fmt.Errorf("opening outbox %s: %w", dir, errors.Join(err, db.Close()))
	}
	ob := &Outbox{
		o: o, db: db, tag: queueid.Tag(tag), rules: mailbox.Rules{Limits: o.Limits, Minute: o.Minute, Day: o.Day, Jitter: o.Jitter},
		wake: make(chan struct{}, 1),
	}
	ob.mailboxes = mailbox.New(db, ob.rules, ob.signal, releaseSenders)
	ob.notices = notice.New(db, ob.tag, func(tries int) int64 { return waitAfter(ob.rules, tries) })
	ob.spool = spool.New(db, o.MaxSize, mailbox.Ensure)
	return ob, nil
}

// Close ends the outbox. What was taken stays. Calls that run meanwhile may
// fail.
func (ob *Outbox) Close() error {
	ob.spool.Close()
	if err := ob.db.Close(); err != nil {
		return fmt.Errorf("closing outbox: %w", err)
	}
	return nil
}

// Mailboxes are those that submit, or would.
func (ob *Outbox) Mailboxes() *mailbox.Mailboxes { return ob.mailboxes }

// Notices are what the operator has still to be told.
func (ob *Outbox) Notices() *notice.Notices { return ob.notices }

// DB is the database, for those who read messages or count them.
func (ob *Outbox) DB() *store.DB { return ob.db }

// Tag is the first part of every queue id.
func (ob *Outbox) Tag() queueid.Tag { return ob.tag }

// Number is the message that a queue id names in the database. The error wraps
// store.ErrNotFound when it can be none of this outbox.
func (ob *Outbox) Number(id queueid.ID) (int64, error) {
	n, ok := ob.tag.Number(id)
	if !ok {
		return 0, fmt.Errorf("%w: %.40q", store.ErrNotFound, string(id))
	}
	return n, nil
}

// Backup writes a copy of the outbox to a file that must not exist, mode 0600,
// while everything goes on.
func (ob *Outbox) Backup(ctx context.Context, name string) error {
	if err := ob.db.Backup(ctx, name); err != nil {
		return fmt.Errorf("backing up outbox: %w", err)
	}
	return nil
}

// Accept takes a message with the content that r gives up to its end: header
// section and body with CRLF line ends. When it returns without error the
// message is on disk. A key that is known already gives the queue id of its first
// message, and known. Errors wrap store.ErrFull, store.ErrBroken, spool.ErrSize,
// *spool.InputError, or what r said; then nothing was taken.
func (ob *Outbox) Accept(ctx context.Context, m spool.Message, r io.Reader) (id queueid.ID, known bool, err error) {
	return ob.AcceptContent(ctx, m, readerContent{r})
}

// readerContent lets a reader write itself.
type readerContent struct{ r io.Reader }

func (c readerContent) WriteTo(w io.Writer) (int64, error) { return io.Copy(w, c.r) }

// AcceptContent is Accept for a content that writes itself.
func (ob *Outbox) AcceptContent(ctx context.Context, m spool.Message, c io.WriterTo) (id queueid.ID, known bool, err error) {
	m.Mailbox = mailbox.Key(m.Mailbox)
	n, known, err := ob.spool.Accept(ctx, m, c)
	if err != nil {
		return "", false, fmt.Errorf("taking a message: %w", err)
	}
	ob.signal()
	return ob.tag.ID(n), known, nil
}

// Body reads the content of a message as it was taken; spool.Body says how, and which
// errors there are.
func (ob *Outbox) Body(ctx context.Context, id queueid.ID) (io.ReadCloser, error) {
	n, err := ob.Number(id)
	if err != nil {
		return nil, err
	}
	return ob.spool.Body(ctx, n, string(id))
}

// Wake is sent to after something in this process made a message due sooner.
// Other processes' messages show in Due.
func (ob *Outbox) Wake() <-chan struct{} { return ob.wake }

func (ob *Outbox) signal() {
	select {
	case ob.wake <- struct{}{}:
	default:
	}
}
