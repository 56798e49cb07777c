package ownfile

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"time"

	"github.com/smtpsend/smtpsend/internal/until"
)

// Open opens a file to read that the user named. It follows links and opens
// pipes and devices; opening a pipe waits for whoever writes it.
func Open(name string) (*os.File, error) { return os.Open(name) }

// OpenContext is Open for what may wait: a pipe for its writer, a file of a
// network for its server. Opening and reading end with ctx and then return its
// cause. An opening that is left behind so is as in until.Do.
func OpenContext(ctx context.Context, name string) (io.ReadCloser, error) {
	f, err := until.Do(ctx, func() (*os.File, error) { return os.Open(name) })
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err != nil {
		return nil, errors.Join(err, f.Close())
	}
	if info.Mode().IsRegular() { // which is read without a detour
		return &named{until.Between(ctx, f), f}, nil
	}
	return &named{until.Reader(ctx, f), f}, nil
}

type named struct {
	io.Reader
	io.Closer
}

// ErrTooLarge is wrapped when a file exceeds its limit.
var ErrTooLarge = errors.New("is larger than allowed")

// pipeWait is how long ReadAll reads.
const pipeWait = 30 * time.Second

// errWait is the cause of the context that ends after pipeWait.
var errWait error = pipeError("nothing more came for 30s")

// pipeError is what did not come within pipeWait. It is os.ErrDeadlineExceeded.
type pipeError string

func (e pipeError) Error() string { return string(e) + ": " + os.ErrDeadlineExceeded.Error() }

// Unwrap returns os.ErrDeadlineExceeded.
func (pipeError) Unwrap() error { return os.ErrDeadlineExceeded }

// ReadAll reads a file that the user named, of at most limit octets; else the
// error wraps ErrTooLarge. It may be a pipe, as a shell's <(command) is. It ends
// with ctx, whose cause the error wraps then, and after 30 s with
// os.ErrDeadlineExceeded.
func ReadAll(ctx context.Context, name string, limit int64) ([]byte, error) {
	inner, cancel := context.WithTimeoutCause(ctx, pipeWait, errWait)
	defer cancel()
	data, err := readAll(inner, name, limit)
	if ctx.Err() != nil {
		return nil, fmt.Errorf("reading %s: %w", name, context.Cause(ctx))
	}
	return data, err
}

// ReadSecret is ReadAll for a file that holds a secret: OpenBelow does not open it
// afterwards.
func ReadSecret(ctx context.Context, name string, limit int64) ([]byte, error) {
	data, err := ReadAll(ctx, name, limit)
	if err != nil {
		return nil, err
	}
	if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
		withhold(info)
	}
	return data, nil
}

// ReadTrusted is ReadAll for a file that decides what this program does: a regular
// one has to be as OpenTrusted has it, a pipe or device must be root's or this
// user's, and be reached in the same way.
func ReadTrusted(ctx context.Context, name string, limit int64) ([]byte, error) {
	f, err := OpenTrusted(name)
	switch {
	case errors.Is(err, errOpenFile) && isOpenFile(name): // a shell's <(command)
		return ReadAll(ctx, name, limit)
	case errors.Is(err, errStream):
		info, err := os.Stat(name)
		if err != nil {
			return nil, err
		}
		if uid, ok := ownerOf(info); ok && !rootOrUs(uid) {
			return nil, refused(name, "belongs neither to you nor to root")
		}
		return ReadAll(ctx, name, limit)
	case err != nil:
		return nil, err
	}
	defer f.Close()
	return limited(until.Between(ctx, f), name, limit)
}

func readAll(ctx context.Context, name string, limit int64) ([]byte, error) {
	f, err := OpenContext(ctx, name)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return limited(f, name, limit)
}

func limited(in io.Reader, name string, limit int64) ([]byte, error) {
	data, err := io.ReadAll(io.LimitReader(in, limit+1))
	if err == nil && int64(len(data)) > limit {
		err = ErrTooLarge
	}
	if err == nil {
		return data, nil
	}
	if path := (*fs.PathError)(nil); errors.As(err, &path) {
		return nil, err
	}
	return nil, &fs.PathError{Op: "read", Path: name, Err: err}
}
