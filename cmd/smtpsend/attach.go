package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/lazyregexp"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// attachments finds the files that flags attach. What comes by a pipe is copied
// first, because its size has to be known and it may be sent several times. Close
// it after the messages that it was for.
type attachments struct {
	g      *globals
	found  []message.Attachment
	copies []*os.File
	named  []string // copies that have their names still
}

// find returns the files of an --attach: FILE, a pattern, or NAME=FILE. What exists
// by the whole of that name comes first.
func (a *attachments) find(ctx context.Context, value string) ([]message.Attachment, error) {
	files, err := a.matches(value)
	name, file, named := nameAndFile(value)
	if named && !exists(value) && (err != nil || !isPattern(value)) {
		if file == "" {
			return nil, exit.Usagef("--attach %q: write NAME=FILE", value)
		}
		if files, err = a.matches(file); err == nil && len(files) > 1 {
			return nil, exit.Usagef("--attach %q: one name for %d files; leave NAME= out", value, len(files))
		}
		for i := range files {
			files[i].Name = name
		}
	}
	if err != nil {
		return nil, ofFlag("--attach", err)
	}
	for i := range files {
		if files[i].Dir != "" || !isPipe(files[i].Path) {
			continue
		}
		if files[i].File, err = a.copyOf(ctx, "--attach", files[i].Path); err != nil {
			return nil, err
		}
		if files[i].Name == "" && isNumbered(files[i].Path) {
			files[i].Name = "attachment"
			a.g.Warningf("--attach %s is sent under the name attachment; --attach NAME=%s gives it another", value, value)
		}
	}
	a.found = append(a.found, files...)
	return files, nil
}

// inline is find for --inline CID=FILE.
func (a *attachments) inline(ctx context.Context, value string) (message.Inline, error) {
	cid, path, ok := strings.Cut(value, "=")
	if !ok || cid == "" || path == "" {
		return message.Inline{}, exit.Usagef("--inline %q: write CID=FILE", value)
	}
	in := message.Inline{CID: cid, Path: path}
	if !isPipe(path) {
		return in, nil
	}
	var err error
	in.File, err = a.copyOf(ctx, "--inline", path)
	return in, err
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

// isStdin reports a name of standard input.
func isStdin(name string) bool {
	switch name {
	case "-", "/dev/stdin", "/dev/fd/0", "/proc/self/fd/0":
		return true
	}
	return false
}

// attachesStdin reports whether a value of --attach or --inline is standard input.
func attachesStdin(value string) bool {
	_, file, _ := strings.Cut(value, "=")
	return isStdin(value) || isStdin(file)
}

// isPipe reports standard input, and a pipe such as that of a shell's <(command).
func isPipe(name string) bool {
	info, err := os.Stat(name)
	return isStdin(name) || err == nil && info.Mode()&fs.ModeNamedPipe != 0
}

// numbered are the names that a shell gives to pipes.
var numbered = lazyregexp.New(`^(?:/dev/fd/|/proc/(?:self|\d+)/fd/)\d+$`)

func isNumbered(name string) bool { return isStdin(name) || numbered.Get().MatchString(name) }

// copyOf copies what comes by a pipe, for as long as --timeout leaves, or standard
// input to its end: somebody may be typing.
func (a *attachments) copyOf(ctx context.Context, flag, name string) (*os.File, error) {
	f, err := ownfile.CreateTemp("", "smtpsend-attachment-")
	if err != nil {
		return nil, exit.With(exit.CannotCreate, err)
	}
	a.copies = append(a.copies, f)
	if os.Remove(f.Name()) != nil { // at once where the system can: kill -9 leaves nothing behind
		a.named = append(a.named, f.Name())
	}
	var n int64
	if isStdin(name) {
		if a.g.stdin == nil {
			return nil, exit.Usagef("%s %q: standard input is not taken here, name a file", flag, name)
		}
		a.g.Reading("the attachment", a.g.stdin)
		n, err = copyInto(f, a.g.stdin)
	} else {
		err = a.g.composing(ctx, func(ctx context.Context) error {
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
	case err != nil:
		return nil, ofFlag(fmt.Sprintf("%s %q", flag, name), err)
	case n > limits.Message:
		return nil, exit.With(exit.Data, fmt.Errorf("%s %q: has more than %d octets", flag, name, limits.Message))
	case n == 0:
		a.g.Warningf("%s %s: nothing came, and the file that is sent is empty", flag, name)
	}
	return f, nil
}

// copyInto copies what in has, of at most one octet more than a message may have.
func copyInto(f *os.File, in io.Reader) (int64, error) {
	n, err := io.Copy(f, io.LimitReader(in, limits.Message+1))
	if path, ok := errors.AsType[*fs.PathError](err); ok && path.Path == f.Name() {
		err = exit.With(exit.IO, fmt.Errorf("making a temporary copy: %w", path.Err))
	}
	return n, err
}

// close removes the copies.
func (a *attachments) close() {
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
func (a *attachments) matches(pattern string) ([]message.Attachment, error) {
	_, err := os.Lstat(pattern)
	if errors.Is(err, fs.ErrNotExist) && strings.Contains(pattern, ",") && !isPattern(pattern) {
		return nil, &badinput.FileError{Path: pattern, Err: fmt.Errorf("%w; each of several files needs an --attach of its own", fs.ErrNotExist)}
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
		a.g.Warningf("--attach %s: %s is a link to a directory, which ** does not enter; another --attach attaches what is in it", pattern, g.passed)
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
