// Package until ends the waiting for something that cannot be told to end: a
// function, a reader, a writer.
package until

import (
	"context"
	"io"
)

// Do runs f and returns what it returns, or the cause of ctx as soon as that has
// ended. f may then still be running: a file that opens for as long as a pipe has
// no writer, or a library that takes no context, cannot be stopped from outside.
// To leave it behind is right for a program that now tells why it ends, and ends;
// it would not be in one that goes on. So f must not touch what the caller uses
// afterwards, and nothing that f returns late is used by anyone. With a ctx that
// never ends, f runs in the caller's goroutine.
func Do[T any](ctx context.Context, f func() (T, error)) (T, error) {
	if ctx.Done() == nil {
		return f()
	}
	type result struct {
		value T
		err   error
	}
	var none T
	if ctx.Err() != nil {
		return none, context.Cause(ctx)
	}
	done := make(chan result, 1)
	go func() {
		value, err := f()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		return none, context.Cause(ctx)
	}
}

// Reader is r, but its Read returns the cause of ctx as soon as that has ended,
// also while r waits: a pipe that no one writes to, or a terminal. What a read
// that is left behind brings is lost; see Do. It is for one goroutine at a time.
func Reader(ctx context.Context, r io.Reader) io.Reader {
	return &reader{ctx: ctx, in: r, got: make(chan arrival, 1)}
}

// piece is how much is read at once.
const piece = 64 << 10

type reader struct {
	ctx     context.Context // kept, because Read has none
	in      io.Reader
	got     chan arrival
	waiting bool // a read is under way
	buffer  []byte
	rest    []byte // of buffer, not handed on yet
	err     error  // behind rest
}

// arrival is what one read brought.
type arrival struct {
	n   int
	err error
}

func (r *reader) Read(p []byte) (int, error) {
	if len(p) == 0 {
		return 0, nil
	}
	if len(r.rest) == 0 && r.err == nil {
		if err := r.fill(); err != nil {
			return 0, err
		}
	}
	n := copy(p, r.rest)
	r.rest = r.rest[n:]
	if n == 0 {
		return 0, r.err
	}
	return n, nil
}

// fill waits for the next octets, or for the end of ctx.
func (r *reader) fill() error {
	if r.buffer == nil {
		r.buffer = make([]byte, piece)
	}
	if !r.waiting {
		r.waiting = true
		go func() {
			n, err := r.in.Read(r.buffer)
			r.got <- arrival{n, err}
		}()
	}
	select {
	case <-r.ctx.Done():
		return context.Cause(r.ctx)
	case a := <-r.got:
		r.waiting = false
		r.rest, r.err = r.buffer[:a.n], a.err
		return nil
	}
}

// Between is r, but its Read returns the cause of ctx once that has ended. A read
// that is under way then is waited for.
func Between(ctx context.Context, r io.Reader) io.Reader { return &between{ctx, r} }

type between struct {
	ctx context.Context
	in  io.Reader
}

func (b *between) Read(p []byte) (int, error) {
	if b.ctx.Err() != nil {
		return 0, context.Cause(b.ctx)
	}
	return b.in.Read(p)
}

// Writer is w, but its Write returns the cause of ctx once that has ended.
func Writer(ctx context.Context, w io.Writer) io.Writer { return &writer{ctx, w} }

type writer struct {
	ctx context.Context
	out io.Writer
}

func (w *writer) Write(p []byte) (int, error) {
	if w.ctx.Err() != nil {
		return 0, context.Cause(w.ctx)
	}
	return w.out.Write(p)
}
