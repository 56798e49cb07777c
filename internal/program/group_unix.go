//go:build unix

package program

import (
	"context"
	"os/exec"
	"syscall"

	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// ownGroup makes a program that is killed take along what it has started. At a
// terminal it stays in our process group, because only that one may ask there,
// and gets Ctrl-C from there.
func ownGroup(cmd *exec.Cmd) {
	if tty, err := ownfile.Writable(context.Background(), "/dev/tty"); err == nil {
		tty.Close()
		return
	}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
}
