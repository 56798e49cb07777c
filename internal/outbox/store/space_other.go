//go:build !linux && !darwin && !freebsd

package store

// freeSpace is not known here; a full disk shows when SQLite writes.
func freeSpace(string) (octets int64, known bool) { return 0, false }
