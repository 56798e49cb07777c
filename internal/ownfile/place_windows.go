package ownfile

import (
	"io/fs"
	"os"
	"path/filepath"
)

// place is where a name leads. Making a link takes a right that users lack, so
// it is known by its name.
type place struct{ name, last string }

func find(name string, _ bool) (*place, error) { return &place{name, filepath.Base(name)}, nil }

func (*place) close() {}

func (p *place) open(flag int) (*os.File, error) { return os.OpenFile(p.name, flag, 0o600) }

func (p *place) beside(last string) *place {
	return &place{filepath.Join(filepath.Dir(p.name), last), last}
}

func (*place) isOurs() bool { return true }

func (*place) waitsForReader(error) bool { return false }

func (p *place) rename(to *place) error { return os.Rename(p.name, to.name) }

func (p *place) remove() error { return os.Remove(p.name) }

// sync does nothing: Windows cannot sync a directory and does not need it.
func (*place) sync() error { return nil }

func toDir(name string, missing, _ bool) (fs.FileInfo, error) {
	if missing {
		if err := os.MkdirAll(name, 0o700); err != nil {
			return nil, err
		}
	}
	return os.Stat(name)
}

// SetMode does nothing here: the directory says who may do what.
func SetMode(string, os.FileMode) error { return nil }

// EveryoneMayWrite is false: the mode does not tell.
func EveryoneMayWrite(string) bool { return false }
