package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"github.com/smtpsend/smtpsend/internal/exit"
)

// planter makes, for each new .eml in dir, a link to target in the place of the
// note beside it, until the returned function is called.
func planter(t *testing.T, dir, target string) (stop func() (planted int)) {
	t.Helper()
	fd, err := unix.InotifyInit1(unix.IN_CLOEXEC)
	if err != nil {
		t.Skipf("no inotify here: %v", err)
	}
	if _, err := unix.InotifyAddWatch(fd, dir, unix.IN_CREATE); err != nil {
		t.Fatal(err)
	}
	watch := os.NewFile(uintptr(fd), "inotify")
	done := make(chan int)
	go func() {
		planted := 0
		buffer := make([]byte, 64<<10)
		for {
			n, err := watch.Read(buffer)
			if err != nil {
				done <- planted
				return
			}
			for b := buffer[:n]; len(b) >= unix.SizeofInotifyEvent; {
				length := int(b[12]) | int(b[13])<<8 // of the name, padded with NUL
				name := string(bytes.TrimRight(b[unix.SizeofInotifyEvent:unix.SizeofInotifyEvent+length], "\x00"))
				b = b[unix.SizeofInotifyEvent+length:]
				if name == "stop" {
					done <- planted
					return
				}
				if base, ok := strings.CutSuffix(name, ".eml"); ok && os.Symlink(target, filepath.Join(dir, base+".json")) == nil {
					planted++
				}
			}
		}
	}()
	return func() int {
		if err := os.WriteFile(filepath.Join(dir, "stop"), nil, 0o600); err != nil {
			t.Error(err)
		}
		n := <-done
		watch.Close()
		return n
	}
}

// Whoever may write the directory of dead letters sees a message come in, and
// must not be able to say where the note beside it goes.
func TestNoteOfADeadLetterIsNotWrittenThroughALink(t *testing.T) {
	top := t.TempDir()
	dir, target := filepath.Join(top, "dead"), filepath.Join(top, "private")
	if err := os.Mkdir(dir, 0o777); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(target, []byte("mine\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	stop := planter(t, dir, target)
	kept := 0
	for range 20 {
		cmd := exec.Command("smtpsend", "sendmail", "a@contoso.example")
		cmd.Env = append(os.Environ(), "SMTPSEND_SMTP_PORT=none", "SMTPSEND_DEAD_LETTER_DIR="+dir, "HOME="+top)
		cmd.Stdin = strings.NewReader("From: a@contoso.example\n\n" + strings.Repeat("text\n", 10_000))
		out, _ := cmd.CombinedOutput()
		if cmd.ProcessState.ExitCode() != exit.Config || !strings.Contains(string(out), "smtpsend: kept: ") {
			t.Fatalf("exit code %d: %s", cmd.ProcessState.ExitCode(), out)
		}
		kept++
	}
	planted := stop()
	if text, err := os.ReadFile(target); err != nil || string(text) != "mine\n" {
		t.Errorf("the link's file is %q, %v", text, err)
	}
	t.Logf("%d links were planted for %d messages", planted, kept)
}

// The note is what people look at with cat.
func TestNoteOfADeadLetterSteersNoTerminal(t *testing.T) {
	dir := t.TempDir()
	cmd := exec.Command("smtpsend", "sendmail", "-F", "\u009b31m\u202e\u200b", "a@contoso.example")
	cmd.Env = append(os.Environ(), "SMTPSEND_SMTP_PORT=none", "SMTPSEND_DEAD_LETTER_DIR="+dir, "HOME="+dir)
	cmd.Stdin = strings.NewReader("From: a@contoso.example\n\nx\n")
	_ = cmd.Run()
	notes, _ := filepath.Glob(filepath.Join(dir, "*.json"))
	if len(notes) != 1 {
		t.Fatalf("notes: %q", notes)
	}
	text, err := os.ReadFile(notes[0])
	if err != nil || !strings.Contains(string(text), `\u009b31m\u202e\u200b`) {
		t.Errorf("%v: %q", err, text)
	}
}

// A dead.letter that leads elsewhere, or is not a file of ours, is left alone.
func TestDeadLetterInTheHomeIsNotWrittenThroughALink(t *testing.T) {
	for name, plant := range map[string]func(home, target string) error{
		"link":      func(home, target string) error { return os.Symlink(target, home+"/dead.letter") },
		"hard link": func(home, target string) error { return os.Link(target, home+"/dead.letter") },
		"pipe":      func(home, _ string) error { return unix.Mkfifo(home+"/dead.letter", 0o600) },
	} {
		t.Run(name, func(t *testing.T) {
			home, tmp, target := t.TempDir(), t.TempDir(), filepath.Join(t.TempDir(), "private")
			if err := os.WriteFile(target, []byte("mine\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := plant(home, target); err != nil {
				t.Fatal(err)
			}
			cmd := exec.Command("smtpsend", "sendmail", "a@contoso.example")
			cmd.Env = append(os.Environ(), "SMTPSEND_SMTP_PORT=none", "HOME="+home, "TMPDIR="+tmp)
			cmd.Stdin = strings.NewReader("From: a@contoso.example\n\nx\n")
			out, _ := cmd.CombinedOutput()
			if !strings.Contains(string(out), "smtpsend: kept: "+tmp) {
				t.Errorf("it was not kept elsewhere: %s", out)
			}
			if text, err := os.ReadFile(target); err != nil || string(text) != "mine\n" {
				t.Errorf("the link's file is %q, %v", text, err)
			}
		})
	}
}
