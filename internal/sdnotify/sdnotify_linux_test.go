package sdnotify_test

import (
	"bufio"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"golang.org/x/sys/unix"

	"github.com/smtpsend/smtpsend/internal/sdnotify"
)

// TestMain is also the child process: the service that the tests supervise.
func TestMain(m *testing.M) {
	switch os.Getenv("SDNOTIFY_TEST") {
	case "service":
		fmt.Println(service())
	case "grandchild":
		fmt.Println(grandchild())
	default:
		os.Exit(m.Run())
	}
}

// service does what a daemon does, and returns what it found.
func service() string {
	s, err := sdnotify.Environment()
	if err != nil {
		return "environment: " + err.Error()
	}
	all, err := s.Listeners()
	if err != nil {
		return "listeners: " + err.Error()
	}
	var found []string
	for name, listeners := range all {
		for _, l := range listeners {
			found = append(found, fmt.Sprintf("%s=%s", name, l.Addr()))
			go greet(l)
		}
	}
	again, _ := s.Listeners()
	os.Setenv("SDNOTIFY_TEST", "grandchild")
	out, err := exec.Command(os.Args[0]).Output()
	for _, said := range []error{
		s.Ready("ready\nWATCHDOG=trigger"), s.Reloading("new settings"), s.Ready(""), s.Status(strings.Repeat("é", 700)), s.Alive(), s.Stopping("bye"),
	} {
		err = errors.Join(err, said)
	}
	fmt.Println("up")
	_, _ = io.ReadAll(os.Stdin)
	return fmt.Sprintf("%v again=%d listens=%v watchdog=%v err=%v grandchild=%s", found, len(again), s.Listens(), s.Watchdog(), err, out)
}

// greet answers the first connection.
func greet(l net.Listener) {
	c, err := l.Accept()
	if err == nil {
		_, _ = io.WriteString(c, "hello")
		_ = c.Close()
	}
}

// grandchild says what a program that the service starts gets of all this.
func grandchild() string {
	var got []string
	for _, entry := range os.Environ() {
		if strings.HasPrefix(entry, "NOTIFY_") || strings.HasPrefix(entry, "LISTEN_") || strings.HasPrefix(entry, "WATCHDOG_") {
			got = append(got, entry)
		}
	}
	for fd := 3; fd < 20; fd++ {
		var st unix.Stat_t
		if unix.Fstat(fd, &st) == nil && st.Mode&unix.S_IFMT == unix.S_IFSOCK {
			got = append(got, fmt.Sprintf("socket %d", fd))
		}
	}
	return fmt.Sprint(len(got), got)
}

// start runs the service by a shell, which sets the variables that hold its number.
func start(t *testing.T, env []string, script string, files ...*os.File) (out *bufio.Reader, stop func()) {
	t.Helper()
	cmd := exec.Command("sh", "-c", script+"; exec \"$0\"", os.Args[0])
	cmd.Env = append(os.Environ(), append(env, "SDNOTIFY_TEST=service")...)
	cmd.ExtraFiles = files
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	cmd.Stderr = os.Stderr
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = cmd.Wait() })
	return bufio.NewReader(stdout), func() { _ = in.Close() }
}

func file(t *testing.T, l net.Listener) *os.File {
	t.Helper()
	f, err := l.(interface{ File() (*os.File, error) }).File()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = f.Close() })
	return f
}

