//go:build unix && !linux

package nodump

import (
	"fmt"

	"golang.org/x/sys/unix"
)

// Disable sets the limit of core files to 0, for good and for children too. Its
// error is worth a debug message and no more.
func Disable() error {
	if err := unix.Setrlimit(unix.RLIMIT_CORE, &unix.Rlimit{}); err != nil {
		return fmt.Errorf("limiting core files: %w", err)
	}
	return nil
}
