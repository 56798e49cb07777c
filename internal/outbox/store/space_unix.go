//go:build linux || darwin || freebsd

package store

import "golang.org/x/sys/unix"

// freeSpace is what is left in dir for those who are not root.
func freeSpace(dir string) (octets int64, known bool) {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil {
		return 0, false
	}
	return int64(st.Bavail) * int64(st.Bsize), true
}
