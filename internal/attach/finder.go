// Package attach finds the files that a value names which asks for attachments:
// FILE, a pattern such as out/**/*.pdf, NAME=FILE, a pipe, or standard input.
//
// Nothing here opens an attachment but a pipe, of which a copy is made: its size has
// to be known, and it may be sent several times. Errors are *badinput.FileError for
// a file, and have an exit code (internal/exit) for a value that means nothing.
package attach

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/lazyregexp"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// Finder finds the files of one message, or of one batch. It is for one goroutine.
// Close it after the messages that it was for.
type Finder struct {
	// Stdin is standard input; nil: it is not taken.
	Stdin io.Reader
	// Reading, when set, is called before standard input is read.
	Reading func()
	// Limited, when set, runs what reads a pipe, for as long as that may take.
	// Standard input is read to its end: a person may be typing.
	Limited func(ctx context.Context, read func(context.Context) error) error
	// Warn gets what is allowed and perhaps not meant.
	Warn func(format string, args ...any)
	// AttachBy and InlineBy are what gives the values of Find and Inline, such as
	// --attach: errors and warnings begin with them.
	AttachBy, InlineBy string

	found  []message.Attachment
	copies []*os.File
	named  []string // copies that have their names still
}

// Find returns the files of FILE, of a pattern, or of NAME=FILE. What exists by the
// whole of that name comes first.
func (a *Finder) Find(ctx context.Context, value string) ([]message.Attachment, error) {
	files, err := a.matches(value)
	name, file, named := nameAndFile(value)
	matched := err == nil && isPattern(value)
	if named && !matched && !exists(value) {
		if file == "" {
			return nil, exit.Usagef("%s %q: write NAME=FILE", a.AttachBy, value)
		}
		if files, err = a.matches(file); err == nil && len(files) > 1 {
			return nil, exit.Usagef("%s %q: one name for %d files; leave NAME= out", a.AttachBy, value, len(files))
		}
		for i := range files {
			files[i].Name = name
		}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", a.AttachBy, err)
	}
	for i := range files {
		if files[i].Dir != "" || !isPipe(files[i].Path) {
			continue
		}
		if files[i].File, err = a.copyOf(ctx, a.AttachBy, files[i].Path); err != nil {
			return nil, err
		}
		if files[i].Name == "" && isNumbered(files[i].Path) {
			files[i].Name = "attachment"
			a.Warn("%s %s is sent under the name attachment; %s NAME=%s gives it another", a.AttachBy, value, a.AttachBy, value)
		}
	}
	a.found = append(a.found, files...)
	return files, nil
}

// Inline is Find for CID=FILE: one file, which the HTML shows as cid:CID.
func (a *Finder) Inline(ctx context.Context, value string) (message.Inline, error) {
	cid, path, ok := strings.Cut(value, "=")
	if !ok || cid == "" || path == "" {
		return message.Inline{}, exit.Usagef("%s %q: write CID=FILE", a.InlineBy, value)
	}
	in := message.Inline{CID: cid, Path: path}
	if !isPipe(path) {
		return in, nil
	}
	var err error
	in.File, err = a.copyOf(ctx, a.InlineBy, path)
	return in, err
}

// Found reports whether Find has returned the file of that path.
func (a *Finder) Found(path string) bool {
	return slices.ContainsFunc(a.found, func(f message.Attachment) bool {
		return filepath.Clean(path) == filepath.Join(f.Dir, f.Path)
	})
}

// nameAndFile takes NAME=FILE apart. What has a slash before the = is a path.
func nameAndFile(value string) (name, file string, ok bool) {
	name, file, ok = strings.Cut(value, "=")
	slash := strings.ContainsFunc(name, func(r rune) bool { return r < 0x80 && os.IsPathSeparator(byte(r)) })
	return name, file, ok && name != "" && !slash
}

func exists(name string) bool {
	_, err := os.Lstat(name)
	return err == nil
}

// namesStdin reports a name of standard input.
func namesStdin(name string) bool {
	switch name {
	case "-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0":
		return true
	}
	return false
}

// IsStdin reports whether a value of Find or Inline is standard input.
func IsStdin(value string) bool {
	_, file, _ := strings.Cut(value, "=")
	return namesStdin(value) || namesStdin(file)
}

// isPipe reports standard input, and a pipe such as that of a shell's <(command).
func isPipe(name string) bool {
	info, err := os.Stat(name)
	pipe := err == nil && info.Mode()&fs.ModeNamedPipe != 0
	return pipe || namesStdin(name)
}

// numbered are the names that a shell gives to pipes.
var numbered = lazyregexp.New(`^(?:/dev/fd/|/proc/(?:self|\d+)/fd/)\d+$`)

