package message

import (
	"errors"
	"fmt"
	"io"
	"os"
	"time"

	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/mimetext"
)

// Causes of an *badinput.FileError for an attachment, beside those of the operating
// system and ownfile.ErrNotRegular.
var (
	ErrFileChanged = errors.New("changed while it was being sent")
	ErrSizeUnknown = errors.New("contains more than its size says, as files in /proc do; copy it first")
)

// chunk is what is encoded at once: 512 lines, 29 KiB in, 39 KiB out.
const chunk = 512 * mimetext.Base64Row

// fileBody is a file, or octets in memory, in base64. The file stays open from Compose on, so that
// its name may come to mean another file meanwhile. Reading is positional:
// several writings at once do not disturb each other.
type fileBody struct {
	path    string
	content io.ReaderAt
	file    *os.File // nil when the content is in memory
	length  int64
	modTime time.Time

	borrowed bool // the caller of Compose closes the file
}

// Close closes the file.
func (f *fileBody) Close() error {
	if f.borrowed || f.file == nil {
		return nil
	}
	return f.file.Close()
}

func (f *fileBody) Size() int64 { return mimetext.Base64Size(f.length) }

func (f *fileBody) Write(w io.Writer) error {
	if err := f.unchanged(); err != nil {
		return err
	}
	in := make([]byte, chunk)
	out := make([]byte, mimetext.Base64Size(chunk))
	r := io.NewSectionReader(f.content, 0, f.length)
	for left := f.length; left > 0; {
		n, err := io.ReadFull(r, in[:min(left, int64(len(in)))])
		if errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) {
			return badinput.File(f.path, fmt.Errorf("%w: %d octets are missing at its end", ErrFileChanged, left-int64(n)))
		}
		if err != nil {
			return badinput.File(f.path, err)
		}
		left -= int64(n)
		if _, err := w.Write(mimetext.Base64Lines(out, in[:n])); err != nil {
			return err
		}
	}
	return f.unchanged()
}

// unchanged compares the open file with what it was at Compose. It is asked
// before and after reading: the size was promised to the server, and another
// attempt must give the same octets.
func (f *fileBody) unchanged() error {
	if f.file == nil {
		return nil
	}
	info, err := f.file.Stat()
	if err != nil {
		return badinput.File(f.path, err)
	}
	if info.Size() != f.length {
		return badinput.File(f.path, fmt.Errorf("%w: it had %d octets and has %d", ErrFileChanged, f.length, info.Size()))
	}
	if !info.ModTime().Equal(f.modTime) {
		return badinput.File(f.path, ErrFileChanged)
	}
	return nil
}
