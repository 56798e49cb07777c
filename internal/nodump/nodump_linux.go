package nodump

import (
	"errors"
	"fmt"

	"golang.org/x/sys/unix"
)

// Disable sets the limit of core files to 0, for good and for children too, and
// marks the process as not dumpable (prctl(2), PR_SET_DUMPABLE), so that a core
// handler gets nothing and other processes of the user can neither trace it nor
// read its memory. Children that run another program are dumpable again. Its
// error is worth a debug message and no more.
func Disable() error {
	limit := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{})
	if limit != nil { // as where a service may not change its limits
		limit = fmt.Errorf("limiting core files: %w", limit)
	}
	dumpable := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0)
	if dumpable != nil {
		dumpable = fmt.Errorf("making the process not dumpable: %w", dumpable)
	}
	return errors.Join(limit, dumpable)
}