func TestServiceSpeaksWithItsSupervisor(t *testing.T) {
	for kind, name := range map[string]string{"path": filepath.Join(t.TempDir(), "notify"), "abstract": fmt.Sprintf("@smtpsend-test-%d", os.Getpid())} {
		t.Run(kind, func(t *testing.T) {
			supervisor, err := net.ListenUnixgram("unixgram", &net.UnixAddr{Net: "unixgram", Name: name})
			if err != nil {
				t.Fatal(err)
			}
			defer supervisor.Close()
			tcp, err := net.Listen("tcp", "127.0.0.1:0")
			if err != nil {
				t.Fatal(err)
			}
			defer tcp.Close()
			path := filepath.Join(t.TempDir(), "relay.sock")
			local, err := net.Listen("unix", path)
			if err != nil {
				t.Fatal(err)
			}
			defer local.Close()
			out, stop := start(t, []string{"NOTIFY_SOCKET=" + name, "WATCHDOG_USEC=30000000", "LISTEN_FDS=2", "LISTEN_FDNAMES=submission:local"},
				"export LISTEN_PID=$$ WATCHDOG_PID=$$", file(t, tcp), file(t, local))
			if line, err := out.ReadString('\n'); line != "up\n" {
				rest, _ := io.ReadAll(out)
				t.Fatalf("%q, %v, %s", line, err, rest)
			}
			c, err := net.Dial("tcp", tcp.Addr().String())
			if err != nil {
				t.Fatal(err)
			}
			if got, err := io.ReadAll(c); string(got) != "hello" {
				t.Errorf("got %q, %v from the service's socket", got, err)
			}
			stop()
			rest, _ := io.ReadAll(out)
			for _, want := range []string{"submission=" + tcp.Addr().String(), "local=" + path, "again=0", "listens=true", "watchdog=30s", "err=<nil>", "grandchild=0 []"} {
				if !strings.Contains(string(rest), want) {
					t.Errorf("%s\nlacks %q", rest, want)
				}
			}
			if _, err := os.Stat(path); err != nil {
				t.Errorf("the socket's file went with the service: %v", err)
			}
			wantStates(t, supervisor)
		})
	}
}

func wantStates(t *testing.T, supervisor *net.UnixConn) {
	t.Helper()
	_ = supervisor.SetReadDeadline(time.Now().Add(time.Minute))
	buffer := make([]byte, 4096)
	for _, want := range []string{
		"READY=1\nSTATUS=ready WATCHDOG=trigger\n", `RELOADING=1\nMONOTONIC_USEC=[1-9]\d*\nSTATUS=new settings\n`, "READY=1\n",
		"STATUS=é{500}\n", "WATCHDOG=1\n", "STOPPING=1\nSTATUS=bye\n",
	} {
		n, err := supervisor.Read(buffer)
		if err != nil {
			t.Fatal(err)
		}
		if !regexp.MustCompile("^" + want + "$").Match(buffer[:n]) {
			t.Errorf("got %q; want %q", buffer[:n], want)
		}
	}
}

func TestWhatIsForAnotherProcessIsLeft(t *testing.T) {
	out, stop := start(t, []string{"LISTEN_FDS=1", "LISTEN_PID=1", "WATCHDOG_USEC=1", "WATCHDOG_PID=1"}, ":")
	stop()
	rest, _ := io.ReadAll(out)
	if !strings.Contains(string(rest), "[] again=0 listens=false watchdog=0s err=<nil> grandchild=0 []") {
		t.Errorf("%s", rest)
	}
}

func TestWrongVariablesAreErrors(t *testing.T) {
	for script, want := range map[string]string{
		"export NOTIFY_SOCKET=vsock:2:1":                                "NOTIFY_SOCKET",
		"export WATCHDOG_USEC=never":                                    "WATCHDOG_USEC",
		"export LISTEN_PID=$$ LISTEN_FDS=-1":                            "LISTEN_FDS",
		"export LISTEN_PID=$$ LISTEN_FDS=100000":                        "LISTEN_FDS",
		"export LISTEN_PID=$$ LISTEN_FDS=2 LISTEN_FDNAMES=a":            "LISTEN_FDNAMES",
		"export LISTEN_PID=$$ LISTEN_FDS=1 LISTEN_FDNAMES=a; exec 3<&0": `socket 3 "a"`,
	} {
		out, stop := start(t, nil, script)
		stop()
		if rest, _ := io.ReadAll(out); !strings.Contains(string(rest), want) {
			t.Errorf("%s: %s", script, rest)
		}
	}
}
