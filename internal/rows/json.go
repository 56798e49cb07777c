package rows

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/smtpsend/smtpsend/internal/guard"
	"github.com/smtpsend/smtpsend/internal/limits"
)

func isJSON(name string, br *bufio.Reader) bool {
	switch strings.ToLower(filepath.Ext(name)) {
	case ".jsonl", ".ndjson":
		return true
	case ".csv", ".tsv", ".txt":
		return false
	}
	first, err := br.Peek(1)
	return err == nil && first[0] == '{'
}

func scanner(r io.Reader) *bufio.Scanner {
	s := bufio.NewScanner(r)
	s.Buffer(make([]byte, 64<<10), limits.RowRecord)
	return s
}

// jsonRows reads JSON Lines.
type jsonRows struct {
	rows    *Reader
	scanner *bufio.Scanner
	n, line int
}

func (j *jsonRows) read() (Row, error) {
	for j.scanner.Scan() {
		j.line++
		text := strings.TrimSpace(j.rows.text(j.scanner.Text(), j.line))
		if len(text) == 0 {
			continue
		}
		j.n++
		row := Row{N: j.n, Line: j.line, Key: hashOf([]byte(text))}
		values, depth := guard.JSON(text)
		switch row.Cost = len(text) + values*costOfValue; {
		case values > limits.RowColumns:
			return row, &Error{j.n, j.line, fmt.Errorf("has more than %d values", limits.RowColumns)}
		case depth > limits.DataNesting:
			return row, &Error{j.n, j.line, fmt.Errorf("is nested more than %d deep", limits.DataNesting)}
		}
		dec := json.NewDecoder(strings.NewReader(text))
		dec.UseNumber() // 12345678901234567890 stays what it is
		if err := dec.Decode(&row.Data); err != nil || row.Data == nil {
			return row, &Error{j.n, j.line, errors.New("is not a JSON object")}
		}
		if dec.More() {
			return row, &Error{j.n, j.line, errors.New("has something after its JSON object")}
		}
		return row, nil
	}
	if err := j.scanner.Err(); errors.Is(err, bufio.ErrTooLong) {
		return Row{}, &Error{0, 0, fmt.Errorf("line %d is longer than %d octets", j.line+1, limits.RowRecord)}
	} else if err != nil {
		return Row{}, &Error{0, 0, fmt.Errorf("reading line %d: %w", j.line+1, err)}
	}
	return Row{}, io.EOF
}
