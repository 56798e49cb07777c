package delayproxy

import (
	"syscall"
	"time"
)

// sleepUntil sleeps in the kernel, which wakes within 0.1 ms. Go's own timers
// wait in epoll, which counts whole milliseconds: ten turns would be five
// milliseconds too long, and more for whoever needs more turns.
func sleepUntil(due time.Time) {
	for d := time.Until(due); d > 0; d = time.Until(due) {
		ts := syscall.NsecToTimespec(int64(d))
		_ = syscall.Nanosleep(&ts, nil) // EINTR: the loop goes on
	}
}
