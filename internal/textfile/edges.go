package textfile

import (
	"io"

	"github.com/smtpsend/smtpsend/internal/limits"
)

// ReadEdges reads a text to its end, and keeps of a longer one, such as a log, the
// first and the last half of that many octets, with a line end for what is missing.
// It takes no more memory than for these. The error is that of in.
func ReadEdges(in io.Reader, most int) (string, error) {
	kept := edges{half: most / 2}
	if _, err := io.Copy(&kept, io.LimitReader(in, limits.PasteRead)); err != nil {
		return "", err
	}
	return kept.String(), nil
}

// edges keeps the first and the last half of what is written to it.
type edges struct {
	half        int
	first, last []byte
	at          int  // where last goes on, once it is full
	full        bool // last has been written over
}

func (e *edges) Write(p []byte) (int, error) {
	n := min(e.half-len(e.first), len(p))
	e.first = append(e.first, p[:n]...)
	for rest := p[n:]; len(rest) > 0; {
		if len(e.last) < e.half {
			n := min(e.half-len(e.last), len(rest))
			e.last, rest = append(e.last, rest[:n]...), rest[n:]
			continue
		}
		n := copy(e.last[e.at:], rest)
		e.at, rest, e.full = (e.at+n)%e.half, rest[n:], true
	}
	return len(p), nil
}

// String is the text, with a line end for what is missing.
func (e *edges) String() string {
	if !e.full {
		return string(e.first) + string(e.last)
	}
	return string(e.first) + "\n" + string(e.last[e.at:]) + string(e.last[:e.at])
}
