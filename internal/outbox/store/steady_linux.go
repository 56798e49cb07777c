package store

import (
	"context"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// sinceBoot names the running of the machine, and returns what says how long it
// has lasted, sleep included, whatever the clock is set to. Where the kernel does
// not tell, it is the running of this process.
func sinceBoot() (era string, at func() time.Duration) {
	id, err := ownfile.ReadAll(context.Background(), "/proc/sys/kernel/random/boot_id", 64)
	var ts unix.Timespec
	if era = strings.TrimSpace(string(id)); err != nil || era == "" || unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) != nil {
		return sinceStart()
	}
	return era, func() time.Duration {
		var ts unix.Timespec
		_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) // it has worked
		return time.Duration(ts.Nano())
	}
}
