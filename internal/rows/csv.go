package rows

import (
	"bufio"
	"bytes"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"

	"github.com/smtpsend/smtpsend/internal/charset"
)

// decoded drops a byte order mark and reads UTF-16 by it.
func decoded(r io.Reader) (*bufio.Reader, error) {
	br := bufio.NewReaderSize(r, 64<<10)
	start, err := br.Peek(1 << 10)
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, &Error{0, 0, fmt.Errorf("reading rows: %w", err)}
	}
	switch {
	case bytes.HasPrefix(start, []byte("\xef\xbb\xbf")):
		_, err = br.Discard(3)
		return br, err
	case bytes.HasPrefix(start, []byte("\xff\xfe")), bytes.HasPrefix(start, []byte("\xfe\xff")):
		utf16 := unicode.UTF16(unicode.LittleEndian, unicode.ExpectBOM).NewDecoder()
		return bufio.NewReaderSize(transform.NewReader(br, utf16), 64<<10), nil
	}
	if _, ok := charset.LooksUTF16(string(start[:len(start)&^1])); ok {
		return nil, &Error{0, 0, errors.New("has no byte order mark and looks like UTF-16: --charset utf-16le reads it")}
	}
	return br, nil
}

// csvRows reads CSV (RFC 4180) with a line of names.
type csvRows struct {
	rows    *Reader
	csv     *csv.Reader
	columns []string
	n       int
}

func newCSVRows(rows *Reader, br *bufio.Reader) (*csvRows, error) {
	// The line of names is looked at before csv.Reader consumes it; 64 KiB of
	// names are enough to count delimiters in.
	start, err := br.Peek(br.Size())
	if err != nil && !errors.Is(err, io.EOF) {
		return nil, &Error{0, 0, fmt.Errorf("reading rows: %w", err)}
	}
	comma := delimiter(start)
	c := &csvRows{rows: rows, csv: csv.NewReader(&boundedCSV{in: br, comma: comma, line: 1})}
	c.csv.Comma = rune(comma)
	c.csv.FieldsPerRecord = -1 // checked here, to name the row
	c.csv.ReuseRecord = true
	names, err := c.csv.Read()
	if errors.Is(err, io.EOF) {
		return nil, &Error{0, 0, errors.New("no line of column names")}
	}
	if much, ok := errors.AsType[*csvTooMuch](err); ok {
		return nil, &Error{0, 0, fmt.Errorf("line %d, which has the column names, %w", much.line, much)}
	}
	if err != nil {
		return nil, &Error{0, 0, fmt.Errorf("reading the column names: %w", err)}
	}
	known := make(map[string]bool, len(names))
	for _, name := range names {
		name = strings.TrimSpace(rows.text(name, 1))
		switch {
		case name == "":
			return nil, &Error{0, 0, fmt.Errorf("column %d has no name in line 1", len(c.columns)+1)}
		case known[name]:
			return nil, &Error{0, 0, fmt.Errorf("two columns have the name %q", name)}
		}
		known[name] = true
		c.columns = append(c.columns, name)
	}
	return c, nil
}

// delimiter is what occurs most often in the first line outside quotes; a comma
// when nothing does.
func delimiter(start []byte) byte {
	counts := map[byte]int{}
	quoted := false
	for _, b := range start {
		if b == '"' {
			quoted = !quoted
		}
		if b == '\n' && !quoted {
			break
		}
		if !quoted {
			counts[b]++
		}
	}
	best := byte(',')
	for _, d := range []byte{';', '\t', '|'} {
		if counts[d] > counts[best] {
			best = d
		}
	}
	return best
}

// isNoRecord reports a line of blanks at the end, or DOS's Ctrl-Z.
func isNoRecord(record []string) bool {
	return len(record) == 1 && slices.Contains([]string{"", "\x1a"}, record[0])
}

func (c *csvRows) read() (Row, error) {
	record, err := c.csv.Read()
	for err == nil && isNoRecord(record) {
		record, err = c.csv.Read()
	}
	if errors.Is(err, io.EOF) {
		return Row{}, io.EOF
	}
	c.n++
	if much, ok := errors.AsType[*csvTooMuch](err); ok {
		return Row{}, &Error{0, 0, fmt.Errorf("row %d (line %d) %w", c.n, much.line, much)}
	}
	var parse *csv.ParseError
	if errors.As(err, &parse) {
		// Behind a stray quote the reader cannot know where a row begins.
		return Row{}, &Error{0, 0, fmt.Errorf("row %d (line %d): %w", c.n, parse.Line, parse.Err)}
	}
	if err != nil {
		return Row{}, &Error{0, 0, fmt.Errorf("reading row %d: %w", c.n, err)}
	}
	line, _ := c.csv.FieldPos(0)
	if len(record) != len(c.columns) {
		return Row{N: c.n, Line: line}, &Error{c.n, line, fmt.Errorf("has %s, the line of names %d", fields(len(record)), len(c.columns))}
	}
	row := Row{N: c.n, Line: line, Data: make(map[string]any, len(record))}
	values := make([][]byte, len(record))
	for i, value := range record {
		value = c.rows.text(value, line)
		row.Data[c.columns[i]] = value
		row.Cost += len(value) + costOfValue
		values[i] = []byte(value) // so that the row is the same in another encoding
	}
	row.Key = hashOf(values...)
	return row, nil
}

// fields is a number of fields.
func fields(n int) string {
	if n == 1 {
		return "1 field"
	}
	return fmt.Sprintf("%d fields", n)
}
