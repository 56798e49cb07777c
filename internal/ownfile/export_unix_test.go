//go:build unix

package ownfile

import "golang.org/x/sys/unix"

// SyncedDir is the inode of the directory that SyncDir makes durable.
func SyncedDir(name string) (uint64, error) {
	p, err := syncPlace(name)
	if err != nil {
		return 0, err
	}
	defer p.close()
	var st unix.Stat_t
	err = unix.Fstat(p.walk.dir, &st)
	return st.Ino, err
}
