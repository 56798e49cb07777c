package outbox

import "golang.org/x/sys/unix"

// fileSystem names the file system of dir by its magic number (statfs(2)).
// SQLite's log needs all its processes on one host (sqlite.org/wal.html), and a
// sync that is a sync.
func fileSystem(dir string) (string, trust) {
	var st unix.Statfs_t
	if unix.Statfs(dir, &st) != nil {
		return "", good
	}
	return judge(int64(uint32(st.Type)))
}

func judge(magic int64) (string, trust) {
	switch magic {
	case 0x6969:
		return "NFS", refused
	case 0x517b, 0xff534d42, 0xfe534d42:
		return "SMB", refused
	case 0x65735546:
		return "FUSE", refused
	case 0x01021997:
		return "9p", refused
	case 0x00c36400:
		return "Ceph", refused
	case 0x5346414f, 0x6b414653:
		return "AFS", refused
	case 0x0bd00bd0:
		return "Lustre", refused
	case 0x47504653:
		return "GPFS", refused
	case 0x01161970, 0x7461636f:
		return "a cluster file system", refused
	case 0x794c7630:
		return "overlayfs", doubtful
	case 0x01021994, 0x858458f6:
		return "a RAM disk", doubtful
	}
	return "", good
}
