package batch_test

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/batch"
	"github.com/smtpsend/smtpsend/internal/mailtemplate"
	"github.com/smtpsend/smtpsend/internal/message"
)

func plan(t testing.TB, source string) batch.Plan {
	t.Helper()
	tmpl, err := mailtemplate.Parse("t.txt", source)
	if err != nil {
		t.Fatal(err)
	}
	return batch.Plan{Template: tmpl, Base: message.Draft{From: message.Address{Local: "reports", Domain: "contoso.example"}}}
}

func check(t testing.TB, p batch.Plan, data string) batch.Checked {
	t.Helper()
	rows, err := batch.ReadRows("rows.csv", strings.NewReader(data), "")
	if err != nil {
		t.Fatal(err)
	}
	c, err := batch.Check(rows, p)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestCheckListsEveryProblemWithItsRow(t *testing.T) {
	file := filepath.Join(t.TempDir(), "a.pdf")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	p := plan(t, "---\nto: '{{.email}}'\nsubject: 'for {{.name}}'\nattach: '{{.file}}'\nat: '{{.at}}'\nmailbox: '{{.box}}'\n---\nhi {{.name}}\n")
	c := check(t, p, "email,name,file,at,box\n"+
		"a@x.example,Ann,"+file+",2026-12-24 08:00,\n"+
		"not an address,Bob,,,\n"+
		"c@x.example,Cy,missing.pdf,,\n"+
		"d@x.example,\"D\nBcc: evil@x.example\",,,\n"+
		"e@x.example,Eve,,soon,\n"+
		"f@x.example\n"+
		",Nobody,,,\n"+
		"h@x.example,Hal,,,other@contoso.example\n")
	var got []string
	for _, problem := range c.Problems {
		got = append(got, fmt.Sprintf("%d:%v", problem.N, problem.Err))
	}
	want := []string{
		`2:to "not an address": a domain part cannot`, "3:file \"missing.pdf\": no such file or directory",
		`4:Subject "for D\nBcc: evil@x.example": a line feed at octet 6: a field is one line`,
		`5:at "soon": is no time such as`, "6:has 1 fields, the line of names 5", "7:recipients: none",
	}
	if len(got) != len(want) || c.Bad != len(want) || c.Rows != 2 {
		t.Fatalf("%d good, %d bad:\n%s", c.Rows, c.Bad, strings.Join(got, "\n"))
	}
	for i, w := range want {
		if i != 0 && !strings.HasPrefix(got[i], w) {
			t.Errorf("problem %q, want %q", got[i], w)
		}
	}
	if !strings.HasPrefix(got[0], `2:to "not an address": `) {
		t.Errorf("problem %q", got[0])
	}
	if !errors.Is(c.Problems[1].Err, fs.ErrNotExist) {
		t.Errorf("%v is no fs.ErrNotExist", c.Problems[1].Err)
	}
	boxes := map[string]batch.Count{"reports@contoso.example": {1, 1}, "other@contoso.example": {1, 1}}
	if !reflect.DeepEqual(c.Mailboxes, boxes) {
		t.Errorf("mailboxes %v", c.Mailboxes)
	}
}

func TestRowsDoNotShareRecipients(t *testing.T) {
	p := plan(t, "---\nto: '{{.email}}'\n---\nx\n")
	p.Base.To = append(make([]message.Address, 0, 8), message.Address{Local: "all", Domain: "contoso.example"})
	one, _, err := p.Draft(batch.Row{Data: map[string]any{"email": "a@x.example"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.Draft(batch.Row{Data: map[string]any{"email": "b@x.example"}}); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(one.To); got != "[all@contoso.example a@x.example]" {
		t.Errorf("recipients of the first row: %s", got)
	}
}

func TestForecast(t *testing.T) {
	for _, tt := range []struct {
		boxes map[string]batch.Count
		want  string
		takes time.Duration
	}{
		{map[string]batch.Count{"a": {30, 30}}, "30 messages to 30 recipients, less than a minute", 0},
		{map[string]batch.Count{"a": {2400, 2400}}, "2400 messages to 2400 recipients, about 80 minutes", 79 * time.Minute},
		{map[string]batch.Count{"a": {31, 31}, "b": {1, 5}}, "32 messages to 36 recipients from 2 mailboxes, about 2 minutes", time.Minute},
		{map[string]batch.Count{"a": {100, 20001}}, "100 messages to 20001 recipients, spread over 3 days by the limit of recipients", 48 * time.Hour},
	} {
		f := batch.Checked{Mailboxes: tt.boxes}.Forecast(30, 10000)
		if f.String() != tt.want || f.Takes != tt.takes {
			t.Errorf("%v: %q, %v; want %q, %v", tt.boxes, f, f.Takes, tt.want, tt.takes)
		}
	}
}

func BenchmarkCheck(b *testing.B) {
	p := plan(b, "---\nto: '{{.email}}'\nsubject: 'Report for {{.name}}'\n---\nDear {{.name}},\n\nyour number is {{.id}}.\n")
	var data strings.Builder
	data.WriteString("id,email,name\n")
	for i := range 100_000 {
		fmt.Fprintf(&data, "%d,user%d@contoso.example,User Number %d\n", i, i, i)
	}
	b.ReportAllocs()
	for b.Loop() {
		if c := check(b, p, data.String()); c.Rows != 100_000 || c.Bad != 0 {
			b.Fatalf("%d good, %d bad: %v", c.Rows, c.Bad, c.Problems)
		}
	}
	b.ReportMetric(100_000*float64(b.N)/b.Elapsed().Seconds(), "rows/s")
}
