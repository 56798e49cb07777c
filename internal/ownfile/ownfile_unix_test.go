//go:build unix

package ownfile_test

import (
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"syscall"
	"testing"

	"github.com/smtpsend/smtpsend/internal/ownfile"
)

const nobody = 65534

func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// tree makes a directory for planted things, and the file "mine" of this user.
func tree(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	must(t, os.Chmod(dir, 0o755))
	put(t, filepath.Join(dir, "mine"), 0o600)
	return dir
}

func put(t *testing.T, name string, mode fs.FileMode) {
	t.Helper()
	must(t, os.WriteFile(name, []byte("content"), 0o600))
	must(t, os.Chmod(name, mode))
}

func dirOf(t *testing.T, name string, mode fs.FileMode) string {
	t.Helper()
	must(t, os.Mkdir(name, 0o700))
	must(t, os.Chmod(name, mode))
	return name
}

func needsRoot(t *testing.T) {
	t.Helper()
	if os.Geteuid() != 0 {
		t.Skip("needs root, to have files of another user")
	}
}

// wantRefused checks that err is an *Error with a part of the reason.
func wantRefused(t *testing.T, err error, part string) {
	t.Helper()
	var refused *ownfile.Error
	if !errors.As(err, &refused) || !strings.Contains(err.Error(), part) {
		t.Errorf("got %v; want an *ownfile.Error with %q", err, part)
	}
}

func TestTrustedFilesAreRead(t *testing.T) {
	for name, plant := range map[string]func(dir string) string{
		"plain":                           func(dir string) string { return dir + "/mine" },
		"readable by others":              func(dir string) string { put(t, dir+"/f", 0o644); return dir + "/f" },
		"dots and slashes":                func(dir string) string { return dir + "/./sub/..//mine" },
		"a link of ours":                  func(dir string) string { must(t, os.Symlink("mine", dir+"/l")); return dir + "/l" },
		"an absolute link":                func(dir string) string { must(t, os.Symlink(dir+"/mine", dir+"/l")); return dir + "/l" },
		"a link to a directory":           func(dir string) string { must(t, os.Symlink("..", dir+"/sub/up")); return dir + "/sub/up/mine" },
		"a directory that all may search": func(dir string) string { must(t, os.Chmod(dir, 0o711)); return dir + "/mine" },
		"a file in a directory that a group may write": func(dir string) string { must(t, os.Chmod(dir, 0o775)); return dir + "/mine" },
		"our link where the sticky bit is": func(dir string) string {
			d := dirOf(t, dir+"/sticky", 0o777|fs.ModeSticky)
			must(t, os.Symlink("../mine", d+"/l"))
			return d + "/l"
		},
		"a secret as Kubernetes mounts it": func(dir string) string {
			d := dirOf(t, dir+"/secret", 0o777|fs.ModeSticky)
			put(t, dirOf(t, d+"/..2026_11_30", 0o755)+"/smtpsend.env", 0o644)
			must(t, os.Symlink("..2026_11_30", d+"/..data"))
			must(t, os.Symlink("..data/smtpsend.env", d+"/smtpsend.env"))
			return d + "/smtpsend.env"
		},
	} {
		t.Run(name, func(t *testing.T) {
			dir := tree(t)
			dirOf(t, dir+"/sub", 0o755)
			f, err := ownfile.OpenTrusted(plant(dir))
			must(t, err)
			defer f.Close()
			if text, err := io.ReadAll(f); err != nil || string(text) != "content" {
				t.Errorf("read %q, %v", text, err)
			}
		})
	}
}

func TestUntrustedFilesAreRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		plant func(dir string) string
		part  string
	}{
		"others may write":  {func(dir string) string { put(t, dir+"/f", 0o606); return dir + "/f" }, "may be written by others"},
		"a group may write": {func(dir string) string { put(t, dir+"/f", 0o660); return dir + "/f" }, "may be written by others"},
		"directory":         {func(dir string) string { return dir }, "is a directory"},
		"pipe":              {func(dir string) string { must(t, syscall.Mkfifo(dir+"/p", 0o600)); return dir + "/p" }, "is a pipe"},
		"device":            {func(string) string { return "/dev/zero" }, "is a device"},
		"hard link":         {func(dir string) string { must(t, os.Link(dir+"/mine", dir+"/l")); return dir + "/l" }, "hard link"},
		"our link where all may write": {func(dir string) string {
			d := dirOf(t, dir+"/open", 0o777)
			must(t, os.Symlink("../mine", d+"/l"))
			return d + "/l"
		}, "is reached by a link (l) that others may have made"},
		"our link where a group may write": {func(dir string) string {
			d := dirOf(t, dir+"/open", 0o775)
			must(t, os.Symlink("../mine", d+"/l"))
			return d + "/l"
		}, "is reached by a link (l) that others may have made"},
		"a directory by a link where all may write": {func(dir string) string {
			must(t, os.Symlink("..", dirOf(t, dir+"/open", 0o777)+"/d"))
			return dir + "/open/d/mine"
		}, "is reached by a link (d) that others may have made"},
		"a good link to a bad one": {func(dir string) string {
			must(t, os.Symlink("../mine", dirOf(t, dir+"/open", 0o777)+"/l"))
			must(t, os.Symlink("open/l", dir+"/good"))
			return dir + "/good"
		}, "is reached by a link (l)"},
	} {
		t.Run(name, func(t *testing.T) {
			f, err := ownfile.OpenTrusted(tt.plant(tree(t)))
			if err == nil {
				f.Close()
			}
			wantRefused(t, err, tt.part)
		})
	}
}

func TestWhatLeadsNowhereIsNotThere(t *testing.T) {
	dir := tree(t)
	must(t, os.Symlink("nothing", dir+"/dangling"))
	must(t, os.Symlink("loop", dir+"/loop"))
	for name, want := range map[string]error{
		"":                fs.ErrNotExist,
		dir + "/x":        fs.ErrNotExist,
		dir + "/dangling": fs.ErrNotExist,
		dir + "/loop":     syscall.ELOOP,
		// What text alone would make another file of: the first directory is not there.
		dir + "/mine /usr/bin x/../mine": fs.ErrNotExist,
		dir + "/mine/../mine":            syscall.ENOTDIR,
	} {
		if f, err := ownfile.OpenTrusted(name); !errors.Is(err, want) {
			t.Errorf("%q: %v, %v; want %v", name, f, err, want)
		}
	}
}

// Regular files of the kernel's hold what any caller wrote, and are root's or ours.
func TestFilesOfTheKernelAreRefused(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("needs /proc")
	}
	for _, name := range []string{
		"/proc/self/cmdline", "/proc/self/environ", "/proc/self/comm", "/proc/self/fd/0", "/dev/stdin", "/dev/fd/0",
		"/proc/thread-self/cmdline", "/proc/self/root/proc/self/cmdline", "/proc/self/cwd/ownfile.go", "/sys/kernel/mm/ksm/run", "/proc/version",
	} {
		if _, err := os.Stat(name); err != nil {
			continue
		}
		f, err := ownfile.OpenTrusted(name)
		if err == nil {
			f.Close()
		}
		wantRefused(t, err, name+" ")
	}
}

func TestFilesOfOthersAreRefused(t *testing.T) {
	needsRoot(t)
	dir := tree(t)
	put(t, dir+"/theirs", 0o600)
	must(t, os.Chown(dir+"/theirs", nobody, nobody))
	sticky := dirOf(t, dir+"/sticky", 0o777|fs.ModeSticky)
	must(t, os.Symlink("../mine", sticky+"/l"))
	must(t, os.Lchown(sticky+"/l", nobody, nobody))
	home := dirOf(t, dir+"/home", 0o755)
	must(t, os.Symlink("../mine", home+"/l"))
	must(t, os.Chown(home, nobody, nobody))
	for name, part := range map[string]string{
		dir + "/theirs": "belongs neither to you nor to root",
		sticky + "/l":   "is reached by a link (l)",
		home + "/l":     "is reached by a link (l)",
	} {
		f, err := ownfile.OpenTrusted(name)
		if err == nil {
			f.Close()
		}
		wantRefused(t, err, part)
	}
	for what, open := range map[string]func(string) error{
		"OpenPrivate":  func(n string) error { return closed(ownfile.OpenPrivate(n)) },
		"OpenOrCreate": func(n string) error { f, _, err := ownfile.OpenOrCreate(n); return closed(f, err) },
		"Append":       func(n string) error { return closed(ownfile.Append(n)) },
		"Output":       func(n string) error { return closed(ownfile.Output(t.Context(), n)) },
		"TryLock":      func(n string) error { _, _, err := ownfile.TryLock(n); return err },
	} {
		t.Run(what, func(t *testing.T) { wantRefused(t, open(dir+"/theirs"), "belongs to user 65534") })
	}
	if text, err := os.ReadFile(dir + "/theirs"); err != nil || string(text) != "content" {
		t.Errorf("their file is %q, %v", text, err)
	}
	wantRefused(t, ownfile.MakeDir(home), "belongs to user 65534")
	wantRefused(t, ownfile.MakeDir(sticky+"/l/sub"), "is reached by a link (l)")
}

