//go:build unix

package ownfile_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"

	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// theirs makes a directory of another user's in dir, with what plant puts there.
func theirs(t *testing.T, dir string) string {
	t.Helper()
	d := dirOf(t, dir+"/theirs", 0o755)
	must(t, os.Chown(d, nobody, nobody))
	return d
}

// link is a link of another user's.
func link(t *testing.T, target, name string) {
	t.Helper()
	must(t, os.Symlink(target, name))
	must(t, os.Lchown(name, nobody, nobody))
}

// writers are the functions that write to a name.
func writers(t *testing.T) map[string]func(name string) error {
	return map[string]func(name string) error{
		"Create":       func(name string) error { return closed(ownfile.Create(name)) },
		"Append":       func(name string) error { return closed(ownfile.Append(name)) },
		"Replace":      func(name string) error { return ownfile.Replace(name, []byte("x"), 0o600) },
		"Output":       func(name string) error { return closed(ownfile.Output(t.Context(), name)) },
		"OpenOrCreate": func(name string) error { f, _, err := ownfile.OpenOrCreate(name); return closed(f, err) },
	}
}

// TestLinksOfOthersInTheMiddleAreRefused: only the last element was looked at once.
func TestLinksOfOthersInTheMiddleAreRefused(t *testing.T) {
	needsRoot(t)
	for name, write := range writers(t) {
		dir := tree(t)
		ours := dirOf(t, dir+"/ours", 0o700)
		put(t, ours+"/there", 0o600)
		link(t, ours, theirs(t, dir)+"/sub")
		for _, file := range []string{"there", "new"} {
			wantRefused(t, write(dir+"/theirs/sub/"+file), "is reached by a link (sub) that others may have made")
		}
		if text, err := os.ReadFile(ours + "/there"); err != nil || string(text) != "content" {
			t.Errorf("%s: the file that was there is %q, %v", name, text, err)
		}
		if entries, err := os.ReadDir(ours); err != nil || len(entries) != 1 {
			t.Errorf("%s made something: %v, %v", name, entries, err)
		}
	}
}

// TestLinksOfOursInTheMiddleAreFollowed.
func TestLinksOfOursInTheMiddleAreFollowed(t *testing.T) {
	for name, write := range writers(t) {
		dir := tree(t)
		ours := dirOf(t, dir+"/ours", 0o700)
		must(t, os.Symlink("ours", dir+"/sub"))
		if err := write(dir + "/sub/new"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if info, err := os.Stat(ours + "/new"); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info, err)
		}
	}
}

func TestOutputDoesNotFollowALinkOfOthersToADevice(t *testing.T) {
	needsRoot(t)
	dir := tree(t)
	d := theirs(t, dir)
	for _, device := range []string{"/dev/null", "/proc/self/fd/1", dir + "/mine"} {
		link(t, device, d+"/l")
		wantRefused(t, closed(ownfile.Output(t.Context(), d+"/l")), "is reached by a link (l) that others may have made")
		must(t, os.Remove(d+"/l"))
	}
}

// TestDirectoriesThatOthersCanExchange: what is opened by name below one of them
// may be something else by then.
func TestDirectoriesThatOthersCanExchange(t *testing.T) {
	dir := tree(t)
	dirOf(t, dir+"/open", 0o777)
	dirOf(t, dir+"/sticky", 0o777|fs.ModeSticky)
	dirOf(t, dir+"/open/below", 0o700)
	for name, use := range map[string]func(string) error{
		"MakeDir": ownfile.MakeDir, "MakeTrustedDir": ownfile.MakeTrustedDir, "CheckDir": ownfile.CheckDir,
	} {
		wantRefused(t, use(dir+"/open/below"), "is below "+dir+"/open, which every user may write")
		must(t, os.MkdirAll(dir+"/sticky/below", 0o700))
		if err := use(dir + "/sticky/below"); err != nil {
			t.Errorf("%s: %v", name, err)
		}
	}
	if os.Geteuid() != 0 {
		return
	}
	must(t, os.Mkdir(theirs(t, dir)+"/ours", 0o700))
	for _, use := range []func(string) error{ownfile.MakeDir, ownfile.MakeTrustedDir, ownfile.CheckDir} {
		wantRefused(t, use(dir+"/theirs/ours"), "is below "+dir+"/theirs, which belongs to user 65534")
	}
	wantRefused(t, ownfile.MakeDir(dir+"/theirs/new/er"), "is below")
	group := dirOf(t, dir+"/group", 0o770)
	must(t, os.Chown(group, 0, nobody))
	wantRefused(t, ownfile.MakeTrustedDir(group), "may be written by a group")
	wantRefused(t, ownfile.MakeTrustedDir(group+"/x"), "is below "+group+", which a group may write")
	must(t, os.Chown(group, 0, 0)) // root's group is root
	must(t, ownfile.MakeTrustedDir(group))
	if _, err := os.Stat(dir + "/theirs/new"); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("it was made: %v", err)
	}
}

