package rows

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/charset"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/textfile"
)

// File is a file of rows that can be read several times, until the context ends with
// which it was opened. It is for one goroutine. Close it.
type File struct {
	// Charset is that of the rows; zero: as NewReader finds it.
	Charset charset.Charset

	ctx       context.Context // kept, because Read has none
	name, key string
	file      *os.File
	remove    bool
	sum       string
}

// Open opens the rows of that name; key names the column that names a row, "" for
// none. Those of standard input ("-") or a pipe go into a temporary file first,
// because they are read twice. Errors are *badinput.FileError, or have an exit code
// (internal/exit).
func Open(ctx context.Context, name, key string, stdin io.Reader) (*File, error) {
	r := &File{ctx: ctx, name: name, key: key}
	info, err := os.Stat(name)
	switch {
	case name == "-":
		err = r.copyOf(stdin)
	case err != nil:
		return nil, &badinput.FileError{Path: name, Err: err}
	case info.IsDir():
		return nil, &badinput.FileError{Path: name, Err: errors.New("is a directory")}
	case info.Mode().IsRegular():
		if r.file, err = ownfile.Open(name); err != nil {
			return nil, &badinput.FileError{Path: name, Err: err}
		}
	default:
		err = r.copyOfPipe(name)
	}
	if err != nil {
		return nil, err
	}
	h, count := sha256.New(), new(Counter)
	if _, err := r.file.Seek(0, io.SeekStart); err != nil {
		r.Close()
		return nil, &badinput.FileError{Path: name, Err: err}
	}
	if _, err := io.Copy(io.MultiWriter(h, count), r); err != nil {
		r.Close()
		if errors.Is(err, ErrTooMany) {
			return nil, exit.With(exit.Data, fmt.Errorf("%s: %w", name, err))
		}
		return nil, &badinput.FileError{Path: name, Err: err}
	}
	r.sum = hex.EncodeToString(h.Sum(nil)) + "/" + key
	return r, nil
}

// copyOf copies the rows into a temporary file.
func (r *File) copyOf(in io.Reader) (err error) {
	if r.file, err = ownfile.CreateTemp("", "smtpsend-rows-"); err != nil {
		return exit.With(exit.CannotCreate, err)
	}
	r.remove = os.Remove(r.file.Name()) != nil // at once where the system can: kill -9 leaves no file
	if _, err = io.Copy(r.file, in); err != nil {
		r.Close()
		return exit.With(exit.IO, err)
	}
	return nil
}

func (r *File) copyOfPipe(name string) error {
	f, err := ownfile.OpenContext(r.ctx, name)
	if err != nil {
		return textfile.FileError(r.ctx, name, err)
	}
	defer f.Close()
	if err := r.copyOf(f); err != nil && r.ctx.Err() == nil {
		return &badinput.FileError{Path: name, Err: err}
	}
	return context.Cause(r.ctx)
}

// Read reads on in the file.
func (r *File) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.file.Read(p)
}

// Name is the name that the rows were opened by.
func (r *File) Name() string { return r.name }

// Sum names the content of the file, and the key.
func (r *File) Sum() string { return r.sum }

// SameAs reports whether other is the file of the rows.
func (r *File) SameAs(other os.FileInfo) (bool, error) {
	own, err := r.file.Stat()
	return err == nil && os.SameFile(other, own), err
}

// Close closes the file, and removes a temporary one.
func (r *File) Close() {
	_ = r.file.Close()
	if r.remove {
		_ = os.Remove(r.file.Name())
	}
}

// Rows begins at the first row. An error is one of the data, but for that of the
// file itself.
func (r *File) Rows() (*Reader, error) {
	if _, err := r.file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	in, err := NewReader(r.name, r.Charset.Reader(r), r.key)
	if err != nil {
		return nil, exit.With(exit.Data, fmt.Errorf("%s: %w", r.name, err))
	}
	return in, nil
}
