package main

import (
	"bytes"
	"context"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/sandbox"
)

const nobody = 65534

// foreign is the outbox of another user, in which root is to queue and submit,
// and a file of root's that this user would like to reach.
type foreign struct {
	dir, target string
	environ     []string
}

func newForeign(t *testing.T) *foreign {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to be somebody else in another's outbox")
	}
	box, err := sandbox.Start(context.Background(), sandbox.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { box.Close() })
	top, err := os.MkdirTemp("", "smtpsend-foreign") // one that others may enter
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(top) })
	f := &foreign{dir: filepath.Join(top, "state"), target: filepath.Join(top, "root's")}
	for _, step := range []error{
		os.Chmod(top, 0o755), os.Mkdir(f.dir, 0o700), os.Chown(f.dir, nobody, nobody),
		os.WriteFile(f.target, []byte("root's own\n"), 0o644), box.WriteEnv(filepath.Join(top, "e.env")),
	} {
		if step != nil {
			t.Fatal(step)
		}
	}
	f.environ = append(os.Environ(), "SMTPSEND_ENV_FILE="+filepath.Join(top, "e.env"), "SMTPSEND_STATE_DIR="+f.dir, "HOME="+top, "XDG_CACHE_HOME="+top+"/cache")
	return f
}

func (f *foreign) run(t *testing.T, args ...string) (code int, said string) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	cmd := exec.CommandContext(ctx, "smtpsend", args...)
	var out bytes.Buffer
	cmd.Env, cmd.Stdin, cmd.Stdout, cmd.Stderr = f.environ, strings.NewReader("Subject: x\n\nx\n"), &out, &out
	_ = cmd.Run()
	return cmd.ProcessState.ExitCode(), out.String()
}

// verbs are what root may do in an outbox.
var outboxVerbs = [][]string{
	{"send", "--queue", "--to", "a@contoso.example", "--text", "x"},
	{"sendmail", "--queue", "a@contoso.example"},
	{"queue", "ls"}, {"queue", "run"}, {"sendmail", "-bp"}, {"sendmail", "-q"},
}

func TestRootInAnotherUsersOutboxIsThatUser(t *testing.T) {
	f := newForeign(t)
	for _, args := range outboxVerbs {
		if code, said := f.run(t, args...); code != 0 {
			t.Errorf("%q: exit code %d: %s", args, code, said)
		}
	}
	entries, err := os.ReadDir(f.dir)
	if err != nil || len(entries) < 2 {
		t.Fatalf("in the outbox: %v, %v", entries, err)
	}
	for _, e := range entries {
		info, err := e.Info()
		if err != nil {
			t.Fatal(err)
		}
		if uid := info.Sys().(*syscall.Stat_t).Uid; uid != nobody {
			t.Errorf("%s belongs to user %d", e.Name(), uid)
		}
	}
	if code, said := f.run(t, "--verbose", "queue", "ls"); code != 0 || !strings.Contains(said, "continuing as nobody, the owner of "+f.dir) {
		t.Errorf("exit code %d: %s", code, said)
	}
}

// What that user plants leads root nowhere.
func TestRootFollowsNothingInAnotherUsersOutbox(t *testing.T) {
	for name, plant := range map[string]func(f *foreign) error{
		"the database leads to root's file":       func(f *foreign) error { return os.Symlink(f.target, f.dir+"/queue.db") },
		"the database leads to a file to be made": func(f *foreign) error { return os.Symlink(f.target+"2", f.dir+"/queue.db") },
		"the lock leads to root's file":           func(f *foreign) error { return os.Symlink(f.target, f.dir+"/lock") },
		"the database is a hard link":             func(f *foreign) error { return os.Link(f.target, f.dir+"/queue.db") },
		"the lock is a hard link":                 func(f *foreign) error { return os.Link(f.target, f.dir+"/lock") },
		"the log leads to root's file":            func(f *foreign) error { return os.Symlink(f.target, f.dir+"/queue.db-wal") },
		"the shared memory leads to root's file":  func(f *foreign) error { return os.Symlink(f.target, f.dir+"/queue.db-shm") },
		"the journal leads to root's file":        func(f *foreign) error { return os.Symlink(f.target, f.dir+"/queue.db-journal") },
		"the database is a pipe":                  func(f *foreign) error { return syscall.Mkfifo(f.dir+"/queue.db", 0o600) },
		"the directory is a link of the other user": func(f *foreign) error {
			home := filepath.Join(filepath.Dir(f.dir), "home")
			link := filepath.Join(home, "state")
			f.environ = append(f.environ, "SMTPSEND_STATE_DIR="+link)
			for _, err := range []error{os.Mkdir(home, 0o755), os.Symlink(filepath.Dir(f.dir), link), os.Lchown(link, nobody, nobody), os.Chown(home, nobody, nobody)} {
				if err != nil {
					return err
				}
			}
			return nil
		},
	} {
		t.Run(name, func(t *testing.T) {
			for _, args := range outboxVerbs {
				f := newForeign(t)
				if err := plant(f); err != nil {
					t.Fatal(err)
				}
				before, err := os.Lstat(f.target)
				if err != nil {
					t.Fatal(err)
				}
				_, said := f.run(t, args...)
				after, err := os.Lstat(f.target)
				if err != nil || after.Mode() != before.Mode() || after.ModTime() != before.ModTime() {
					t.Errorf("%q: root's file is %v now, was %v: %s", args, after, before, said)
				}
				if text, err := os.ReadFile(f.target); err != nil || string(text) != "root's own\n" {
					t.Errorf("%q: root's file holds %q, %v: %s", args, text, err, said)
				}
				if _, err := os.Lstat(f.target + "2"); err == nil {
					t.Errorf("%q made a file where the link leads: %s", args, said)
				}
				if _, err := os.Lstat(filepath.Dir(f.dir) + "/queue.db"); err == nil {
					t.Errorf("%q made an outbox where the link leads: %s", args, said)
				}
			}
		})
	}
}

// What root does to the relay's users the service sees, and what its user cannot read
// root's check says.
func TestRootKeepsTheUsersOfAnothersRelay(t *testing.T) {
	f := newForeign(t)
	settings, passwords := filepath.Join(filepath.Dir(f.dir), "relay.yaml"), filepath.Join(filepath.Dir(f.dir), "relay-users")
	text := "users_file: relay-users\nlisteners: [{address: 'smtp://127.0.0.1:2525', policy: auth}]\nclients: [{name: scanner, user: scanner}]\n"
	for _, step := range []error{os.WriteFile(settings, []byte(text), 0o640), os.Chown(settings, 0, nobody), os.Chmod(settings, 0o640)} {
		if step != nil {
			t.Fatal(step)
		}
	}
	f.environ = append(f.environ, "SMTPSEND_RELAY_FILE="+settings)
	for _, args := range [][]string{{"relay", "user", "add", "--generate", "scanner"}, {"relay", "check"}, {"relay", "user", "add", "--generate", "other"}, {"relay", "check"}} {
		if code, said := f.run(t, args...); code != exit.OK {
			t.Errorf("%q: %d: %s", args, code, said)
		}
	}
	if err := os.Chmod(passwords, 0o600); err != nil {
		t.Fatal(err)
	}
	if code, said := f.run(t, "relay", "check"); code != exit.Config || !strings.Contains(said, "permission denied") {
		t.Errorf("check of a file that the service cannot read: %d: %s", code, said)
	}
}