func closed(f *os.File, err error) error {
	if f != nil {
		_ = f.Close()
	}
	return err
}

// What is planted in the place of a file of ours changes nothing that it leads to.
func TestPlantedThingsAreNotOpened(t *testing.T) {
	plants := map[string]func(t *testing.T, dir, name string){
		"link":          func(t *testing.T, dir, name string) { must(t, os.Symlink(dir+"/mine", name)) },
		"dangling link": func(t *testing.T, dir, name string) { must(t, os.Symlink(dir+"/made", name)) },
		"hard link":     func(t *testing.T, dir, name string) { must(t, os.Link(dir+"/mine", name)) },
		"pipe":          func(t *testing.T, _, name string) { must(t, syscall.Mkfifo(name, 0o600)) },
		"directory":     func(t *testing.T, _, name string) { must(t, os.Mkdir(name, 0o700)) },
	}
	for what, open := range map[string]func(string) error{
		"OpenPrivate":  func(n string) error { return closed(ownfile.OpenPrivate(n)) },
		"OpenOrCreate": func(n string) error { f, _, err := ownfile.OpenOrCreate(n); return closed(f, err) },
		"Append":       func(n string) error { return closed(ownfile.Append(n)) },
		"Create":       func(n string) error { return closed(ownfile.Create(n)) },
		"TryLock":      func(n string) error { _, _, err := ownfile.TryLock(n); return err },
	} {
		for planted, plant := range plants {
			t.Run(what+" of a "+planted, func(t *testing.T) {
				dir := tree(t)
				plant(t, dir, dir+"/x")
				if err := open(dir + "/x"); err == nil {
					t.Error("it was opened")
				}
				if text, err := os.ReadFile(dir + "/mine"); err != nil || string(text) != "content" {
					t.Errorf("what it leads to is %q, %v", text, err)
				}
				if _, err := os.Lstat(dir + "/made"); !errors.Is(err, fs.ErrNotExist) {
					t.Errorf("a file was made where the link leads: %v", err)
				}
			})
		}
	}
}

func TestOpenPrivateWantsNoOthers(t *testing.T) {
	dir := tree(t)
	must(t, closed(ownfile.OpenPrivate(dir+"/mine")))
	put(t, dir+"/seen", 0o640)
	wantRefused(t, closed(ownfile.OpenPrivate(dir+"/seen")), "has mode 0640, which gives others access")
}

func TestOpenOrCreateMakesAFileOnce(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	for _, want := range []bool{true, false} {
		f, created, err := ownfile.OpenOrCreate(name)
		must(t, err)
		info, err := f.Stat()
		must(t, err)
		must(t, f.Close())
		if created != want || info.Mode().Perm() != 0o600 {
			t.Errorf("created %v with mode %v, want %v and 0600", created, info.Mode(), want)
		}
	}
}

func TestOutputFollowsTrustedLinksOnly(t *testing.T) {
	for name, tt := range map[string]struct {
		mode    fs.FileMode
		refused bool
	}{"in a directory of ours": {0o755, false}, "in a directory that all may write": {0o777, true}} {
		t.Run(name, func(t *testing.T) {
			dir := tree(t)
			d := dirOf(t, dir+"/d", tt.mode)
			must(t, os.Symlink("../mine", d+"/l"))
			f, err := ownfile.Output(t.Context(), d+"/l")
			if tt.refused {
				wantRefused(t, err, "is reached by a link (l)")
				return
			}
			must(t, err)
			_, err = f.WriteString("new")
			must(t, err)
			must(t, f.Close())
			if text, err := os.ReadFile(dir + "/mine"); err != nil || string(text) != "new" {
				t.Errorf("the link's file is %q, %v", text, err)
			}
		})
	}
}

func TestOutputKeepsWhatWritableOpens(t *testing.T) {
	dir := tree(t)
	must(t, closed(ownfile.Writable(t.Context(), dir+"/mine")))
	if text, _ := os.ReadFile(dir + "/mine"); string(text) != "content" {
		t.Errorf("Writable left %q", text)
	}
	must(t, closed(ownfile.Output(t.Context(), dir+"/mine")))
	if text, _ := os.ReadFile(dir + "/mine"); len(text) > 0 {
		t.Errorf("Output left %q", text)
	}
	must(t, closed(ownfile.Output(t.Context(), "/dev/null")))
}

