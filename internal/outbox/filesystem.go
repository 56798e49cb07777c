package outbox

import (
	"fmt"
	"runtime"
)

// trust is how far a file system can hold an outbox.
type trust int

const (
	good     trust = iota // also what we do not know
	doubtful              // it works, but what it holds is soon gone
	refused               // locks or syncs cannot be relied on
)

// modesMean says whether file modes keep others out.
const modesMean = runtime.GOOS != "windows"

// room checks that a message of size octets leaves the reserve on the disk. A
// content is written twice, to the log and to the file.
func (ob *Outbox) room(size int64) error {
	if ob.o.Reserve < 0 {
		return nil
	}
	free, known := freeSpace(ob.dir)
	if need := max(ob.o.Reserve, 2*size); known && free < need {
		return fmt.Errorf("%w: %d MiB are free in %s, %d MiB are needed", ErrFull, free>>20, ob.dir, need>>20)
	}
	return nil
}
