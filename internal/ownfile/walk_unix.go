//go:build unix

package ownfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
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
	path     string   // of dir, for messages
	writable uint32   // rights of others with which a directory's links are not trusted
	volume   bool     // dir is where another file system begins
	strict   bool     // refuses directories on the way in which others can exchange the next one
}

const maxLinks = 40 // as the kernel has it

func newWalk(name string, writable uint32, strict bool) (*walk, error) {
	w := &walk{name: name, dir: -1, writable: writable, strict: strict}
	if name == "" {
		return nil, w.failed("open", unix.ENOENT)
	}
	if err := w.begin(name); err != nil {
		return nil, err
	}
	return w, nil
}

// begin takes a path as what comes next: from the root when it is absolute.
func (w *walk) begin(to string) error {
	start := "."
	if to[0] == '/' {
		start = "/"
	}
	if w.dir < 0 || start == "/" {
		w.path, w.volume = start, false
		fd, err := again(func() (int, error) { return unix.Open(start, searchDir|unix.O_CLOEXEC, 0) })
		if err != nil {
			return w.failed("open", err)
		}
		w.close()
		w.dir = fd
	}
	w.rest = append(strings.Split(to, "/"), w.rest...)
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

// toLast goes to the directory of the last element and returns that element. It
// may not exist, and was no link a moment ago where follow is true.
func (w *walk) toLast(follow bool) (string, error) {
	for e := w.next(); e != ""; e = w.next() {
		last := len(w.rest) == 0 && e != ".." // what a slash follows is a directory
		if last && !follow {
			return e, w.judge()
		}
		st, err := w.look(e)
		if last && errors.Is(err, fs.ErrNotExist) {
			return e, nil
		}
		if err != nil {
			return "", err
		}
		link := uint32(st.Mode)&unix.S_IFMT == unix.S_IFLNK
		if last && !link {
			return e, nil
		}
		if err := w.enter(e, link, st); err != nil {
			return "", err
		}
	}
	return ".", nil
}

// look looks at an element of the directory that is reached.
func (w *walk) look(e string) (*unix.Stat_t, error) {
	if err := w.judge(); err != nil {
		return nil, err
	}
	var st unix.Stat_t
	if err := unix.Fstatat(w.dir, e, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return nil, w.failed("open", err)
	}
	return &st, nil
}

// judge refuses, where strict, a directory in which others could put something in
// the place of what is in it. A volume of a container is often open to all, who are
// those in the container; what is mounted to be read only changes for no one.
func (w *walk) judge() error {
	if !w.strict {
		return nil
	}
	var st unix.Stat_t
	if err := unix.Fstat(w.dir, &st); err != nil {
		return w.failed("stat", err)
	}
	mode := uint32(st.Mode)
	switch {
	case readOnly(w.dir), w.volume && rootOrUs(int(st.Uid)):
	case !rootOrUs(int(st.Uid)):
		return refused(w.name, fmt.Sprintf("is below %s, which belongs to user %d, neither to you nor to root", w.path, st.Uid))
	case mode&unix.S_ISVTX != 0:
	case mode&0o002 != 0:
		return refused(w.name, "is below "+w.path+", which every user may write")
	case mode&0o020 != 0 && st.Gid != 0 && os.Geteuid() == 0:
		return refused(w.name, "is below "+w.path+", which a group may write, whose members could make root use another file")
	}
	return nil
}

// toEnd goes to the end, which is a directory. With missing it makes those that do
// not exist.
func (w *walk) toEnd(missing bool) error {
	for e := w.next(); e != ""; e = w.next() {
		st, err := w.look(e)
		if missing && errors.Is(err, fs.ErrNotExist) {
			st = new(unix.Stat_t)
			if err = unix.Mkdirat(w.dir, e, 0o700); errors.Is(err, fs.ErrExist) { // another process was faster
				err = nil
			} else if err != nil {
				err = w.failed("mkdir", err)
			}
		}
		if err != nil {
			return err
		}
		if err := w.enter(e, uint32(st.Mode)&unix.S_IFMT == unix.S_IFLNK, st); err != nil {
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
	var above, here unix.Stat_t
	w.volume = unix.Fstat(w.dir, &above) == nil && unix.Fstat(fd, &here) == nil && above.Dev != here.Dev
	w.close()
	w.dir, w.path = fd, path.Join(w.path, e)
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
	case readOnly(w.dir):
	case !rootOrUs(int(link.Uid)), !rootOrUs(int(dir.Uid)), uint32(dir.Mode)&w.writable != 0 && !sticky:
		return refused(w.name, "is reached by a link ("+e+") that others may have made: give the path that it leads to")
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
