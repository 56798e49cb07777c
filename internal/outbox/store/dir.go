package store

import (
	"fmt"
	"os"
	"path/filepath"

	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// trustedDir makes the directory when it does not exist. Where it is a link, the
// lock and the space are those of its target: two names may lead to one outbox.
func trustedDir(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	if err := ownfile.MakeTrustedDir(dir); err != nil {
		return "", err
	}
	return filepath.EvalSymlinks(dir)
}

// prepareFile makes the file, with a mode that keeps others from reading mail, or
// checks the one that is there: a link in its place is refused, because SQLite
// would follow it. SQLite gives its other files the mode of the first.
func prepareFile(dir string, o Options) error {
	if info, err := os.Stat(dir); err == nil && info.Mode().Perm()&0o077 != 0 && modesMean {
		o.Warn(fmt.Sprintf("%s may be read by others (mode %#o): mail waits there in plain text", dir, info.Mode().Perm()))
	}
	f, _, err := ownfile.OpenOrCreate(filepath.Join(dir, file))
	if err != nil {
		return err
	}
	if info, err := f.Stat(); err == nil && info.Mode().Perm() != 0o600 && modesMean {
		_ = f.Chmod(0o600)
	}
	if err := f.Close(); err != nil {
		return err
	}
	if err := checkFiles(dir); err != nil {
		return err
	}
	return ownfile.SyncDir(dir)
}

// checkFiles looks whether what SQLite will open is ours.
func checkFiles(dir string) error {
	for _, name := range []string{file, walFile, shmFile, file + "-journal"} {
		if err := ownfile.Check(filepath.Join(dir, name)); err != nil {
			return err
		}
	}
	return nil
}

func checkFileSystem(dir string, o Options) error {
	kind, level := o.FileSystem(dir)
	switch {
	case level == Refused && !o.AnyFileSystem:
		return &FileSystemError{dir, kind}
	case level == Refused:
		o.Warn((&FileSystemError{dir, kind}).Error())
	case level == Doubtful:
		o.Warn(fmt.Sprintf("%s is on %s: what waits there is gone with the container or at the next start of the machine", dir, kind))
	}
	return nil
}
