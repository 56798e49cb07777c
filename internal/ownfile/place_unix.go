//go:build unix

package ownfile

import (
	"errors"
	"fmt"
	"os"

	"golang.org/x/sys/unix"
)

// place is where a name leads: a directory that is open, and a name in it. What
// is done there is done in that directory, whatever the way to it becomes.
type place struct {
	walk *walk
	name string // whole
	last string // in the directory
}

// find goes to the directory of name by trusted links alone. With follow it goes
// on where a link in the last place leads; where the last element may be a link of
// others, it is not followed but refused by open.
func find(name string, follow bool) (*place, error) {
	writable := uint32(0o002) // as for directories that are made
	if follow {
		writable = 0o022
	}
	w, err := newWalk(name, writable, false)
	if err != nil {
		return nil, err
	}
	last, err := w.toLast(follow)
	if err != nil {
		w.close()
		return nil, err
	}
	return &place{w, name, last}, nil
}

func (p *place) close() { p.walk.close() }

// open opens the file without following a link or waiting for a pipe.
func (p *place) open(flag int) (*os.File, error) {
	fd, err := again(func() (int, error) {
		return unix.Openat(p.walk.dir, p.last, flag|noFollow|unix.O_CLOEXEC, 0o600)
	})
	if isLink(err) {
		return nil, refused(p.name, "is a link")
	}
	if err != nil {
		return nil, p.walk.failed("open", err)
	}
	return os.NewFile(uintptr(fd), p.name), nil
}

// beside is another name in the same directory.
func (p *place) beside(last string) *place { return &place{p.walk, p.name, last} }

// rename gives the file the name of to, which is in the same directory.
func (p *place) rename(to *place) error {
	return unix.Renameat(p.walk.dir, p.last, p.walk.dir, to.last)
}

func (p *place) remove() error { return unix.Unlinkat(p.walk.dir, p.last, 0) }

// sync makes durable which names the directory has.
func (p *place) sync() error {
	fd, err := again(func() (int, error) { return unix.Openat(p.walk.dir, ".", unix.O_RDONLY|unix.O_CLOEXEC, 0) })
	if err != nil {
		return fmt.Errorf("opening directory: %w", err)
	}
	dir := os.NewFile(uintptr(fd), p.name)
	defer dir.Close()
	if err := dir.Sync(); err != nil {
		return fmt.Errorf("syncing directory: %w", err)
	}
	return nil
}

// isOurs reports a file of root's or of this user.
func (p *place) isOurs() bool {
	var st unix.Stat_t
	return unix.Fstatat(p.walk.dir, p.last, &st, unix.AT_SYMLINK_NOFOLLOW) == nil && rootOrUs(int(st.Uid))
}

// isPipe reports a named pipe, without opening it: its writer would think that it is read.
func (p *place) isPipe() bool {
	var st unix.Stat_t
	return unix.Fstatat(p.walk.dir, p.last, &st, unix.AT_SYMLINK_NOFOLLOW) == nil && uint32(st.Mode)&unix.S_IFMT == unix.S_IFIFO
}

// waitsForReader reports that err says that no one has opened the pipe to read it.
// A device says the same when there is none, as /dev/tty does.
func (p *place) waitsForReader(err error) bool {
	return errors.Is(err, unix.ENXIO) && p.isPipe()
}

// SetMode sets the mode of a file, a directory or a socket of this user, in a directory of
// MakeDir or CheckDir: for what other users may enter or connect to. A link is refused.
func SetMode(name string, mode os.FileMode) error {
	p, err := find(name, false)
	if err != nil {
		return err
	}
	defer p.close()
	var st unix.Stat_t
	if err := unix.Fstatat(p.walk.dir, p.last, &st, unix.AT_SYMLINK_NOFOLLOW); err != nil {
		return p.walk.failed("chmod", err)
	}
	switch {
	case uint32(st.Mode)&unix.S_IFMT == unix.S_IFLNK:
		return refused(name, "is a link")
	case int(st.Uid) != os.Geteuid():
		return refused(name, fmt.Sprintf("belongs to user %d, not to %d", st.Uid, os.Geteuid()))
	}
	return unix.Fchmodat(p.walk.dir, p.last, uint32(mode.Perm()), 0)
}

// EveryoneMayWrite reports a directory in which every user may make files, also one with
// the sticky bit, which protects only those that are there.
func EveryoneMayWrite(dir string) bool {
	info, err := os.Stat(dir)
	return err == nil && info.Mode()&0o002 != 0
}
