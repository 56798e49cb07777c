package transaction

import (
	"bytes"
	"sync/atomic"
	"time"

	"github.com/smtpsend/smtpsend/internal/wire"
)

// dotWriter sends content as RFC 5321 4.5.2 has it: a dot at the start of a
// line is doubled, and end adds the line end that may be missing and the final
// dot. The content's line ends are CRLF already.
type dotWriter struct {
	w         *wire.Wire
	last      [2]byte // the octets before the next one; CRLF at the start
	writeErr  error   // of the connection, to tell it from the content's own
	perWrite  time.Duration
	octets    int64
	lineStart bool
	heard     atomic.Bool // the server spoke or left
}

func newDotWriter(w *wire.Wire, perWrite time.Duration) *dotWriter {
	return &dotWriter{w: w, perWrite: perWrite, lineStart: true, last: [2]byte{'\r', '\n'}}
}

// Write stuffs dots. Each block has its time limit: a text comes in one call,
// however long it is.
func (d *dotWriter) Write(p []byte) (int, error) {
	done := 0
	for done < len(p) {
		n, err := d.block(p[done:min(len(p), done+blockSize)])
		done += n
		if err != nil {
			return done, err
		}
	}
	return done, nil
}

// blockSize is how much is written within Timeouts.Block, in octets.
const blockSize = 256 << 10

// block is Write for p that is not empty and no longer than a block.
func (d *dotWriter) block(p []byte) (int, error) {
	if err := d.w.Conn().SetWriteDeadline(time.Now().Add(d.perWrite)); err != nil {
		return d.failed(0, err)
	}
	if d.heard.Load() { // looked at after the deadline, which it would have set before
		return d.failed(0, errUnsolicited)
	}
	done := 0
	for rest := p; len(rest) > 0; {
		if d.lineStart && rest[0] == '.' {
			if err := d.w.Out().WriteByte('.'); err != nil {
				return d.failed(done, err)
			}
		}
		n := len(rest)
		if i := bytes.Index(rest, []byte("\n.")); i >= 0 {
			n = i + 1
		}
		if _, err := d.w.Out().Write(rest[:n]); err != nil {
			return d.failed(done, err)
		}
		d.lineStart = rest[n-1] == '\n'
		rest = rest[n:]
		done += n
	}
	d.remember(p)
	return len(p), nil
}

func (d *dotWriter) remember(p []byte) {
	d.octets += int64(len(p))
	if len(p) == 1 {
		d.last = [2]byte{d.last[1], p[0]}
		return
	}
	d.last = [2]byte{p[len(p)-2], p[len(p)-1]}
}

func (d *dotWriter) failed(n int, err error) (int, error) {
	d.writeErr = err
	return n, err
}

// end buffers the final dot; the caller flushes.
func (d *dotWriter) end() error {
	if err := d.w.Conn().SetWriteDeadline(time.Now().Add(d.perWrite)); err != nil {
		return err
	}
	terminator := ".\r\n"
	if d.last != [2]byte{'\r', '\n'} {
		terminator = "\r\n.\r\n"
	}
	_, err := d.w.Out().WriteString(terminator)
	return err
}
