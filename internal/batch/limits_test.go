package batch_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/batch"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/message"
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
		r, err := batch.ReadRows(tt.file, tt.in, "")
		for err == nil {
			_, err = r.Next()
		}
		runtime.ReadMemStats(&after)
		var whole *batch.RowError
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
		for extra, want := range map[string]string{"": "EOF", piece: "has more than 200000 rows: make several files of it"} {
			r, err := batch.ReadRows(file, strings.NewReader(text+extra), "")
			n := 0
			var row *batch.RowError
			for n < limits.Rows+10 && (err == nil || errors.As(err, &row) && row.N > 0) {
				_, err = r.Next()
				n++
			}
			if n != limits.Rows+1 || err.Error() != want {
				t.Errorf("%s: %d rows, %v, want %s", file, n, err, want)
			}
		}
	}
}

func TestJSONOfManyValuesIsARowThatCannotBeUsed(t *testing.T) {
	text := `{"a": [` + strings.Repeat("0,", 100_000) + "0]}\n" + `{"a": ` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "}\n" + `{"a": 1}` + "\n"
	rows, wrong, _ := readAll("a.jsonl", text, "")
	if len(rows) != 1 {
		t.Errorf("%v", rows)
	}
	if want := []string{"row 1 (line 1): has more than 16384 values", "row 2 (line 2): is nested more than 100 deep"}; fmt.Sprint(wrong) != fmt.Sprint(want) {
		t.Errorf("%v, want %v", wrong, want)
	}
}

// TestEmptyRowsAreSkippedInALoop: each was once a call within a call, which three
// million of them ended the process by.
func TestEmptyRowsAreSkippedInALoop(t *testing.T) {
	rows, wrong, _ := readAll("a.csv", "email\na@b.example\n"+strings.Repeat("\"\"\n", 3_000_000)+"c@d.example\n", "")
	if len(rows) != 2 || len(wrong) > 0 {
		t.Errorf("%v, %v", rows, wrong)
	}
}

// TestLongRowsAreReadWithinTheLimits, with quotes and line ends in them.
func TestLongRowsAreReadWithinTheLimits(t *testing.T) {
	long := strings.Repeat("x\"\"\n", 200_000)
	r, err := batch.ReadRows("a.csv", strings.NewReader("a,b\n\""+long+"\",\""+long+"\"\n1,2\n"), "")
	if err != nil {
		t.Fatal(err)
	}
	want := strings.ReplaceAll(long, `""`, `"`)
	for n := 1; n <= 2; n++ {
		row, err := r.Next()
		if err != nil || row.N != n || n == 1 && (row.Data["a"] != want || row.Data["b"] != want) || n == 2 && row.Data["b"] != "2" {
			t.Fatalf("row %d: %v", n, err)
		}
	}
}

// ended is a context that ends when it has been asked for its end n times.
type ended struct {
	context.Context
	n int
}

func (e *ended) Err() error {
	if e.n--; e.n < 0 {
		return context.Canceled
	}
	return nil
}

func TestCheckingAndDryRunEndWithTheContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the reason")
	cancel(why)
	p := plan(t, "---\nto: '{{.email}}'\nsubject: hi\n---\nhi\n")
	data := "email\n" + strings.Repeat("a@contoso.example\n", 2000)
	rows := func() *batch.Rows {
		r, err := batch.ReadRows("a.csv", strings.NewReader(data), "")
		if err != nil {
			t.Fatal(err)
		}
		return r
	}
	if c, err := batch.Check(ctx, rows(), p, nil); !errors.Is(err, why) || c.Bad != 0 {
		t.Errorf("%+v, %v", c, err)
	}
	for n := range 60 {
		dir := filepath.Join(t.TempDir(), "out")
		if _, err := batch.DryRun(&ended{t.Context(), n}, rows(), p, dir, "x"); err == nil {
			t.Fatalf("it went on after %d", n)
		}
		names, err := os.ReadDir(dir)
		if err != nil && n > 0 {
			t.Fatal(err)
		}
		for _, name := range names {
			if strings.HasSuffix(name.Name(), ".part") || name.Name() == "index.html" {
				t.Errorf("%s is left after %d", name.Name(), n)
			}
		}
	}
}

// TestATemplatesStepsAreARowsOwn: what one row makes too long is its own problem.
func TestATemplatesStepsAreARowsOwn(t *testing.T) {
	p := plan(t, "---\nto: a@contoso.example\nsubject: hi\n---\n{{range .n}}{{end}}hi\n")
	rows, err := batch.ReadRows("a.jsonl", strings.NewReader(`{"n": [1,2]}`+"\n"+`{"n": {"a": 1}}`+"\n"), "")
	if err != nil {
		t.Fatal(err)
	}
	c, err := batch.Check(t.Context(), rows, p, nil)
	if err != nil || c.Rows != 2 || c.Bad != 0 {
		t.Errorf("%+v, %v", c, err)
	}
	p = plan(t, "---\nto: a@contoso.example\nsubject: hi\n---\n{{range $.n}}{{range $.n}}{{range $.n}}{{range $.n}}{{end}}{{end}}{{end}}{{end}}hi\n")
	rows, err = batch.ReadRows("a.jsonl", strings.NewReader(`{"n": [1]}`+"\n"+`{"n": [`+strings.Repeat("1,", 99)+"1]}\n"+`{"n": []}`+"\n"), "")
	if err != nil {
		t.Fatal(err)
	}
	c, err = batch.Check(t.Context(), rows, p, nil)
	if err != nil || c.Rows != 2 || c.Bad != 1 || c.Problems[0].Error() != "row 2 (line 2): template t.txt: body: needs more than 1000000 steps" {
		t.Errorf("%+v, %v", c, err)
	}
}

// TestAttachmentsOfRowsStayBelowTheirDirectory.
func TestAttachmentsOfRowsStayBelowTheirDirectory(t *testing.T) {
	dir := t.TempDir()
	if err := os.MkdirAll(filepath.Join(dir, "out"), 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"secret.env", "out/1.pdf"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte("x"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	p := planIn(t, filepath.Join(dir, "out"), "---\nto: a@contoso.example\nsubject: hi\nattach: '{{.file}}'\n---\nhi\n")
	p.Attachments = []message.Attachment{{Path: filepath.Join(dir, "secret.env")}} // of the command line
	text := "file\n1.pdf\n" + filepath.Join(dir, "out", "1.pdf") + "\n../secret.env\n" + filepath.Join(dir, "secret.env") + "\n\n"
	rows, err := batch.ReadRows("a.csv", strings.NewReader(text), "")
	if err != nil {
		t.Fatal(err)
	}
	c, err := batch.Check(t.Context(), rows, p, nil)
	if err != nil || c.Rows != 2 || c.Bad != 2 {
		t.Errorf("%+v, %v", c, err)
	}
	for _, problem := range c.Problems {
		if !strings.Contains(problem.Error(), "is outside of the directory") || !strings.Contains(problem.Error(), "--attach-dir DIR") {
			t.Error(problem)
		}
	}
}
