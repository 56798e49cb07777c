package ownfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"
)

// Open opens a file to read that the user named. It follows links and opens
// pipes and devices; opening a pipe waits for whoever writes it.
func Open(name string) (*os.File, error) { return os.Open(name) }

// ErrTooLarge is wrapped when a file exceeds its limit.
var ErrTooLarge = errors.New("is larger than allowed")

// pipeWait is how long ReadAll waits for a pipe that nobody writes to.
const pipeWait = 30 * time.Second

// ReadAll reads a file that the user named, of at most limit octets; else the
// error wraps ErrTooLarge. It may be a pipe, as a shell's <(command) is. It ends
// with ctx, whose cause the error wraps then. A pipe that nobody writes to within
// 30 s, or who writes does not end, is os.ErrDeadlineExceeded.
func ReadAll(ctx context.Context, name string, limit int64) ([]byte, error) {
	f, err := os.OpenFile(name, os.O_RDONLY|nonBlock, 0)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, refused(name, "is a directory")
	}
	var in io.Reader = f
	if !info.Mode().IsRegular() && f.SetReadDeadline(time.Now().Add(pipeWait)) == nil {
		stop := context.AfterFunc(ctx, func() { _ = f.SetReadDeadline(time.Unix(1, 0)) })
		defer stop()
		in = &pipe{ctx: ctx, f: f, wait: info.Mode()&fs.ModeNamedPipe != 0, until: time.Now().Add(pipeWait)}
	}
	data, err := io.ReadAll(io.LimitReader(in, limit+1))
	if ctx.Err() != nil {
		return nil, fmt.Errorf("reading %s: %w", name, context.Cause(ctx))
	}
	if err == nil && int64(len(data)) > limit {
		err = ErrTooLarge
	}
	if err != nil {
		return nil, &fs.PathError{Op: "read", Path: name, Err: err}
	}
	return data, nil
}

// pipe reads a named pipe, whose reads say EOF until somebody opens it to write.
type pipe struct {
	ctx   context.Context // kept, because Read has none
	f     *os.File
	wait  bool // nothing came yet
	until time.Time
}

// pipeLook is the time between two looks for a writer.
const pipeLook = 10 * time.Millisecond

func (p *pipe) Read(b []byte) (int, error) {
	for {
		n, err := p.f.Read(b)
		if n > 0 {
			p.wait = false
		}
		if n > 0 || !p.wait || !errors.Is(err, io.EOF) {
			return n, err
		}
		if time.Now().After(p.until) {
			return 0, fmt.Errorf("nobody wrote to it for %v: %w", pipeWait, os.ErrDeadlineExceeded)
		}
		select {
		case <-p.ctx.Done():
			return 0, context.Cause(p.ctx)
		case <-time.After(pipeLook):
		}
	}
}
