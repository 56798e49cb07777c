package nodump_test

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/smtpsend/smtpsend/internal/nodump"
)

func TestProcessIsNotDumpable(t *testing.T) {
	if err := nodump.Disable(); err != nil {
		t.Fatal(err)
	}
	var limit unix.Rlimit
	if err := unix.Getrlimit(unix.RLIMIT_CORE, &limit); err != nil {
		t.Fatal(err)
	}
	if limit.Cur != 0 || limit.Max != 0 {
		t.Errorf("limit of core files is %+v; want 0", limit)
	}
	if dumpable, err := unix.PrctlRetInt(unix.PR_GET_DUMPABLE, 0, 0, 0, 0); err != nil || dumpable != 0 {
		t.Errorf("dumpable is %d, %v; want 0", dumpable, err)
	}
}

// A pipe named /dev/fd/N or /dev/stdin is how a shell hands over a secret; it
// must stay open to the process itself, which /proc now says belongs to root.
func TestOwnDescriptorsStayOpen(t *testing.T) {
	if err := nodump.Disable(); err != nil {
		t.Fatal(err)
	}
	f, err := os.Open("/proc/self/fd/0")
	if err != nil {
		t.Fatal(err)
	}
	f.Close()
}
