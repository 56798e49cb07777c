//go:build unix

package ownfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// noFollow: a link may lead to a file that someone else chose, and opening a
// pipe would wait.
const noFollow = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// nonBlock opens a pipe without waiting for who writes it.
const nonBlock = syscall.O_NONBLOCK

// isLink reports the error of noFollow for a link. FreeBSD says EMLINK, NetBSD
// EFTYPE.
func isLink(err error) bool {
	return errors.Is(err, syscall.ELOOP) || errors.Is(err, syscall.EMLINK)
}

// ownerOf is the user that a file belongs to.
func ownerOf(info fs.FileInfo) (uid int, ok bool) {
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return 0, false
	}
	return int(st.Uid), true
}

func linksOf(info fs.FileInfo) uint64 {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return uint64(st.Nlink)
	}
	return 1
}

// groupMayLead reports a directory in which a group other than root's could lead
// root elsewhere. For other users such groups are common: often they are alone in
// theirs.
func groupMayLead(info fs.FileInfo) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && os.Geteuid() == 0 && st.Gid != 0 && info.Mode().Perm()&0o020 != 0
}

// rootOrUs reports an owner that may decide for us.
func rootOrUs(uid int) bool { return uid == 0 || uid == os.Geteuid() }

// giveLike gives a new file the owner and the group of info, which is of the file name.
func giveLike(f *os.File, name string, info fs.FileInfo) error {
	like, ok := info.Sys().(*syscall.Stat_t)
	own, err := f.Stat()
	if err != nil || !ok {
		return err
	}
	if st, ok := own.Sys().(*syscall.Stat_t); ok && st.Uid == like.Uid && st.Gid == like.Gid {
		return nil
	}
	if err := f.Chown(int(like.Uid), int(like.Gid)); err != nil {
		return refused(name, fmt.Sprintf("belongs to user %d and group %d: change it as that user, or as root", like.Uid, like.Gid))
	}
	return nil
}

// giveGroup gives a new file the group of info.
func giveGroup(f *os.File, info fs.FileInfo) error {
	like, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return nil
	}
	return f.Chown(-1, int(like.Gid))
}

// checkOwn refuses what belongs to someone else, or gives others a right in
// forbidden.
func checkOwn(name string, info fs.FileInfo, forbidden fs.FileMode) error {
	uid, ok := ownerOf(info)
	if us := os.Geteuid(); !ok || uid != us {
		return refused(name, fmt.Sprintf("belongs to user %d, not to %d", uid, us))
	}
	if mode := info.Mode().Perm(); mode&forbidden != 0 {
		return refused(name, fmt.Sprintf("has mode %#o, which gives others access", mode))
	}
	return nil
}

// checkTrusted is checkOwn for what root may have written too. A group that may
// write counts as others, as ssh has it for its files.
func checkTrusted(name string, f *os.File, info fs.FileInfo) error {
	uid, ok := ownerOf(info)
	switch {
	case !ok || !rootOrUs(uid):
		return refused(name, "belongs neither to you nor to root: chown it or use a copy of your own")
	case info.Mode().Perm()&0o022 != 0:
		return &Error{name, "may be written by others: chmod go-w it", ErrOthersWrite}
	case keepsNoFiles(int(f.Fd())):
		return &Error{name, errOpenFile.Error(), errOpenFile}
	}
	return nil
}

// openTrusted opens the file that name leads to by trusted links alone, in a
// directory where others cannot put another file of this user in its place.
func openTrusted(name string) (*os.File, error) {
	p, err := find(name, true)
	if err != nil {
		return nil, err
	}
	defer p.close()
	p.walk.strict = true
	if err := p.walk.judge(); err != nil {
		return nil, err
	}
	if p.isPipe() {
		return nil, errPipe(name)
	}
	return p.open(os.O_RDONLY)
}

// errOpenFile says that a path goes through a file system of the kernel's, as that
// to what a process has open.
var errOpenFile = errors.New("is not a file on a disk: its content comes from the kernel or from another process")

// toDir goes to a directory and says what it is. With missing it makes what does
// not exist of it. Of the links on the way it refuses only those in directories
// that everyone may write: homes that a group may write are common. Where strict,
// it refuses directories on the way in which others could exchange the next one.
func toDir(name string, missing, strict bool) (fs.FileInfo, error) {
	w, err := newWalk(name, 0o002, strict)
	if err != nil {
		return nil, err
	}
	defer w.close()
	if err := w.toEnd(missing); err != nil {
		return nil, err
	}
	dir := os.NewFile(uintptr(w.dir), name)
	w.dir = -1
	defer dir.Close()
	return dir.Stat()
}
