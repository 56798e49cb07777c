//go:build unix

// Command launch runs one program and reports what it cost. It exists because
// the kernel counts a parent's memory as its child's until the child executes
// its own program (getrusage(2), ru_maxrss): started from the benchmark itself,
// every program would seem to need as much as the benchmark with its sandbox.
// This one needs little, and imports little to keep it so.
package main

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// report is read by package bench from file descriptor 3.
type report struct {
	Start, Wall, User, System int64 // nanoseconds, Start since 1970
	MaxRSS                    int64 // as the kernel gives it
	Exit                      int
}

func main() {
	syscall.CloseOnExec(3)
	out := os.NewFile(3, "report")
	path, err := exec.LookPath(os.Args[1])
	if err != nil {
		fail(err)
	}
	start := time.Now()
	p, err := os.StartProcess(path, os.Args[1:], &os.ProcAttr{Files: []*os.File{os.Stdin, os.Stdout, os.Stderr}})
	if err != nil {
		fail(err)
	}
	state, err := p.Wait()
	wall := time.Since(start)
	if err != nil {
		fail(err)
	}
	usage, _ := state.SysUsage().(*syscall.Rusage) // that is what it is on Unix
	err = json.NewEncoder(out).Encode(report{
		Start: start.UnixNano(), Wall: int64(wall), User: int64(state.UserTime()), System: int64(state.SystemTime()),
		MaxRSS: int64(usage.Maxrss), Exit: state.ExitCode(),
	})
	if err != nil {
		fail(err)
	}
}

func fail(err error) {
	fmt.Fprintf(os.Stderr, "launch: %v\n", err)
	os.Exit(1)
}
