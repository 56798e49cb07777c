//go:build unix

package config_test

import (
	"io"
	"os"
	"path/filepath"
	"runtime"
	"syscall"
	"testing"
	"time"
)

// What a command has started ends with it: the pipe that it holds is closed.
func TestSecretCommandTakesItsChildrenAlong(t *testing.T) {
	if tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0); err == nil {
		tty.Close()
		t.Skip("at a terminal a command has no process group of its own")
	}
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	held := make(chan string)
	go func() {
		defer close(held)
		f, err := os.Open(pipe)
		if err != nil {
			return
		}
		defer f.Close()
		text, _ := io.ReadAll(f)
		held <- string(text)
	}()
	o := options(t, ids("SMTPSEND_OFFICE_CLIENT_SECRET_COMMAND=sh -c '(echo started; exec sleep 600) >"+pipe+" & wait'", "PATH=/usr/bin:/bin")...)
	o.CommandTimeout = 2 * time.Second
	wantLines(t, problems(t, o), "error: SMTPSEND_OFFICE_CLIENT_SECRET_COMMAND took longer than 2s")
	select {
	case text := <-held:
		if text != "started\n" {
			t.Errorf("the child wrote %q", text)
		}
	case <-time.After(time.Minute):
		t.Error("the child goes on")
	}
}

// A command that prints without end costs time, and no memory.
func TestSecretCommandThatPrintsMuchIsNotKept(t *testing.T) {
	for _, stream := range []string{"", " >&2"} {
		o := options(t, ids("SMTPSEND_OFFICE_CLIENT_SECRET_COMMAND=sh -c 'head -c 67108864 /dev/zero"+stream+"; exit 1'", "PATH=/usr/bin:/bin")...)
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		problems(t, o)
		runtime.ReadMemStats(&after)
		if used := after.TotalAlloc - before.TotalAlloc; used > 16<<20 {
			t.Errorf("%d octets were allocated for 64 MiB%s", used, stream)
		}
	}
}
