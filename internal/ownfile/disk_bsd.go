//go:build darwin || freebsd

package ownfile

import (
	"slices"

	"golang.org/x/sys/unix"
)

// searchDir opens a directory to look names up in, which needs no right to read.
const searchDir = unix.O_SEARCH | unix.O_DIRECTORY

// readOnly reports a file system that is mounted to be read only.
func readOnly(fd int) bool {
	var st unix.Statfs_t
	return unix.Fstatfs(fd, &st) == nil && uint64(st.Flags)&unix.MNT_RDONLY != 0
}

// keepsNoFiles reports a file system of the kernel's, whose files say what
// processes wrote.
func keepsNoFiles(fd int) bool {
	var st unix.Statfs_t
	if unix.Fstatfs(fd, &st) != nil {
		return true
	}
	kind := unix.ByteSliceToString(st.Fstypename[:])
	return slices.Contains([]string{"procfs", "linprocfs", "linsysfs", "fdescfs", "devfs"}, kind)
}
