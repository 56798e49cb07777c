package nodump

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Disable sets the limit of core files to 0, for good and for children too, and
// marks the process as not dumpable (prctl(2), PR_SET_DUMPABLE), so that a core
// handler gets nothing and other processes of the user can neither trace it nor
// read its memory. Children that run another program are dumpable again. Its
// error is worth a debug message and no more.
func Disable() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("limiting core files: %w", err)
	}
	if err := unix.Prctl(unix.PR_SET_DUMPABLE, 0, 0, 0, 0); err != nil {
		return fmt.Errorf("making the process not dumpable: %w", err)
	}
	return nil
}