// TestTrustedFilesAreChosenByNobodyElse: who may write the directory may give the
// name to another file of ours.
func TestTrustedFilesAreChosenByNobodyElse(t *testing.T) {
	dir := tree(t)
	put(t, dirOf(t, dir+"/open", 0o777)+"/f", 0o600)
	wantRefused(t, closed(ownfile.OpenTrusted(dir+"/open/f")), "is below "+dir+"/open, which every user may write")
	if err := closed(ownfile.OpenTrusted(dir + "/mine/")); !errors.Is(err, syscall.ENOTDIR) {
		t.Errorf("a slash after a file: %v", err)
	}
	if os.Geteuid() == 0 {
		put(t, theirs(t, dir)+"/f", 0o600)
		wantRefused(t, closed(ownfile.OpenTrusted(dir+"/theirs/f")), "is below "+dir+"/theirs, which belongs to user")
	}
}

// TestOutputWaitsForAReaderUntilItsContextEnds.
func TestOutputWaitsForAReaderUntilItsContextEnds(t *testing.T) {
	pipe := tree(t) + "/pipe"
	must(t, syscall.Mkfifo(pipe, 0o600))
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the reason")
	cancel(why)
	if err := closed(ownfile.Output(ctx, pipe)); !errors.Is(err, why) {
		t.Errorf("without a reader: %v", err)
	}
	socket, err := net.Listen("unix", tree(t)+"/s")
	must(t, err)
	defer socket.Close()
	if err := closed(ownfile.Output(t.Context(), socket.Addr().String())); !errors.Is(err, syscall.ENXIO) { // as of /dev/tty without a terminal
		t.Errorf("not a pipe: %v", err)
	}
	read := make(chan string)
	go func() {
		text, err := os.ReadFile(pipe)
		read <- strings.TrimSpace(string(text)) + errorText(err)
	}()
	f, err := ownfile.Output(t.Context(), pipe)
	must(t, err)
	_, err = f.WriteString("hello\n")
	must(t, errors.Join(err, f.Close()))
	if got := <-read; got != "hello" {
		t.Errorf("read %q", got)
	}
}

func errorText(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

// TestAnEmptyDirectoryIsMadeOurs: a file system in memory begins with the sticky bit,
// by which others could put the files of a library in the way.
func TestAnEmptyDirectoryIsMadeOurs(t *testing.T) {
	dir := dirOf(t, tree(t)+"/sticky", 0o777|fs.ModeSticky)
	must(t, ownfile.MakeTrustedDir(dir))
	if info, err := os.Stat(dir); err != nil || info.Mode() != fs.ModeDir|0o700 {
		t.Errorf("it is %v, %v", info.Mode(), err)
	}
	must(t, ownfile.MakeTrustedDir(dir))
	put(t, dir+"/x", 0o600)
	must(t, os.Chmod(dir, 0o777|fs.ModeSticky))
	wantRefused(t, ownfile.MakeTrustedDir(dir), "may be written by every user")
}

func TestSyncDirSyncsTheDirectoryItself(t *testing.T) {
	dir := t.TempDir()
	info, err := os.Stat(dir)
	must(t, err)
	for _, name := range []string{dir, dir + "/"} {
		if ino, err := ownfile.SyncedDir(name); err != nil || ino != info.Sys().(*syscall.Stat_t).Ino {
			t.Errorf("%s: inode %d, %v", name, ino, err)
		}
	}
}

// TestProcessDirectoriesLeadNowhere: by /proc/self/cwd every check could be passed by.
func TestProcessDirectoriesLeadNowhere(t *testing.T) {
	if _, err := os.Stat("/proc/self/cwd"); err != nil {
		t.Skip("no /proc")
	}
	t.Chdir(tree(t))
	if err := closed(ownfile.Output(t.Context(), "/proc/self/cwd/mine")); err == nil {
		t.Error("/proc/self/cwd was followed")
	}
	f, err := os.CreateTemp("", "")
	must(t, err)
	defer os.Remove(f.Name())
	defer f.Close()
	for _, name := range []string{fmt.Sprintf("/dev/fd/%d", f.Fd()), fmt.Sprintf("/proc/self/fd/%d", f.Fd())} {
		must(t, closed(ownfile.Output(t.Context(), name)))
	}
}

// TestPipesOfTrustedContentAreOpenedOnce: a writer that saw its reader go would end.
func TestPipesOfTrustedContentAreOpenedOnce(t *testing.T) {
	pipe := tree(t) + "/pipe"
	must(t, syscall.Mkfifo(pipe, 0o600))
	wrote := make(chan error, 1)
	go func() { wrote <- os.WriteFile(pipe, []byte("text"), 0o600) }()
	data, err := ownfile.ReadTrusted(t.Context(), pipe, 100)
	if err != nil || string(data) != "text" {
		t.Errorf("read %q, %v", data, err)
	}
	must(t, <-wrote)
}
