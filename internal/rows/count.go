package rows

import (
	"bytes"
	"fmt"

	"github.com/smtpsend/smtpsend/internal/limits"
)

// ErrTooMany says that a file has more than limits.Rows rows.
var ErrTooMany = fmt.Errorf("has more than %d rows: make several files of it", limits.Rows)

// Counter counts rows in octets that are written to it, as they come from a
// file, for much less than reading them costs; too many at most where quotes are
// odd. Write returns ErrTooMany; what it lets pass, Rows counts exactly.
type Counter struct {
	begun  bool
	skip   bool // UTF-16, in which a line end may be half of a sign
	quoted bool
	lines  int // lines that are not empty
	rows   int // those that do not end within quotes
	empty  bool
}

// Write counts in p.
func (c *Counter) Write(p []byte) (int, error) {
	if !c.begun && len(p) > 0 {
		c.begun, c.empty = true, true
		c.skip = p[0] >= 0xfe
	}
	for rest := p; len(rest) > 0 && !c.skip; {
		n := bytes.IndexByte(rest, '\n')
		line := rest
		if n >= 0 {
			line = rest[:n]
		}
		rest = rest[len(line):]
		if bytes.Count(line, []byte{'"'})%2 == 1 {
			c.quoted = !c.quoted
		}
		c.empty = c.empty && len(bytes.TrimRight(line, "\r")) == 0
		if n < 0 {
			break
		}
		rest = rest[1:]
		if !c.empty {
			c.lines++
			if !c.quoted {
				c.rows++
			}
		}
		c.empty = true
	}
	if min(c.lines, c.rows) > limits.Rows+1 { // one has the names
		return 0, ErrTooMany
	}
	return len(p), nil
}
