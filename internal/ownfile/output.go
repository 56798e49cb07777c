package ownfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
)

// Writable opens a file to write that the user named, and makes it with mode
// 0600 when it does not exist; what it holds stays. One that exists belongs to
// this user, and is reached by trusted links alone: in a directory that others
// may write, a link could lead to any file of this user. A pipe or device is
// written as it is, such as /dev/stdout.
func Writable(name string) (*os.File, error) {
	if info, err := os.Stat(name); err == nil && !info.Mode().IsRegular() && !info.IsDir() {
		return stream(name, info)
	}
	f, err := private(name, os.O_WRONLY|os.O_CREATE, 0)
	if own := (*Error)(nil); !errors.As(err, &own) {
		return f, err
	}
	if info, e := os.Lstat(name); e != nil || info.Mode()&fs.ModeSymlink == 0 {
		return nil, err
	}
	switch trust := trustLinks(name); {
	case errors.Is(trust, errOpenFile): // /dev/stdout, where that is a file
		return os.OpenFile(name, os.O_WRONLY, 0)
	case trust != nil:
		return nil, trust
	}
	real, err := filepath.EvalSymlinks(name)
	if err != nil {
		return nil, fmt.Errorf("following %s: %w", name, err)
	}
	return private(real, os.O_WRONLY|os.O_CREATE, 0)
}

// Output is Writable for a file whose content is replaced.
func Output(name string) (*os.File, error) {
	f, err := Writable(name)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err == nil && info.Mode().IsRegular() {
		return checked(f, f.Truncate(0))
	}
	return f, nil
}

// OutputDir makes a directory that the user named, and those above it, with mode
// 0700 when it does not exist. It may be anybody's: files in it are to be opened
// by Output.
func OutputDir(name string) error { return makeDir(name) }

// stream opens a pipe or a device to write. A pipe of somebody else would show
// them what is written.
func stream(name string, info fs.FileInfo) (*os.File, error) {
	if uid, ok := ownerOf(info); ok && info.Mode()&fs.ModeNamedPipe != 0 && !rootOrUs(uid) {
		return nil, refused(name, "is a pipe of another user")
	}
	return os.OpenFile(name, os.O_WRONLY, 0)
}
