package deadletter

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// memoryLimit is how much of a message is kept in memory.
const memoryLimit = 1 << 20

// Copy is a copy of a message as it came, for the case that it cannot be submitted.
// It is written while the message is read. A long one is in a temporary file that
// has no name. It holds limits.MessageRead octets, also of an input without end. The
// zero Copy is empty; Close it. It is for one goroutine at a time.
type Copy struct {
	memory bytes.Buffer
	file   *os.File
	named  bool  // the file's name could not be removed while it is open
	came   int64 // octets, also those that it does not hold
}

// Write keeps what still has room, and says that it took all. Its error has an exit
// code (*exit.Error).
func (c *Copy) Write(p []byte) (int, error) {
	room := max(0, limits.MessageRead-c.came)
	c.came += int64(len(p))
	if _, err := c.take(p[:min(int64(len(p)), room)]); err != nil {
		return 0, err
	}
	return len(p), nil
}

func (c *Copy) take(p []byte) (int, error) {
	if c.file == nil && c.memory.Len()+len(p) <= memoryLimit {
		return c.memory.Write(p)
	}
	if c.file == nil {
		f, err := ownfile.CreateTemp("", "smtpsend-*")
		if err != nil {
			return 0, exit.With(exit.CannotCreate, fmt.Errorf("making a temporary copy of the message: %w", err))
		}
		c.named = os.Remove(f.Name()) != nil // Windows refuses while it is open; close tries again
		if _, err := f.Write(c.memory.Bytes()); err != nil {
			_ = f.Close()
			return 0, exit.With(exit.IO, fmt.Errorf("writing the temporary copy of the message: %w", err))
		}
		c.file = f
		c.memory = bytes.Buffer{}
	}
	return c.file.Write(p)
}

// Drain reads on from in, which writes to c, so that the sender does not meet a
// closed pipe. It ends at in's end, or when c is full.
func (c *Copy) Drain(in io.Reader) error {
	_, err := io.Copy(io.Discard, io.LimitReader(in, limits.MessageRead-c.came))
	return err
}

// writeTo writes the copy, from its beginning, and returns how much of it. Once ctx
// has ended, it writes no more than a message may have: a person or a supervisor waits for the end.
func (c *Copy) writeTo(ctx context.Context, w io.Writer) (n int64, err error) {
	var in io.Reader = bytes.NewReader(c.memory.Bytes())
	if c.file != nil {
		in = io.NewSectionReader(c.file, 0, limits.MessageRead)
	}
	piece := make([]byte, 64<<10)
	for late := 0; ; {
		if ctx.Err() != nil {
			if late += len(piece); late > limits.Message {
				return n, nil
			}
		}
		got, err := in.Read(piece)
		if _, err := w.Write(piece[:got]); err != nil {
			return n, err
		}
		n += int64(got)
		if errors.Is(err, io.EOF) {
			return n, nil
		}
		if err != nil {
			return n, err
		}
	}
}

// missing says how much of the message n octets are, "" when they are all of it.
func (c *Copy) missing(n int64) string {
	if n == c.came && n < limits.MessageRead {
		return ""
	}
	return fmt.Sprintf("only its first %d octets, the rest is missing", n)
}

// Close removes the temporary file.
func (c *Copy) Close() {
	if c.file == nil {
		return
	}
	_ = c.file.Close()
	if c.named {
		_ = os.Remove(c.file.Name())
	}
}
