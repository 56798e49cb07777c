package delayproxy

import (
	"syscall"
	"time"
)

// early is how long before the time the kernel is asked to wake us: on a virtual
// machine it wakes 0.2 ms late, twice a turn, and each program of a comparison
// would pay for that as often as it takes turns.
const early = 300 * time.Microsecond

// sleepUntil sleeps in the kernel and watches the clock for the rest. Go's own
// timers wait in epoll, which counts whole milliseconds.
func sleepUntil(due time.Time) {
	for d := time.Until(due); d > early; d = time.Until(due) {
		ts := syscall.NsecToTimespec(int64(d - early))
		_ = syscall.Nanosleep(&ts, nil) // EINTR: the loop goes on
	}
	for time.Now().Before(due) {
		// a third of a millisecond at most
	}
}
