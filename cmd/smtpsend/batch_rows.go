package main

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/batch"
	"github.com/smtpsend/smtpsend/internal/charset"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/textfile"
)

// rowFile is a file of rows that can be read several times, until ctx ends.
type rowFile struct {
	ctx       context.Context // kept, because Read has none
	name, key string
	file      *os.File
	remove    bool
	sum       string // of the content, and the key
	charset   charset.Charset
}

// openRows opens the rows; those of standard input or a pipe go into a temporary
// file first, because they are read twice.
func openRows(ctx context.Context, g *globals, name, key string) (*rowFile, error) {
	r := &rowFile{ctx: ctx, name: name, key: key}
	info, err := os.Stat(name)
	switch {
	case name == "-":
		err = r.copyOf(g.stdin)
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
	h, count := sha256.New(), new(batch.RowCounter)
	if _, err := r.file.Seek(0, io.SeekStart); err != nil {
		r.close()
		return nil, &badinput.FileError{Path: name, Err: err}
	}
	if _, err := io.Copy(io.MultiWriter(h, count), r); err != nil {
		r.close()
		if errors.Is(err, batch.ErrTooManyRows) {
			return nil, exit.With(exit.Data, fmt.Errorf("%s: %w", name, err))
		}
		return nil, &badinput.FileError{Path: name, Err: err}
	}
	r.sum = hex.EncodeToString(h.Sum(nil)) + "/" + key
	return r, nil
}

// copyOf copies the rows into a temporary file.
func (r *rowFile) copyOf(in io.Reader) (err error) {
	if r.file, err = ownfile.CreateTemp("", "smtpsend-rows-"); err != nil {
		return exit.With(exit.CannotCreate, err)
	}
	r.remove = os.Remove(r.file.Name()) != nil // at once where the system can: kill -9 leaves nothing behind
	if _, err = io.Copy(r.file, in); err != nil {
		r.close()
		return exit.With(exit.IO, err)
	}
	return nil
}

func (r *rowFile) copyOfPipe(name string) error {
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
func (r *rowFile) Read(p []byte) (int, error) {
	if err := r.ctx.Err(); err != nil {
		return 0, err
	}
	return r.file.Read(p)
}

func (r *rowFile) close() {
	_ = r.file.Close()
	if r.remove {
		_ = os.Remove(r.file.Name())
	}
}

// rows begins at the first row.
func (r *rowFile) rows() (*batch.Rows, error) {
	if _, err := r.file.Seek(0, io.SeekStart); err != nil {
		return nil, err
	}
	rows, err := batch.ReadRows(r.name, r.charset.Reader(r), r.key)
	if err != nil {
		return nil, exit.With(exit.Data, fmt.Errorf("%s: %w", r.name, err))
	}
	return rows, nil
}
