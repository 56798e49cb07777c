package event_test

import (
	"fmt"
	"runtime"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/relay/event"
)

// What is kept of a long text does not keep the text: a stranger's commands are long, and a
// session lists many senders.
func TestAPieceDoesNotKeepItsText(t *testing.T) {
	held := func() uint64 {
		runtime.GC()
		var m runtime.MemStats
		runtime.ReadMemStats(&m)
		return m.HeapAlloc
	}
	before := held()
	var list []string
	for i := range event.MaxSeen {
		text := fmt.Sprintf("%050d", i) + strings.Repeat("x", 1<<20)
		event.See(&list, text[:50])
	}
	if after := held(); after > before+10<<20 {
		t.Errorf("%d names of 50 octets take %d", len(list), after-before)
	}
	runtime.KeepAlive(list)
}
