package sendmail

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// names are those by which a program is sendmail, with the arguments of smtpsend that
// each stands for.
var names = [...]struct {
	name string
	args []string
}{
	{"sendmail", []string{"sendmail"}}, {"mailq", []string{"sendmail", "-bp"}}, {"newaliases", []string{"sendmail", "-bi"}},
}

// ByName puts in front of args what the program's name means.
func ByName(program string, args []string) []string {
	name := strings.TrimSuffix(filepath.Base(program), ".exe")
	for _, n := range names {
		if n.name == name {
			return append(slices.Clone(n.args), args...)
		}
	}
	return args
}

// ErrTaken is the reason of Link where a name is in use already.
var ErrTaken = errors.New("exists")

// Link makes sendmail's names in a directory links to the program self, and calls made
// for each. On Windows, where links need a right that users lack, they are copies.
// What has one of these names is replaced with force alone, unless it is such a link.
func Link(ctx context.Context, self, dir string, force bool, made func(path string)) error {
	for _, n := range names {
		path := filepath.Join(dir, n.name)
		if err := linkTo(ctx, self, path, force); err != nil {
			return err
		}
		made(path)
	}
	return nil
}

func linkTo(ctx context.Context, self, path string, force bool) error {
	if runtime.GOOS == "windows" {
		return copyTo(ctx, self, path+".exe", force)
	}
	target, err := os.Readlink(path)
	switch {
	case err == nil && target == self:
		return nil
	case errors.Is(err, fs.ErrNotExist):
	case !force:
		return fmt.Errorf("%s %w and is not a link to this program", path, ErrTaken)
	default:
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return os.Symlink(self, path)
}

func copyTo(ctx context.Context, self, path string, force bool) error {
	create := ownfile.Create
	if force {
		create = func(name string) (*os.File, error) { return ownfile.Output(ctx, name) }
	}
	in, err := ownfile.Open(self)
	if err != nil {
		return err
	}
	defer in.Close()
	out, err := create(path)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%s %w", path, ErrTaken)
	}
	if err != nil {
		return err
	}
	if _, err := io.Copy(out, in); err != nil {
		return errors.Join(err, out.Close())
	}
	return out.Close()
}
