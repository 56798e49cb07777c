package store

import "golang.org/x/sys/unix"

// fileSystem names the file system of dir by its magic number (statfs(2)).
// SQLite's log needs all its processes on one host (sqlite.org/wal.html), and a
// sync that is a sync.
func fileSystem(dir string) (string, Trust) {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil {
		return "", Good
	}
	return judge(int64(uint32(st.Type)))
}

func judge(magic int64) (string, Trust) {
	switch magic {
	case 0x6969:
		return "NFS", Refused
	case 0x517b, 0xff534d42, 0xfe534d42:
		return "SMB", Refused
	case 0x65735546:
		return "FUSE", Refused
	case 0x01021997:
		return "9p", Refused
	case 0x00c36400:
		return "Ceph", Refused
	case 0x5346414f, 0x6b414653:
		return "AFS", Refused
	case 0x0bd00bd0:
		return "Lustre", Refused
	case 0x47504653:
		return "GPFS", Refused
	case 0x01161970, 0x7461636f:
		return "a cluster file system", Refused
	case 0x794c7630:
		return "overlayfs", Doubtful
	case 0x01021994, 0x858458f6:
		return "a RAM disk", Doubtful
	}
	return "", Good
}
