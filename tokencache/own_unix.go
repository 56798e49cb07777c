//go:build unix

package tokencache

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// openFlags: a link may lead to a file that somebody else chose, and a pipe
// would make opening wait.
const openFlags = syscall.O_NOFOLLOW | syscall.O_NONBLOCK

// checkOwn refuses what belongs to someone else, or gives others a permission
// in forbidden.
func checkOwn(info fs.FileInfo, forbidden fs.FileMode) error {
	stat, ok := info.Sys().(*syscall.Stat_t)
	if !ok {
		return errors.New("has no owner")
	}
	if uid := os.Geteuid(); int(stat.Uid) != uid {
		return fmt.Errorf("belongs to user %d, not to %d", stat.Uid, uid)
	}
	if mode := info.Mode().Perm(); mode&forbidden != 0 {
		return fmt.Errorf("has mode %#o, which lets others in", mode)
	}
	return nil
}
