package ownfile

import "golang.org/x/sys/unix"

// searchDir opens a directory to look names up in, which needs no right to read.
const searchDir = unix.O_PATH | unix.O_DIRECTORY

// readOnly reports a file system that is mounted to be read only, as the
// configuration of a container is.
func readOnly(fd int) bool {
	var st unix.Statfs_t
	return unix.Fstatfs(fd, &st) == nil && st.Flags&unix.ST_RDONLY != 0
}

// keepsNoFiles reports a file system of the kernel's. A file such as
// /proc/self/cmdline is regular and root's, and says what the caller wrote.
func keepsNoFiles(fd int) bool {
	var st unix.Statfs_t
	if unix.Fstatfs(fd, &st) != nil {
		return true
	}
	switch uint32(st.Type) {
	case unix.PROC_SUPER_MAGIC, unix.SYSFS_MAGIC, unix.DEBUGFS_MAGIC, unix.TRACEFS_MAGIC, unix.SECURITYFS_MAGIC,
		unix.CGROUP_SUPER_MAGIC, unix.CGROUP2_SUPER_MAGIC:
		return true
	}
	return false
}
