package readymessage

import (
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// spoolMemory is how much of a message is kept in memory before it goes to a
// file. Mail from cron and PHP fits, so that a full disk does not silence the
// report about the full disk.
const spoolMemory = 1 << 20

// ErrNoCopy is that a long message could not be put into a temporary file.
var ErrNoCopy = errors.New("making a temporary copy of the message")

// spool keeps octets for repeated reading: in memory at first, beyond
// spoolMemory in a temporary file of mode 0600. The file has no name any more
// where the system allows that, so nothing is left after a crash.
type spool struct {
	dir   string // "" = the system's directory for temporary files
	mem   []byte
	file  *os.File
	named bool // the file has its name still; once removed, it may be another's
	n     int64
}

func (s *spool) Write(p []byte) (int, error) {
	if s.file == nil && len(s.mem)+len(p) <= spoolMemory {
		s.mem = append(s.mem, p...)
		s.n += int64(len(p))
		return len(p), nil
	}
	if s.file == nil {
		if err := s.spill(); err != nil {
			return 0, err
		}
	}
	n, err := s.file.Write(p)
	s.n += int64(n)
	if err != nil {
		return n, fmt.Errorf("%w: %w", ErrNoCopy, err)
	}
	return n, nil
}

// spill moves what is in memory to a file.
func (s *spool) spill() error {
	f, err := ownfile.CreateTemp(s.dir, "smtpsend-*")
	if err != nil {
		return fmt.Errorf("%w: %w", ErrNoCopy, err)
	}
	s.file = f
	s.named = os.Remove(f.Name()) != nil // Windows refuses while it is open; Close tries again
	if _, err := f.Write(s.mem); err != nil {
		_ = s.Close()
		return fmt.Errorf("%w: %w", ErrNoCopy, err)
	}
	s.mem = nil
	return nil
}

// ReadAt makes the spool an io.ReaderAt, safe for concurrent use once nothing
// is written any more.
func (s *spool) ReadAt(p []byte, off int64) (int, error) {
	if s.file != nil {
		return s.file.ReadAt(p, off)
	}
	if off >= int64(len(s.mem)) {
		return 0, io.EOF
	}
	n := copy(p, s.mem[off:])
	if n < len(p) {
		return n, io.EOF
	}
	return n, nil
}

// Close removes the file.
func (s *spool) Close() error {
	if s.file == nil {
		return nil
	}
	err := s.file.Close()
	if s.named {
		s.named = false
		err = errors.Join(err, os.Remove(s.file.Name()))
	}
	return err
}

// stretch is a run of a spool, as it is.
type stretch struct {
	from   io.ReaderAt
	off, n int64
}

func (s stretch) Size() int64 { return s.n }

func (s stretch) Write(w io.Writer) error {
	buf := make([]byte, 32<<10)
	for off, end := s.off, s.off+s.n; off < end; {
		n, err := s.from.ReadAt(buf[:min(int64(len(buf)), end-off)], off)
		if n == 0 {
			return badinput.File("temporary copy of the message", err)
		}
		if _, err := w.Write(buf[:n]); err != nil {
			return err
		}
		off += int64(n)
	}
	return nil
}
