package zone_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/zone"
)

// childVariable makes the test program tell of a zone instead.
const childVariable = "ZONE_TEST_CHILD"

func TestMain(m *testing.M) {
	if tz := os.Getenv(childVariable); tz != "" {
		err := zone.Set(tz, true)
		fmt.Println(err, time.Date(2026, 12, 24, 8, 0, 0, 0, time.Local).Format(time.RFC3339))
		os.Exit(0)
	}
	os.Exit(m.Run())
}

// TestZonesWithoutAMachine: in a directory that is all there is, as in an image
// with nothing but the program.
func TestZonesWithoutAMachine(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("needs root: another root directory")
	}
	dir := t.TempDir()
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	program, err := os.ReadFile(self)
	if err == nil {
		err = os.WriteFile(filepath.Join(dir, "program"), program, 0o700)
	}
	if err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command("/program")
	cmd.SysProcAttr = &syscall.SysProcAttr{Chroot: dir}
	cmd.Env, cmd.Dir = []string{childVariable + "=Europe/Berlin"}, "/"
	out, err := cmd.CombinedOutput()
	if os.IsNotExist(err) {
		t.Skip("the test program is linked with libraries, as by the race detector")
	}
	if want := "<nil> 2026-12-24T08:00:00+01:00\n"; err != nil || string(out) != want {
		t.Errorf("%q, %v, want %q", out, err, want)
	}
}

// A pipe that nobody writes to must not be waited for.
func TestAPipeIsNotAZone(t *testing.T) {
	pipe := filepath.Join(t.TempDir(), "pipe")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	self, err := os.Executable()
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, self)
	cmd.Env = []string{childVariable + "=" + pipe, "TZ=" + pipe}
	out, err := cmd.CombinedOutput()
	if want := fmt.Sprintf("TZ=%q is not a file with a time zone 2026-12-24T08:00:00Z\n", pipe); err != nil || string(out) != want {
		t.Errorf("%q, %v, want %q", out, err, want)
	}
}
