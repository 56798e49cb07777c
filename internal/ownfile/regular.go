package ownfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
)

// ErrNotRegular is wrapped when a file is a directory, a pipe or a device.
var ErrNotRegular = errors.New("is not a regular file")

// OpenRegular opens a regular file to read that the user named, wherever it is.
// It is looked at before it is opened, because opening a device may do something,
// and again afterwards, because the name may mean another file by then. It does
// not wait for the writer of a pipe.
func OpenRegular(name string) (*os.File, error) {
	info, err := os.Stat(name)
	if err == nil {
		err = checkRegular(info)
	}
	if err != nil {
		return nil, err
	}
	f, err := os.OpenFile(name, os.O_RDONLY|nonBlock, 0)
	return stillRegular(f, err)
}

// OpenBelow is OpenRegular for a name relative to dir that someone else chose:
// a link that leads out of dir is not followed; see os.Root. A file that this
// process has its settings or a secret from is ErrWithheld.
func OpenBelow(dir, name string) (*os.File, error) {
	root, err := os.OpenRoot(dir)
	if err != nil {
		return nil, err
	}
	defer root.Close()
	info, err := root.Stat(name)
	if err == nil {
		err = checkRegular(info)
	}
	if err != nil {
		return nil, err
	}
	f, err := root.OpenFile(name, os.O_RDONLY|nonBlock, 0)
	if f, err = stillRegular(f, err); err != nil {
		return nil, err
	}
	return checked(f, checkWithheld(f))
}

func stillRegular(f *os.File, err error) (*os.File, error) {
	if err != nil {
		return nil, err
	}
	info, err := f.Stat()
	if err == nil {
		err = checkRegular(info)
	}
	return checked(f, err)
}

func checkRegular(info fs.FileInfo) error {
	kind := "a device"
	switch mode := info.Mode(); {
	case mode.IsRegular():
		return nil
	case mode.IsDir():
		kind = "a directory"
	case mode&fs.ModeNamedPipe != 0:
		kind = "a named pipe"
	case mode&fs.ModeSocket != 0:
		kind = "a socket"
	}
	return fmt.Errorf("%w but %s", ErrNotRegular, kind)
}