func isNumbered(name string) bool { return namesStdin(name) || numbered.Get().MatchString(name) }

// copyOf copies what comes by a pipe that the value of by names.
func (a *Finder) copyOf(ctx context.Context, by, name string) (*os.File, error) {
	f, err := ownfile.CreateTemp("", "smtpsend-attachment-")
	if err != nil {
		return nil, exit.With(exit.CannotCreate, err)
	}
	a.copies = append(a.copies, f)
	if os.Remove(f.Name()) != nil { // at once where the system can: kill -9 leaves no file
		a.named = append(a.named, f.Name())
	}
	var n int64
	if namesStdin(name) {
		n, err = a.copyStdin(f)
	} else {
		err = a.limited(ctx, func(ctx context.Context) error {
			in, err := ownfile.OpenContext(ctx, name)
			if err != nil {
				return err
			}
			defer in.Close()
			n, err = copyInto(f, in)
			return err
		})
	}
	switch {
	case ctx.Err() != nil:
		return nil, context.Cause(ctx)
	case errors.Is(err, errNoStdin):
		return nil, exit.Usagef("%s %q: %w", by, name, err)
	case err != nil:
		return nil, fmt.Errorf("%s %q: %w", by, name, err)
	case n > limits.Message:
		return nil, exit.With(exit.Data, fmt.Errorf("%s %q: has more than %d octets", by, name, limits.Message))
	case n == 0:
		a.Warn("%s %s: no data came, so the attached file is empty", by, name)
	}
	return f, nil
}

var errNoStdin = errors.New("standard input cannot be used here: name a file")

func (a *Finder) copyStdin(f *os.File) (int64, error) {
	if a.Stdin == nil {
		return 0, errNoStdin
	}
	if a.Reading != nil {
		a.Reading()
	}
	return copyInto(f, a.Stdin)
}

func (a *Finder) limited(ctx context.Context, read func(context.Context) error) error {
	if a.Limited == nil {
		return read(ctx)
	}
	return a.Limited(ctx, read)
}

// copyInto copies what in has, of at most one octet more than a message may have.
func copyInto(f *os.File, in io.Reader) (int64, error) {
	n, err := io.Copy(f, io.LimitReader(in, limits.Message+1))
	if path, ok := errors.AsType[*fs.PathError](err); ok && path.Path == f.Name() {
		err = exit.With(exit.IO, fmt.Errorf("making a temporary copy: %w", path.Err))
	}
	return n, err
}

// Close removes the copies.
func (a *Finder) Close() {
	for _, f := range a.copies {
		_ = f.Close()
	}
	for _, name := range a.named {
		_ = os.Remove(name)
	}
}

// matches expands a pattern. A file of exactly that name comes first, so that
// "a[1].pdf" can be attached. A file that is named is attached from wherever it is;
// one that a pattern finds is not known to whoever wrote the pattern, and must not
// be a link that leads out of the directory that the pattern names.
func (a *Finder) matches(pattern string) ([]message.Attachment, error) {
	_, err := os.Lstat(pattern)
	if errors.Is(err, fs.ErrNotExist) && strings.Contains(pattern, ",") && !isPattern(pattern) {
		return nil, &badinput.FileError{Path: pattern, Err: fmt.Errorf("%w; each of several files needs an %s of its own", fs.ErrNotExist, a.AttachBy)}
	}
	if err == nil || !isPattern(pattern) {
		return []message.Attachment{{Path: pattern}}, nil // message.Compose says what is wrong with it
	}
	g := newGlobber()
	paths, err := g.find(pattern)
	if _, unread := errors.AsType[*badinput.FileError](err); unread {
		return nil, err
	}
	if err != nil {
		return nil, exit.With(exit.Usage, fmt.Errorf("%q: %w", pattern, err))
	}
	if g.passed != "" {
		a.Warn("%s %s: %s is a link to a directory, which ** does not enter; use another %s for what is in it", a.AttachBy, pattern, g.passed, a.AttachBy)
	}
	if len(paths) == 0 {
		return nil, &badinput.FileError{Path: pattern, Err: fmt.Errorf("%w: no file matches", fs.ErrNotExist)}
	}
	dir := pattern
	for isPattern(dir) {
		dir = filepath.Dir(dir)
	}
	files := make([]message.Attachment, len(paths))
	for i, path := range paths {
		if path, err = filepath.Rel(dir, path); err != nil {
			return nil, exit.With(exit.Usage, fmt.Errorf("%q: %w", pattern, err))
		}
		files[i] = message.Attachment{Path: path, Dir: dir}
	}
	return files, nil
}

func isPattern(s string) bool { return strings.ContainsAny(s, "*?[") }
