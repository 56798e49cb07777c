//go:build unix

package ownfile

import (
	"errors"
	"io/fs"
	"os"
	"strings"

	"golang.org/x/sys/unix"
)

// walk goes along a path one element at a time, each relative to the directory
// before it that is open, so that nothing can be put in its place meanwhile.
// ".." is taken as the kernel takes it and never by its text: a name such as
// "x y/../../etc" leads nowhere when "x y" does not exist.
type walk struct {
	name     string
	dir      int      // the directory reached so far
	rest     []string // elements to go
	links    int      // followed so far
	writable uint32   // rights of others with which a directory's links are not trusted
}

const maxLinks = 40 // as the kernel has it

func newWalk(name string, writable uint32) (*walk, error) {
	w := &walk{name: name, dir: -1, writable: writable}
	if name == "" {
		return nil, w.failed("open", unix.ENOENT)
	}
	if err := w.begin(name); err != nil {
		return nil, err
	}
	return w, nil
}

// begin takes path as what comes next: from the root when it is absolute.
func (w *walk) begin(path string) error {
	start := "."
	if path[0] == '/' {
		start = "/"
	}
	if w.dir < 0 || start == "/" {
		fd, err := again(func() (int, error) { return unix.Open(start, searchDir|unix.O_CLOEXEC, 0) })
		if err != nil {
			return w.failed("open", err)
		}
		w.close()
		w.dir = fd
	}
	w.rest = append(strings.Split(path, "/"), w.rest...)
	return nil
}

func (w *walk) close() {
	if w.dir >= 0 {
		_ = unix.Close(w.dir)
	}
	w.dir = -1
}

// failed is err about the whole name.
func (w *walk) failed(op string, err error) error {
	return &fs.PathError{Op: op, Path: w.name, Err: err}
}

// next takes an element that is neither empty nor ".", "" at the end.
func (w *walk) next() string {
	for len(w.rest) > 0 {
		e := w.rest[0]
		if w.rest = w.rest[1:]; e != "" && e != "." {
			return e
		}
	}
	return ""
}

// toLast goes to the directory of the last element and returns that element,
// which was no link a moment ago.
func (w *walk) toLast() (string, error) {
	for e := w.next(); e != ""; e = w.next() {
		var st unix.Stat_t
		if err := unix.Fstatat(w.dir, e, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
			return "", w.failed("open", err)
		}
		rest := w.rest
		last := w.next() == ""
		w.rest = rest
		link := uint32(st.Mode)&unix.S_IFMT == unix.S_IFLNK
		if last && !link {
			return e, nil
		}
		if err := w.enter(e, link, &st); err != nil {
			return "", err
		}
	}
	return ".", nil
}

// makeAll goes to the end and makes the directories that do not exist.
func (w *walk) makeAll() error {
	for e := w.next(); e != ""; e = w.next() {
		var st unix.Stat_t
		err := unix.Fstatat(w.dir, e, &st, unix.AT_SYMLINK_NOFOLLOW)
		op := "open"
		if errors.Is(err, fs.ErrNotExist) {
			op = "mkdir"
			if err = unix.Mkdirat(w.dir, e, 0o700); errors.Is(err, fs.ErrExist) { // another process was faster
				err = nil
			}
			st = unix.Stat_t{}
		}
		if err != nil {
			return w.failed(op, err)
		}
		if err := w.enter(e, uint32(st.Mode)&unix.S_IFMT == unix.S_IFLNK, &st); err != nil {
			return err
		}
	}
	return nil
}

// enter goes into a directory, or to where a link leads.
func (w *walk) enter(e string, link bool, st *unix.Stat_t) error {
	if link {
		return w.follow(e, st)
	}
	fd, err := again(func() (int, error) { return unix.Openat(w.dir, e, searchDir|unix.O_NOFOLLOW|unix.O_CLOEXEC, 0) })
	if err != nil {
		return w.failed("open", err)
	}
	w.close()
	w.dir = fd
	return nil
}

// follow goes to where the link e leads, when it is trusted.
func (w *walk) follow(e string, link *unix.Stat_t) error {
	var dir unix.Stat_t
	if err := unix.Fstat(w.dir, &dir); err != nil {
		return w.failed("stat", err)
	}
	sticky := uint32(dir.Mode)&unix.S_ISVTX != 0
	switch {
	case keepsNoFiles(w.dir):
		return &Error{w.name, errOpenFile.Error(), errOpenFile}
	case !rootOrUs(int(link.Uid)), !rootOrUs(int(dir.Uid)), uint32(dir.Mode)&w.writable != 0 && !sticky:
		return refused(w.name, "is reached by a link ("+e+") that others may have made: name what it leads to")
	}
	if w.links++; w.links > maxLinks {
		return w.failed("open", unix.ELOOP)
	}
	target := make([]byte, 4096)
	n, err := again(func() (int, error) { return unix.Readlinkat(w.dir, e, target) })
	if err != nil {
		return w.failed("readlink", err)
	}
	if n == 0 || n == len(target) {
		return w.failed("readlink", os.ErrInvalid)
	}
	return w.begin(string(target[:n]))
}

// again repeats a call that a signal interrupted.
func again(call func() (int, error)) (int, error) {
	for {
		n, err := call()
		if !errors.Is(err, unix.EINTR) {
			return n, err
		}
	}
}
