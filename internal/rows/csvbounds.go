package rows

import (
	"fmt"
	"io"

	"github.com/smtpsend/smtpsend/internal/limits"
)

// boundedCSV is below csv.Reader and keeps it from taking more memory than a
// record may have: csv.Reader itself reads until a record ends, and after a quote
// that nothing closes that is the end of the file.
type boundedCSV struct {
	in    io.Reader
	comma byte
	err   *csvTooMuch // once a limit is exceeded

	line    int  // from 1
	begin   int  // the line in which the record begins
	record  int  // octets of it so far
	field   int  // octets of the field so far
	columns int  // of the record that have ended
	quoted  bool // within quotes, in which nothing ends
}

// csvTooMuch says which limit a record exceeds.
type csvTooMuch struct {
	line   int // in which the record begins
	reason string
}

func (e *csvTooMuch) Error() string { return e.reason }

func (b *boundedCSV) Read(p []byte) (int, error) {
	if b.err != nil {
		return 0, b.err
	}
	n, err := b.in.Read(p)
	for i, c := range p[:n] {
		if b.take(c); b.err != nil {
			return i, b.err
		}
	}
	return n, err
}

// take counts one octet. Quotes that are not part of CSV end the reading anyhow, so
// that each of them may begin or end what is quoted.
func (b *boundedCSV) take(c byte) {
	if b.record == 0 {
		b.begin = b.line
	}
	b.record++
	b.field++
	switch {
	case c == '"':
		b.quoted = !b.quoted
	case c == '\n':
		if b.line++; !b.quoted {
			b.record, b.field, b.columns = 0, 0, 0
		}
	case c == b.comma && !b.quoted:
		b.columns++
		b.field = 0
	}
	switch {
	case b.columns >= limits.RowColumns:
		b.stop("has more than %d columns", limits.RowColumns)
	case b.field > limits.RowField:
		b.stop("has a field of more than %d octets; is a quote not closed?", limits.RowField)
	case b.record > limits.RowRecord:
		b.stop("has more than %d octets; is a quote not closed?", limits.RowRecord)
	}
}

func (b *boundedCSV) stop(format string, limit int) {
	b.err = &csvTooMuch{b.begin, fmt.Sprintf(format, limit)}
}
