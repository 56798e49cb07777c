package rows_test

import (
	"errors"
	"io"
	"runtime"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/rows"
)

// endless is a text whose last part is repeated for ever.
func endless(start, again string) io.Reader {
	return io.MultiReader(strings.NewReader(start), &repeated{text: again})
}

type repeated struct {
	text string
	at   int
}

func (r *repeated) Read(p []byte) (int, error) {
	n := 0
	for n < len(p) {
		m := copy(p[n:], r.text[r.at:])
		n, r.at = n+m, (r.at+m)%len(r.text)
	}
	return n, nil
}

// TestRowsWithoutEndAreRefused: csv.Reader alone would read each of these until the
// memory is full.
func TestRowsWithoutEndAreRefused(t *testing.T) {
	for name, tt := range map[string]struct {
		file string
		in   io.Reader
		want string
	}{
		"field":          {"a.csv", endless("email,name\na@b.example,x\nc@d.example,", "y"), "row 2 (line 3) has a field of more than 1048576 octets; is a quote not closed?"},
		"quote":          {"a.csv", endless("email,name\na@b.example,x\n\nc@d.example,\"", "y\n"), "row 2 (line 4) has a field of more than 1048576 octets; is a quote not closed?"},
		"quote at first": {"a.csv", endless("email,name\n\"", "y"), "row 1 (line 2) has a field of more"},
		"record":         {"a.csv", endless("email,name\n", strings.Repeat("y", 10_000)+","), "row 1 (line 2) has more than 4194304 octets; is a quote not closed?"},
		"columns":        {"a.csv", endless("email,name\n", ","), "row 1 (line 2) has more than 16384 columns"},
		"names":          {"a.csv", endless("a", ",b"), "line 1, which has the column names, has more than 16384 columns"},
		"long name":      {"a.csv", endless("a,b", "c"), "line 1, which has the column names, has a field of more than 1048576 octets"},
		"semicolons":     {"a.csv", endless("email;name\n", ";"), "row 1 (line 2) has more than 16384 columns"},
		"JSON":           {"a.jsonl", endless("{\"a\":1}\n{\"a\": \"", "y"), "line 2 is longer than 4194304 octets"},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		r, err := rows.NewReader(tt.file, tt.in, "")
		for err == nil {
			_, err = r.Next()
		}
		runtime.ReadMemStats(&after)
		var whole *rows.Error
		if !errors.As(err, &whole) || whole.N != 0 || !strings.HasPrefix(err.Error(), tt.want) {
			t.Errorf("%s: %v, want %s", name, err, tt.want)
		}
		if taken := after.TotalAlloc - before.TotalAlloc; taken > 50<<20 {
			t.Errorf("%s: %d MB were taken", name, taken>>20)
		}
	}
}

func TestRowsAreCounted(t *testing.T) {
	for file, piece := range map[string]string{"a.csv": "a@b.example\n", "bad.csv": "a,b\n", "a.jsonl": "{}\n", "bad.jsonl": "x\n"} {
		head := ""
		if strings.HasSuffix(file, ".csv") {
			head = "email\n"
		}
		text := head + strings.Repeat(piece, limits.Rows)
		for extra, want := range map[string]error{"": io.EOF, piece: rows.ErrTooMany} {
			r, err := rows.NewReader(file, strings.NewReader(text+extra), "")
			n := 0
			var row *rows.Error
			for n < limits.Rows+10 && (err == nil || errors.As(err, &row) && row.N > 0) {
				_, err = r.Next()
				n++
			}
			if n != limits.Rows+1 || !errors.Is(err, want) {
				t.Errorf("%s: %d rows, %v, want %v", file, n, err, want)
			}
		}
	}
}

// TestRowCounterCountsCheaplyAndNeverTooMany.
func TestRowCounterCountsCheaplyAndNeverTooMany(t *testing.T) {
	for name, tt := range map[string]struct {
		head, piece string
		pieces      int
		want        error
	}{
		"CSV":                      {"email\n", "a@b.example\n", limits.Rows, nil},
		"too much CSV":             {"email\n", "a@b.example\n", limits.Rows + 1, rows.ErrTooMany},
		"CRLF":                     {"email\r\n", "a\r\n", limits.Rows + 1, rows.ErrTooMany},
		"lines within quotes":      {"email,text\n", "a@b.example,\"1\n2\"\n", limits.Rows, nil},
		"empty lines":              {"email\n", "\n\r\n", 2 * limits.Rows, nil},
		"two quotes a line":        {"email\n", "\"\"\n", limits.Rows + 1, rows.ErrTooMany},
		"JSON":                     {"", "{}\n", limits.Rows, nil},
		"too much JSON":            {"", "{\"a\":\"b\"}\n", limits.Rows + 2, rows.ErrTooMany},
		"JSON with quotes of text": {"", `{"a":"\""}` + "\n", limits.Rows, nil},
		"UTF-16":                   {"\xff\xfe", "\n\x0a", 2 * limits.Rows, nil},
	} {
		text := tt.head + strings.Repeat(tt.piece, tt.pieces)
		for _, size := range []int{len(text), 8191} {
			_, err := io.CopyBuffer(struct{ io.Writer }{new(rows.Counter)}, struct{ io.Reader }{strings.NewReader(text)}, make([]byte, size))
			if !errors.Is(err, tt.want) {
				t.Errorf("%s, %d octets at once: %v, want %v", name, size, err, tt.want)
			}
		}
	}
}
