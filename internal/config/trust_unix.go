//go:build unix

package config

import (
	"errors"
	"io/fs"
	"os"
	"syscall"
)

// checkTrust refuses an env file that someone else could have written: it may
// name a command to run or send the secret to another endpoint. A group that
// may write counts as others, as ssh has it for its files.
func checkTrust(info fs.FileInfo) error {
	device := info.Mode()&fs.ModeCharDevice != 0 // such as /dev/null, which keeps nothing that anybody writes
	if info.Mode().Perm()&0o022 != 0 && !device {
		return errors.New("may be written by others, who could name a command or another token endpoint in it: chmod go-w it")
	}
	stat, ok := info.Sys().(*syscall.Stat_t)
	if ok && stat.Uid != 0 && int(stat.Uid) != os.Geteuid() {
		return errors.New("belongs neither to you nor to root: chown it or use a copy of your own")
	}
	return nil
}

// readableByOthers does not count the group: a file that root owns and a
// service's group may read is the usual way to configure one.
func readableByOthers(info fs.FileInfo) bool { return info.Mode().Perm()&0o004 != 0 }
