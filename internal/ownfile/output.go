package ownfile

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"time"

	"github.com/smtpsend/smtpsend/internal/lazyregexp"
)

// Writable opens a file to write that the user named, and makes it with mode
// 0600 when it does not exist; what it holds stays. One that exists belongs to
// this user. It is reached by trusted links alone: in a directory that others may
// write, a link could lead to any file of this user, or to a device. Pipes and
// devices are written as they are, such as /dev/stdout; a pipe that no one reads
// is waited for until ctx ends, whose cause is returned then, and 30 s at most, then
// with os.ErrDeadlineExceeded.
func Writable(ctx context.Context, name string) (*os.File, error) {
	p, err := find(name, true)
	if errors.Is(err, errOpenFile) && isOpenFile(name) {
		return os.OpenFile(name, os.O_WRONLY, 0)
	}
	if err != nil {
		return nil, err
	}
	defer p.close()
	f, err := p.openReader(ctx)
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		err = checkOutput(name, info)
	}
	return checked(f, err)
}

// readerLook is the time between two looks for who reads a pipe.
const readerLook = 20 * time.Millisecond

// errReader is the cause of the context that ends after pipeWait.
var errReader error = pipeError("no program read it for 30s")

// openFileNames are names for what a process has open already, such as /dev/stdout.
var openFileNames = lazyregexp.New(`^/(?:dev/(?:std(?:in|out|err)|fd/\d+)|proc/(?:self|thread-self|\d+)/fd/\d+)$`)

// isOpenFile reports a name that leads nowhere but to what is open.
func isOpenFile(name string) bool { return openFileNames.Get().MatchString(name) }

// openReader opens a file to write. A pipe has to have a reader.
func (p *place) openReader(ctx context.Context) (*os.File, error) {
	ctx, cancel := context.WithTimeoutCause(ctx, pipeWait, errReader)
	defer cancel()
	tick := time.NewTicker(readerLook)
	defer tick.Stop()
	for {
		f, err := p.open(os.O_WRONLY | os.O_CREATE)
		if err == nil || !p.waitsForReader(err) {
			return f, err
		}
		if !p.isOurs() {
			return nil, refused(p.name, "is a pipe of another user")
		}
		select {
		case <-ctx.Done():
			return nil, fmt.Errorf("waiting for a reader of %s: %w", p.name, context.Cause(ctx))
		case <-tick.C:
		}
	}
}

// checkOutput refuses what another user reads, or would find changed.
func checkOutput(name string, info fs.FileInfo) error {
	uid, ok := ownerOf(info)
	switch mode := info.Mode(); {
	case mode.IsRegular():
		if err := checkKind(name, info); err != nil {
			return err
		}
		return checkOwn(name, info, 0)
	case ok && mode&fs.ModeNamedPipe != 0 && !rootOrUs(uid):
		return refused(name, "is a pipe of another user")
	}
	return nil
}

// Output is Writable for a file whose content is replaced.
func Output(ctx context.Context, name string) (*os.File, error) {
	f, err := Writable(ctx, name)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		return checked(f, f.Truncate(0))
	}
	return f, nil
}

// OutputDir makes a directory that the user named, and those above it, with mode
// 0700 when it does not exist. It may be anyone's: files in it are to be opened
// by Output.
func OutputDir(name string) error {
	_, err := toDir(name, true, false)
	return err
}
