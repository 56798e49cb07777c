package message

import (
	"encoding/base64"
	"errors"
	"fmt"
	"io"
	"os"
	"time"
)

const (
	rowIn  = 57     // octets of a file in one line
	rowOut = 76 + 2 // the same in base64, with CRLF (RFC 2045 6.8)
	rows   = 512    // lines encoded at once: 29 KiB in, 39 KiB out
	chunk  = rows * rowIn
)

// fileBody is a file in base64. The file stays open from Compose on, so that
// its name may come to mean another file meanwhile. Reading is positional:
// several writings at once do not disturb each other.
type fileBody struct {
	path    string
	file    *os.File
	length  int64
	modTime time.Time
}

func (f *fileBody) size() int64 { return base64Size(f.length) }

// base64Size is the size of n octets in lines of 76 characters, the last line
// ended as well.
func base64Size(n int64) int64 {
	encoded := (n + 2) / 3 * 4
	return encoded + (encoded+75)/76*2
}

func (f *fileBody) write(w io.Writer) error {
	if err := f.unchanged(); err != nil {
		return err
	}
	in := make([]byte, chunk)
	out := make([]byte, rows*rowOut)
	r := io.NewSectionReader(f.file, 0, f.length)
	for left := f.length; left > 0; {
		n, err := io.ReadFull(r, in[:min(left, int64(len(in)))])
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return &FileError{f.path, fmt.Errorf("%w: %d octets are missing at its end", ErrFileChanged, left-int64(n))}
		}
		if err != nil {
			return &FileError{f.path, err}
		}
		left -= int64(n)
		if _, err := w.Write(encodeRows(out, in[:n])); err != nil {
			return err
		}
	}
	return f.unchanged()
}

// encodeRows puts src into dst in whole lines and returns what it filled. Only
// the last piece of a file may be no multiple of rowIn.
func encodeRows(dst, src []byte) []byte {
	n := 0
	for len(src) > 0 {
		row := src[:min(rowIn, len(src))]
		src = src[len(row):]
		base64.StdEncoding.Encode(dst[n:], row)
		n += base64.StdEncoding.EncodedLen(len(row))
		dst[n], dst[n+1] = '\r', '\n'
		n += 2
	}
	return dst[:n]
}

// unchanged compares the open file with what it was at Compose. It is asked
// before and after reading: the size was promised to the server, and another
// attempt must give the same octets.
func (f *fileBody) unchanged() error {
	info, err := f.file.Stat()
	if err != nil {
		return &FileError{f.path, err}
	}
	if info.Size() != f.length {
		return &FileError{f.path, fmt.Errorf("%w: it had %d octets and has %d", ErrFileChanged, f.length, info.Size())}
	}
	if !info.ModTime().Equal(f.modTime) {
		return &FileError{f.path, ErrFileChanged}
	}
	return nil
}