func TestMakeDirMakesAllWithMode0700(t *testing.T) {
	dir := tree(t)
	must(t, os.Symlink("real", dir+"/link"))
	must(t, os.Mkdir(dir+"/real", 0o700))
	for _, name := range []string{dir + "/a/b/c", dir + "/link/x/", dir + "/a/b"} {
		must(t, ownfile.MakeDir(name))
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o700 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
	if _, err := os.Stat(dir + "/real/x"); err != nil {
		t.Error(err)
	}
	open := dirOf(t, dir+"/open", 0o777)
	wantRefused(t, ownfile.MakeDir(open), "has mode 0777, which gives others access")
	must(t, os.Symlink(dir+"/real", open+"/l"))
	wantRefused(t, ownfile.MakeDir(open+"/l/made"), "is below "+open+", which every user may write")
	wantRefused(t, ownfile.OutputDir(open+"/l/made"), "is reached by a link (l)")
	if _, err := os.Stat(dir + "/real/made"); err == nil {
		t.Error("a directory was made through the link")
	}
	if err := ownfile.MakeDir(dir + "/mine/x"); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("below a file: %v", err)
	}
}

func TestLockIsTakenOnce(t *testing.T) {
	name := filepath.Join(t.TempDir(), "lock")
	first, locked, err := ownfile.TryLock(name)
	if err != nil || !locked {
		t.Fatalf("locked %v, %v", locked, err)
	}
	if _, locked, err := ownfile.TryLock(name); err != nil || locked {
		t.Errorf("the second time: locked %v, %v", locked, err)
	}
	for _, text := range []string{"a long text\n", "42\n"} {
		must(t, first.Note(text))
		if got, err := os.ReadFile(name); err != nil || string(got) != text {
			t.Errorf("the file is %q, %v; want %q", got, err, text)
		}
	}
	must(t, first.Unlock())
	again, locked, err := ownfile.TryLock(name)
	if err != nil || !locked {
		t.Fatalf("after Unlock: locked %v, %v", locked, err)
	}
	must(t, os.Remove(name))
	put(t, name, 0o600)
	if err := again.Note("x"); err == nil {
		t.Error("the note went into another file")
	}
	must(t, again.Unlock())
	put(t, name, 0o644)
	_, _, err = ownfile.TryLock(name)
	wantRefused(t, err, "has mode 0644")
}

func TestReadAllReadsFilesAndPipes(t *testing.T) {
	dir := tree(t)
	if text, err := ownfile.ReadAll(t.Context(), dir+"/mine", 7); err != nil || string(text) != "content" {
		t.Errorf("read %q, %v", text, err)
	}
	if _, err := ownfile.ReadAll(t.Context(), dir+"/mine", 6); !errors.Is(err, ownfile.ErrTooLarge) {
		t.Errorf("one octet too many: %v", err)
	}
	must(t, syscall.Mkfifo(dir+"/p", 0o600))
	go func() { // who writes may come later, and in pieces
		f, err := os.OpenFile(dir+"/p", os.O_WRONLY, 0)
		if err != nil {
			return
		}
		defer f.Close()
		_, _ = f.WriteString("one ")
		_, _ = f.WriteString("two")
	}()
	if text, err := ownfile.ReadAll(t.Context(), dir+"/p", 100); err != nil || string(text) != "one two" {
		t.Errorf("of the pipe: %q, %v", text, err)
	}
}

// A pipe that nobody writes to, or whose writer says nothing, ends with the context.
func TestReadAllOfASilentPipeEndsWithItsContext(t *testing.T) {
	for name, writer := range map[string]bool{"no writer": false, "a silent writer": true} {
		t.Run(name, func(t *testing.T) {
			pipe := t.TempDir() + "/p"
			must(t, syscall.Mkfifo(pipe, 0o600))
			if writer {
				f, err := os.OpenFile(pipe, os.O_RDWR, 0)
				must(t, err)
				defer f.Close()
			}
			ctx, cancel := context.WithCancelCause(t.Context())
			why := errors.New("interrupted")
			go cancel(why)
			if _, err := ownfile.ReadAll(ctx, pipe, 100); !errors.Is(err, why) {
				t.Errorf("got %v, want the context's cause", err)
			}
		})
	}
}
