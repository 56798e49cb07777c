package message

import (
	"bytes"
	"errors"
	"fmt"
	"io"
)

// foldHeader finds where the long lines of the header section are folded, which
// changes nothing for who reads the fields (RFC 5322 2.2.3): scripts put a list
// of recipients on one line. first is the place of the first long line.
func (r *Raw) foldHeader(first place) error {
	if first.offset > r.body {
		return nil
	}
	head := make([]byte, r.body)
	if _, err := r.spool.ReadAt(head, 0); err != nil && !errors.Is(err, io.EOF) {
		return fmt.Errorf("reading the header section: %w", err)
	}
	for _, f := range r.fields {
		switch f.name {
		case mboxLine:
			continue // it is not sent
		case "dkim-signature", "arc-message-signature":
			return longLineError(first, "it cannot be re-encoded: the message is signed or encrypted")
		}
		for pos := int(f.from); pos < int(f.to); pos = lineEnd(head, pos) {
			line := bytes.TrimRight(head[pos:lineEnd(head, pos)], "\r\n")
			value := 0
			if pos == int(f.from) {
				value = bytes.IndexByte(line, ':') + 1
			}
			points, ok := foldPoints(line, value)
			if !ok {
				return longLineError(first, "it cannot be re-encoded: a header field has no blank to fold it at")
			}
			for _, p := range points {
				r.folds = append(r.folds, int64(pos+p))
			}
		}
	}
	return nil
}

// foldPoints returns the blanks of line, from value on, before which a line end
// leaves no line that is too long and none that is blank; false when there are
// none such.
func foldPoints(line []byte, value int) (points []int, ok bool) {
	start, last, text := 0, -1, false
	for i := value; i <= len(line); i++ {
		if i < len(line) && !isBlank(line[i]) {
			text = true
			continue
		}
		end := i == len(line)
		if !end && (!text || i+1 == len(line) || isBlank(line[i+1])) {
			continue // a line end here would leave a blank line
		}
		if i-start > maxLine && last >= 0 {
			points = append(points, last)
			start = last
		}
		if i-start > maxLine {
			return nil, false
		}
		last = i
	}
	return points, true
}

func isBlank(c byte) bool { return c == ' ' || c == '\t' }
