//go:build unix

package owner

import (
	"fmt"
	"os"
	"os/user"
	"strconv"
	"syscall"

	"github.com/smtpsend/smtpsend/internal/nodump"
)

// Become makes root's process, for good, one of the user that dir belongs to, and
// returns that user: cron's root queues into the outbox of the service that submits
// from it. Nothing changes, and the user is zero, for a directory of root's, for one
// that does not exist, and for a process that is not root's. After an error the
// process may have lost some of its rights and must end.
func Become(dir string) (User, error) {
	info, err := os.Stat(dir)
	if err != nil || os.Geteuid() != 0 {
		return User{}, nil // opening it says what is wrong
	}
	st, ok := info.Sys().(*syscall.Stat_t)
	if !ok || st.Uid == 0 {
		return User{}, nil
	}
	uid, gid := int(st.Uid), int(st.Gid)
	groups := []int{gid}
	to := User{Name: strconv.Itoa(uid)}
	if u, err := user.LookupId(to.Name); err == nil {
		to = User{Name: u.Username, Home: u.HomeDir}
		if own, err := strconv.Atoi(u.Gid); err == nil {
			gid = own
		}
		groups = groupsOf(u, gid)
	} else if gid == 0 { // root's group is not this user's because the directory has it
		gid, groups = uid, []int{uid}
	}
	if err := changeUser(uid, gid, groups); err != nil {
		return User{}, fmt.Errorf("the directory %s belongs to %s: becoming that user: %w", dir, to.Name, err)
	}
	_ = nodump.Disable() // the system forgets it when the user changes
	return to, nil
}

// groupsOf are the groups of a user, with gid.
func groupsOf(u *user.User, gid int) []int {
	groups := []int{gid}
	ids, _ := u.GroupIds()
	for _, id := range ids {
		if n, err := strconv.Atoi(id); err == nil && n != gid {
			groups = append(groups, n)
		}
	}
	return groups
}

// changeUser gives up root's rights so that they cannot be had again.
func changeUser(uid, gid int, groups []int) error {
	for _, step := range []func() error{
		func() error { return syscall.Setgroups(groups) },
		func() error { return syscall.Setgid(gid) },
		func() error { return syscall.Setuid(uid) },
	} {
		if err := step(); err != nil {
			return err
		}
	}
	if os.Geteuid() != uid || syscall.Setuid(0) == nil {
		return fmt.Errorf("user %d is still root", uid)
	}
	return nil
}
