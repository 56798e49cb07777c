package ownfile_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"runtime"
	"testing"

	"github.com/smtpsend/smtpsend/internal/ownfile"
)

func TestReplaceReplacesContentAndMode(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	if err := os.WriteFile(name, []byte("old and longer"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := ownfile.Replace(name, []byte("new"), 0o600); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(name)
	if err != nil || string(got) != "new" {
		t.Errorf("content = %q, %v, want %q", got, err, "new")
	}
	info, err := os.Stat(name)
	if err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" && info.Mode().Perm() != 0o600 {
		t.Errorf("mode = %v, want 0600", info.Mode().Perm())
	}
}

func TestReplaceThatFailsLeavesNothingBehind(t *testing.T) {
	dir := t.TempDir()
	target := filepath.Join(dir, "d")
	if err := os.MkdirAll(filepath.Join(target, "occupied"), 0o700); err != nil {
		t.Fatal(err)
	}
	if err := ownfile.Replace(target, []byte("x"), 0o600); err == nil {
		t.Fatal("a directory was replaced by a file")
	}
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) != 1 {
		t.Errorf("left in the directory: %v, %v, want only %q", entries, err, "d")
	}
}

// What root makes can be read by the group that can read another file, and by no one else.
func TestReplaceForGivesTheGroupThatMayRead(t *testing.T) {
	dir := t.TempDir()
	like, name := filepath.Join(dir, "like"), filepath.Join(dir, "f")
	if err := os.WriteFile(like, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if os.Geteuid() != 0 {
		if err := ownfile.ReplaceFor(like, name, nil); err != nil {
			t.Fatal(err)
		}
		t.Skip("needs root, to give a file a group")
	}
	if err := os.Chown(like, 1234, 2345); err != nil {
		t.Fatal(err)
	}
	for mode, want := range map[os.FileMode]os.FileMode{0o664: 0o640, 0o644: 0o640, 0o604: 0o600} {
		if err := os.Chmod(like, mode); err != nil {
			t.Fatal(err)
		}
		if err := ownfile.ReplaceFor(like, name, []byte("new")); err != nil {
			t.Fatal(err)
		}
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		st := reflect.Indirect(reflect.ValueOf(info.Sys())) // another type on each system
		if got := fmt.Sprint(st.FieldByName("Uid"), " ", st.FieldByName("Gid")); got != "0 2345" || info.Mode().Perm() != want {
			t.Errorf("like %v: owner %s, mode %v", mode, got, info.Mode())
		}
	}
}

func TestReplaceLikeKeepsModeAndOwner(t *testing.T) {
	name := filepath.Join(t.TempDir(), "f")
	if err := ownfile.ReplaceLike(name, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v for no file", err)
	}
	if err := os.WriteFile(name, []byte("old"), 0o600); err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS == "windows" {
		t.Skip("Windows has no such modes")
	}
	if err := os.Chmod(name, 0o640); err != nil {
		t.Fatal(err)
	}
	root := os.Geteuid() == 0
	if root {
		if err := os.Chown(name, 1234, 2345); err != nil {
			t.Fatal(err)
		}
	}
	if err := ownfile.ReplaceLike(name, []byte("new")); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(name)
	if err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if root {
		st := reflect.Indirect(reflect.ValueOf(info.Sys())) // another type on each system
		if got := fmt.Sprint(st.FieldByName("Uid"), " ", st.FieldByName("Gid")); got != "1234 2345" {
			t.Errorf("owner %s", got)
		}
	}
	link := name + "-link"
	if err := os.Symlink(name, link); err != nil {
		t.Fatal(err)
	}
	var unsafe *ownfile.Error
	if err := ownfile.ReplaceLike(link, nil); !errors.As(err, &unsafe) {
		t.Errorf("got %v for a link", err)
	}
}

// TestWriteLikeIsNeverOverAFile and has the mode of the other one.
func TestWriteLikeIsNeverOverAFile(t *testing.T) {
	dir := t.TempDir()
	like, name := filepath.Join(dir, "like"), filepath.Join(dir, "new")
	if err := ownfile.WriteLike(name, like, nil); !errors.Is(err, fs.ErrNotExist) {
		t.Errorf("got %v without the other file", err)
	}
	if err := os.WriteFile(like, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if runtime.GOOS != "windows" {
		if err := os.Chmod(like, 0o640); err != nil {
			t.Fatal(err)
		}
	}
	if err := ownfile.WriteLike(name, like, []byte("a")); err != nil {
		t.Fatal(err)
	}
	if err := ownfile.WriteLike(name, like, []byte("b")); !errors.Is(err, fs.ErrExist) {
		t.Errorf("got %v for a file that exists", err)
	}
	info, err := os.Stat(name)
	if err != nil || (runtime.GOOS != "windows" && info.Mode().Perm() != 0o640) {
		t.Errorf("mode %v, %v", info.Mode(), err)
	}
	if data, err := os.ReadFile(name); string(data) != "a" {
		t.Errorf("%q, %v", data, err)
	}
}
