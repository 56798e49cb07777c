//go:build linux

package interop_test

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/freeport"
)

// result is what a program left.
type result struct {
	code           int
	stdout, stderr string
}

func (r result) String() string {
	return fmt.Sprintf("exit code %d\n-- stdout\n%s-- stderr\n%s", r.code, r.stdout, r.stderr)
}

// finish runs cmd to its end, within the limit.
func finish(t testing.TB, cmd *exec.Cmd) result {
	t.Helper()
	r, err := complete(t.Context(), cmd)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// complete is finish for goroutines, which cannot end a test.
func complete(ctx context.Context, cmd *exec.Cmd) (result, error) {
	return completeWithin(ctx, cmd, limit)
}

func completeWithin(ctx context.Context, cmd *exec.Cmd, limit time.Duration) (result, error) {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	var stdout, stderr bytes.Buffer
	cmd.Stdout, cmd.Stderr = &stdout, &stderr
	if err := cmd.Start(); err != nil {
		return result{}, err
	}
	stop := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer stop()
	err := cmd.Wait()
	r := result{cmd.ProcessState.ExitCode(), stdout.String(), stderr.String()}
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		return r, fmt.Errorf("running %s: %w", cmd.Path, err)
	}
	if ctx.Err() != nil {
		return r, fmt.Errorf("%s took longer than %v\n%v", cmd, limit, r)
	}
	return r, nil
}

// server is a program that runs until the test ends.
type server struct {
	cmd   *exec.Cmd
	ended chan struct{} // closed when the output ended

	mu      sync.Mutex // guards what follows
	lines   []string
	waiting []*watch
}

// watch is somebody's wait for a line.
type watch struct {
	match func(string) bool
	seen  chan string // gets the line
}

// serve starts cmd and waits for a line that contains ready, which it returns.
// At the test's end the program gets SIGTERM, later SIGKILL; its output is shown
// when the test failed.
func serve(t testing.TB, cmd *exec.Cmd, ready string) (*server, string) {
	t.Helper()
	s := &server{cmd: cmd, ended: make(chan struct{})}
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stdout, cmd.Stderr = w, w
	// Nothing outlives a test that is killed.
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGTERM}
	err = cmd.Start()
	_ = w.Close() // so that the output ends with the program
	if err != nil {
		t.Fatal(err)
	}
	go s.read(r)
	t.Cleanup(func() { s.stop(t) })
	return s, s.await(t, ready)
}

func (s *server) read(r *os.File) {
	defer r.Close()
	defer close(s.ended)
	for lines := bufio.NewReader(r); ; {
		line, err := lines.ReadString('\n')
		s.add(strings.TrimSuffix(line, "\n"))
		if err != nil {
			return
		}
	}
}

func (s *server) add(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = append(s.lines, line)
	s.waiting = slices.DeleteFunc(s.waiting, func(w *watch) bool {
		if w.match(line) {
			w.seen <- line
			return true
		}
		return false
	})
}

// await returns the first line, past or to come, that contains all words.
func (s *server) await(t testing.TB, words ...string) string {
	t.Helper()
	w := &watch{seen: make(chan string, 1), match: func(line string) bool {
		return !slices.ContainsFunc(words, func(word string) bool { return !strings.Contains(line, word) })
	}}
	s.mu.Lock()
	if i := slices.IndexFunc(s.lines, w.match); i >= 0 {
		w.seen <- s.lines[i]
	} else {
		s.waiting = append(s.waiting, w)
	}
	s.mu.Unlock()
	select {
	case line := <-w.seen:
		return line
	case <-s.ended:
		t.Fatalf("%s ended and did not print %q", s.cmd.Path, words)
	case <-time.After(limit):
		t.Fatalf("%s did not print %q within %v", s.cmd.Path, words, limit)
	}
	return ""
}

// forget drops the lines so far that contain the word.
func (s *server) forget(word string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.lines = slices.DeleteFunc(s.lines, func(line string) bool { return strings.Contains(line, word) })
}

// shownLines is how much a server's output shows of a test that failed.
const shownLines = 200

func (s *server) stop(t testing.TB) {
	_ = s.cmd.Process.Signal(syscall.SIGTERM)
	kill := time.AfterFunc(limit/3, func() {
		t.Errorf("%s did not end by SIGTERM", s.cmd.Path)
		_ = s.cmd.Process.Kill()
	})
	_ = s.cmd.Wait()
	kill.Stop()
	select {
	case <-s.ended: // its children, too, let go of the output
	case <-time.After(limit / 3):
		t.Errorf("%s left children behind", s.cmd.Path)
	}
	if t.Failed() {
		t.Logf("output of %s, its end:\n%s", s.cmd.Path, strings.Join(s.lines[max(0, len(s.lines)-shownLines):], "\n"))
	}
}

// freePort is a port of loopback on which nobody listens now. Programs that
// cannot say which port they were given need it.
func freePort(t testing.TB) string {
	t.Helper()
	port, err := freeport.Find()
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// writeFile writes a file of a program's own users.
func writeFile(t testing.TB, name, content string) string {
	t.Helper()
	if err := os.WriteFile(name, []byte(content), 0o644); err != nil {
		t.Fatal(err)
	}
	return name
}

// openDir is a temporary directory that other users may enter.
func openDir(t testing.TB) string {
	t.Helper()
	dir := t.TempDir()
	for _, d := range []string{dir, filepath.Dir(dir)} {
		if err := os.Chmod(d, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}
