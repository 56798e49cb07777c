// Package rows reads the rows of a mail merge: CSV with a line of column names, or
// JSON objects one a line, in the charset that they are in. Each row has a key that
// names it. What is larger than internal/limits allows is refused before memory is
// taken for it.
package rows

import (
	"crypto/sha256"
	"encoding/base64"
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/mimetext"
)

// Row is one message to be: the data for the template.
type Row struct {
	N    int            // from 1, without the line of names
	Line int            // in the file, from 1
	Key  string         // names the row within its batch
	Sum  string         // a hash of the row
	Data map[string]any // by column

	Cost int // about how many octets it takes in memory
}

// costOfValue is what a value takes beside its text.
const costOfValue = 100

// Error is a row that cannot be used, or the whole file when N is 0.
type Error struct {
	N, Line int
	Err     error
}

// Error names row and line.
func (e *Error) Error() string {
	if e.N == 0 {
		return e.Err.Error()
	}
	return fmt.Sprintf("row %d (line %d): %v", e.N, e.Line, e.Err)
}

// Unwrap returns the cause.
func (e *Error) Unwrap() error { return e.Err }

// Reader reads rows one after another. It is for one goroutine.
type Reader struct {
	next func() (Row, error)
	key  string // column of the key, "" = a hash of the row
	n    int    // rows so far, also those that cannot be used

	// Legacy is the first line that was no UTF-8 and was read as Windows-1252, 0
	// for none.
	Legacy int
}

// NewReader reads rows from r: JSON objects, one a line, when name ends in .jsonl
// or .ndjson or the first octet is "{"; else CSV with a line of column names. A
// byte order mark is dropped (UTF-16 is read by it), and a line that is not UTF-8
// is read as Windows-1252, which Excel writes. Of CSV the delimiter (comma,
// semicolon, tab) is found in the line of names. key names the column that names the row.
func NewReader(name string, r io.Reader, key string) (*Reader, error) {
	br, err := decoded(r)
	if err != nil {
		return nil, err
	}
	rows := &Reader{key: key}
	if isJSON(name, br) {
		rows.next = (&jsonRows{rows: rows, scanner: scanner(br)}).read
		return rows, nil
	}
	c, err := newCSVRows(rows, br)
	if err != nil {
		return nil, err
	}
	rows.next = c.read
	return rows, nil
}

// Next returns the next row, io.EOF at the end, or a *Error, after which the
// rows after it can still be read, unless its N is 0.
func (r *Reader) Next() (Row, error) {
	row, err := r.next()
	if r.n++; r.n > limits.Rows && !errors.Is(err, io.EOF) {
		return Row{}, &Error{0, 0, ErrTooMany}
	}
	if err != nil {
		return row, err
	}
	row.Sum = row.Key
	if r.key == "" {
		return row, nil
	}
	value, ok := row.Data[r.key]
	if !ok {
		return row, &Error{row.N, row.Line, fmt.Errorf("no column %q, which --key names", r.key)}
	}
	switch value.(type) {
	case nil:
		return row, &Error{row.N, row.Line, fmt.Errorf("%q, which --key names, is null", r.key)}
	case map[string]any, []any: // Go's "map[a:1]" would name it
		return row, &Error{row.N, row.Line, fmt.Errorf("%q, which --key names, is a list or a group of values, not text", r.key)}
	}
	if row.Key = strings.TrimSpace(fmt.Sprint(value)); row.Key == "" {
		return row, &Error{row.N, row.Line, fmt.Errorf("column %q, which --key names, is empty", r.key)}
	}
	if len(row.Key) > limits.RowKey || strings.ContainsFunc(row.Key, unicode.IsControl) {
		return row, &Error{row.N, row.Line, fmt.Errorf("column %q, which --key names, is longer than %d octets or holds a control character", r.key, limits.RowKey)}
	}
	return row, nil
}

// text returns a value as UTF-8 and notes that it was not.
func (r *Reader) text(s string, line int) string {
	text := mimetext.ToUTF8(s)
	if r.Legacy == 0 && !utf8.ValidString(s) {
		r.Legacy = line
	}
	return text
}

// hashOf is the key of a row that has no column for it: 128 bits, so that two
// rows of one batch never share one by chance.
func hashOf(fields ...[]byte) string {
	h := sha256.New()
	for _, f := range fields {
		var size [8]byte
		binary.BigEndian.PutUint64(size[:], uint64(len(f)))
		h.Write(size[:])
		h.Write(f)
	}
	return base64.RawURLEncoding.EncodeToString(h.Sum(nil)[:16])
}
