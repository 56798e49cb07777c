// Package sessions keeps what a relay tells of its clients: each refusal and broken
// session with its cause in words, and each session that is over. Another process reads
// it while the relay runs, and after it has ended.
//
// It is kept in the relay's directory as lines of JSON, for a week and within 4 MiB for
// refusals and for sessions each; the oldest go first. Whoever tells of something never
// waits. Of a flood, the first lines from each network in a minute are kept, and the
// rest is counted. A process that ends in the middle of a line loses that line alone.
package sessions

import (
	"errors"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/relay/event"
)

// Options say where a Log is kept.
type Options struct {
	// Dir is made with mode 0700 when it does not exist, and is this user's alone.
	Dir string
	// Warn is told when something cannot be written, at most once a minute. It is
	// called by a goroutine of the Log. Nil: no one is told.
	Warn func(error)
	Now  func() time.Time // nil: time.Now
}

// waiting is how many events wait for the disk.
const waiting = 1024

// Log keeps events. Its methods are safe for concurrent use, and none but Close waits.
type Log struct {
	opts  Options
	lock  *ownfile.Lock // one process writes
	queue chan *Record
	lost  atomic.Int64 // that found the queue full

	closing sync.Once
	closed  chan struct{} // ends the goroutine
	done    chan struct{}

	refusals, visits *keeper // of the goroutine
	warned           time.Time
}

// ErrTaken says that another process keeps its sessions in the directory: two would remove
// each other's files.
var ErrTaken = errors.New("another relay runs with this directory")

// Open opens the log in a directory, and goes on with what is there. The error may wrap
// ErrTaken.
func Open(o Options) (*Log, error) {
	if o.Warn == nil {
		o.Warn = func(error) {}
	}
	if o.Now == nil {
		o.Now = time.Now
	}
	if err := ownfile.MakeDir(o.Dir); err != nil {
		return nil, fmt.Errorf("keeping the relay's sessions: %w", err)
	}
	lock, locked, err := ownfile.TryLock(o.Dir + ".lock")
	if err == nil && !locked {
		err = fmt.Errorf("%w: %s", ErrTaken, o.Dir)
	}
	if err != nil {
		return nil, fmt.Errorf("keeping the relay's sessions: %w", err)
	}
	l := &Log{opts: o, lock: lock, queue: make(chan *Record, waiting), closed: make(chan struct{}), done: make(chan struct{})}
	for _, k := range []struct {
		keeper **keeper
		prefix string
	}{{&l.refusals, prefixRefusals}, {&l.visits, prefixVisits}} {
		files, err := openSegments(o.Dir, k.prefix, o.Now())
		if err != nil {
			return nil, errors.Join(fmt.Errorf("keeping the relay's sessions: %w", err), lock.Unlock())
		}
		*k.keeper = &keeper{files: files}
	}
	go l.run()
	return l, nil
}

// Refused keeps a refusal.
func (l *Log) Refused(r event.Refusal) { l.put(refused(&r)) }

// Visited keeps a session that is over.
func (l *Log) Visited(v event.Visit) { l.put(visited(&v)) }

func (l *Log) put(r *Record) {
	select {
	case l.queue <- r:
	default:
		l.lost.Add(1)
	}
}

// Close writes what waits and closes the files. What is told afterwards is not kept.
func (l *Log) Close() {
	l.closing.Do(func() { close(l.closed) })
	<-l.done
}

// run writes until Close.
func (l *Log) run() {
	defer close(l.done)
	minute := time.NewTicker(time.Minute)
	defer minute.Stop()
	for {
		select {
		case r := <-l.queue:
			l.write(r)
		case <-minute.C:
			l.endMinute()
		case <-l.closed:
			for len(l.queue) > 0 {
				l.write(<-l.queue)
			}
			l.endMinute()
			l.refusals.files.close()
			l.visits.files.close()
			_ = l.lock.Unlock() // the end of the process does so, too
			return
		}
	}
}

// write keeps a record, or counts it.
func (l *Log) write(r *Record) {
	k := l.visits
	if r.Kind == Refused {
		k = l.refusals
	}
	l.warn(k.keep(r, l.opts.Now()))
}

// endMinute writes what was counted.
func (l *Log) endMinute() {
	now := l.opts.Now()
	if n := l.lost.Swap(0); n > 0 {
		l.warn(l.refusals.add(&Record{Kind: More, Time: now, Count: int(n)}, now))
	}
	for _, k := range []*keeper{l.refusals, l.visits} {
		l.warn(k.summarise(now))
		k.files.expire(now)
	}
}

// warn tells of an error, unless one was told within a minute.
func (l *Log) warn(err error) {
	if now := l.opts.Now(); err != nil && now.Sub(l.warned).Abs() >= time.Minute {
		l.warned = now
		l.opts.Warn(fmt.Errorf("keeping the relay's sessions: %w", err))
	}
}
