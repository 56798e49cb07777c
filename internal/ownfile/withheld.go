package ownfile

import (
	"errors"
	"io/fs"
	"os"
	"slices"
	"sync"
)

// ErrWithheld is wrapped when a file that someone else chose is one that this
// process has its settings or a secret from.
var ErrWithheld = errors.New("contains settings or a secret of smtpsend, which are never sent")

// withheld are the files that OpenTrusted and ReadSecret have opened: OpenBelow
// gives none of them out, wherever they are and by whatever name.
var withheld struct {
	mu    sync.Mutex
	files []fs.FileInfo // no two of the same file
}

func withhold(info fs.FileInfo) {
	withheld.mu.Lock()
	defer withheld.mu.Unlock()
	if !isWithheld(info) {
		withheld.files = append(withheld.files, info)
	}
}

// checkWithheld refuses a file that is withheld.
func checkWithheld(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	withheld.mu.Lock()
	defer withheld.mu.Unlock()
	if isWithheld(info) {
		return ErrWithheld
	}
	return nil
}

// isWithheld knows a file also by its time: what the system knows it by is given to
// another file once it is gone.
func isWithheld(info fs.FileInfo) bool {
	return slices.ContainsFunc(withheld.files, func(other fs.FileInfo) bool {
		return os.SameFile(info, other) && info.ModTime().Equal(other.ModTime())
	})
}
