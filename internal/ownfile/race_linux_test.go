package ownfile_test

import (
	"os"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// exchange swaps two names again and again until the test ends.
func exchange(t *testing.T, a, b string) {
	t.Helper()
	end, ended := make(chan struct{}), make(chan struct{})
	go func() {
		defer close(ended)
		for {
			select {
			case <-end:
				return
			default:
				_ = unix.Renameat2(unix.AT_FDCWD, a, unix.AT_FDCWD, b, unix.RENAME_EXCHANGE)
			}
		}
	}()
	t.Cleanup(func() { close(end); <-ended })
}

// TestWhatIsExchangedMeanwhileIsNotWritten: a look at a name and the opening of it
// were two things once, and another user was between them.
func TestWhatIsExchangedMeanwhileIsNotWritten(t *testing.T) {
	needsRoot(t)
	dir := tree(t)
	d := theirs(t, dir)
	rooms := dirOf(t, dir+"/ours", 0o700)
	put(t, rooms+"/victim", 0o600)
	link(t, "/dev/null", d+"/out")
	link(t, rooms+"/victim", d+"/alt")
	must(t, os.Mkdir(d+"/real", 0o700))
	must(t, os.Chown(d+"/real", nobody, nobody))
	link(t, rooms, d+"/lead")
	exchange(t, d+"/out", d+"/alt")
	exchange(t, d+"/real", d+"/lead")
	for range 300 {
		for _, write := range writers(t) {
			_ = write(d + "/out")
			_ = write(d + "/real/victim")
			_ = write(d + "/real/new")
		}
		_ = ownfile.MakeTrustedDir(d + "/real/dir")
		_ = ownfile.MakeDir(d + "/real/dir")
		if text, err := os.ReadFile(rooms + "/victim"); err != nil || string(text) != "content" {
			t.Fatalf("the victim is %q, %v", text, err)
		}
		if entries, err := os.ReadDir(rooms); err != nil || len(entries) != 1 {
			t.Fatalf("made in our directory: %v, %v", entries, err)
		}
	}
}
