package batch_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/batch"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/mailtemplate"
	"github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/outbox/mailmerge"
	"github.com/smtpsend/smtpsend/internal/rows"
)

func plan(t testing.TB, source string) batch.Plan {
	t.Helper()
	return planIn(t, "", source)
}

// planIn is plan for attachments below dir.
func planIn(t testing.TB, dir, source string) batch.Plan {
	t.Helper()
	parsed, err := mailtemplate.ParseSource("t.txt", source)
	if err != nil {
		t.Fatal(err)
	}
	parsed.AttachDir = dir
	tmpl, err := mailtemplate.Compile("t.txt", parsed)
	if err != nil {
		t.Fatal(err)
	}
	return batch.Plan{Template: tmpl, Base: message.Draft{From: address.MustParse("reports@contoso.example")}}
}

func check(t testing.TB, p batch.Plan, data string) batch.Checked {
	t.Helper()
	return checkFile(t, p, "rows.csv", data)
}

func checkFile(t testing.TB, p batch.Plan, name, data string) batch.Checked {
	t.Helper()
	in, err := rows.NewReader(name, strings.NewReader(data), "")
	if err != nil {
		t.Fatal(err)
	}
	c, err := batch.Check(t.Context(), in, p, nil)
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
		"not an address,Ida,missing.pdf,soon,nor this\n"+
		"h@x.example,Hal,,,other@contoso.example\n")
	var got []string
	for _, problem := range c.Problems {
		got = append(got, fmt.Sprintf("%d:%v", problem.N, problem.Err))
	}
	want := []string{
		`2:to "not an address": a domain part cannot`, "3:file \"missing.pdf\": no such file or directory",
		`4:Subject "for D\nBcc: evil@x.example": a line feed at octet 6: a field is one line`,
		`5:at "soon": is not a time such as`, "6:has 1 field, the line of names 5", "7:recipients: none",
		`8:mailbox "nor this": `, `8:to "not an address": `, `8:at "soon": is not a time`, `8:file "missing.pdf": no such file`,
	}
	if len(got) != len(want) || c.Bad != 7 || c.Rows != 2 {
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
	p.Base.To = append(make([]address.Address, 0, 8), address.MustParse("all@contoso.example"))
	one, _, err := p.Draft(t.Context(), rows.Row{Data: map[string]any{"email": "a@x.example"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, _, err := p.Draft(t.Context(), rows.Row{Data: map[string]any{"email": "b@x.example"}}); err != nil {
		t.Fatal(err)
	}
	if got := fmt.Sprint(one.To); got != "[all@contoso.example a@x.example]" {
		t.Errorf("recipients of the first row: %s", got)
	}
}

func TestForecast(t *testing.T) {
	used := batch.Usage{
		Left:       map[string]mailmerge.Left{"a": {Messages: 60, Recipients: 60}},
		Recipients: map[string]int{"a": 9000},
	}
	noon := time.Date(2126, 12, 24, 12, 0, 0, 0, time.Local)
	for _, tt := range []struct {
		checked batch.Checked
		usage   batch.Usage
		want    string
		takes   time.Duration
	}{
		{boxes("a", 30, 30), batch.Usage{}, "30 messages to 30 recipients, less than a minute", 0},
		{boxes("a", 2400, 2400), batch.Usage{}, "2400 messages to 2400 recipients, about 80 minutes at 30 a minute", 79 * time.Minute},
		{batch.Checked{Mailboxes: map[string]batch.Count{"a": {31, 31}, "b": {1, 5}}}, batch.Usage{}, "32 messages to 36 recipients from 2 mailboxes, about 2 minutes at 30 a minute", time.Minute},
		{boxes("a", 100, 20001), batch.Usage{}, "100 messages to 20001 recipients, spread over 3 days by the limit of 10000 recipients", 48 * time.Hour},
		{boxes("a", 31, 31), used, "91 messages to 91 recipients, about 4 minutes at 30 a minute; 9000 of the day's 10000 recipients used", 3 * time.Minute},
		{boxes("a", 31, 941), used, "91 messages to 1001 recipients, spread over 2 days by the limit of 10000 recipients; 9000 of the day's 10000 recipients used", 24 * time.Hour},
		{boxes("a", 31, 31), batch.Usage{Others: map[string]mailmerge.Left{"a": {Messages: 30, Recipients: 30}}}, "31 messages to 31 recipients, about 3 minutes at 30 a minute; 30 other due messages of the outbox first", 2 * time.Minute},
		{batch.Checked{Known: 1, Mailboxes: map[string]batch.Count{"a": {}}}, batch.Usage{}, "1 row done, nothing left to submit", 0},
		{batch.Checked{Last: noon, Mailboxes: map[string]batch.Count{"a": {1, 1}}}, batch.Usage{}, "1 message to 1 recipient, the last one not before 2126-12-24 12:00", 0},
		{batch.Checked{Known: 100, Mailboxes: map[string]batch.Count{"a": {}}}, used, "40 rows done; 60 messages to 60 recipients, about 2 minutes at 30 a minute; 9000 of the day's 10000 recipients used", time.Minute},
	} {
		f := tt.checked.Forecast(30, 10000, tt.usage)
		if f.String() != tt.want || f.Takes != tt.takes {
			t.Errorf("%v: %q, %v; want %q, %v", tt.checked, f, f.Takes, tt.want, tt.takes)
		}
	}
}

func boxes(name string, messages, recipients int) batch.Checked {
	return batch.Checked{Mailboxes: map[string]batch.Count{name: {Messages: messages, Recipients: recipients}}}
}

// Whatever Add would refuse, the check has to find before the first message.
func TestTheCheckFindsWhatTheOutboxWouldRefuse(t *testing.T) {
	huge := filepath.Join(t.TempDir(), "huge.bin")
	f, err := os.Create(huge)
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(limits.Message*3/4), f.Close()); err != nil {
		t.Fatal(err)
	}
	half := filepath.Join(t.TempDir(), "half.bin")
	if f, err = os.Create(half); err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(limits.Message*36/100), f.Close()); err != nil {
		t.Fatal(err)
	}
	many := func(n int) string {
		var list []string
		for i := range n {
			list = append(list, fmt.Sprintf("u%d@contoso.example", i))
		}
		return strings.Join(list, ", ")
	}
	p := plan(t, "---\nto: '{{.to}}'\nsubject: hi\nattach: ['{{.file}}', '{{.second}}']\n---\nhi {{.text}}\n")
	for name, tt := range map[string]struct{ to, file, second, text, want string }{
		"good":                {to: many(1000), file: half},
		"too many recipients": {to: many(1001), want: "forward-path: there are 1001, a message may have 1000"},
		"a large file":        {to: many(1), file: huge, want: "content: has "},
		"two files":           {to: many(1), file: half, second: half, text: "x"},
		"files and text":      {to: many(1), file: half, second: half, text: strings.Repeat("ä", 1_000_000), want: "content: has "},
		"a file that is gone": {to: many(1), file: half + ".x", want: "half.bin.x"},
	} {
		t.Run(name, func(t *testing.T) {
			row, err := json.Marshal(map[string]string{"to": tt.to, "file": tt.file, "second": tt.second, "text": tt.text})
			if err != nil {
				t.Fatal(err)
			}
			c := checkFile(t, p, "rows.jsonl", string(row))
			if tt.want == "" && (c.Rows != 1 || c.Bad != 0) {
				t.Errorf("%.300v", c.Problems)
			}
			if tt.want != "" && (c.Bad != 1 || !strings.Contains(c.Problems[0].Error(), tt.want)) {
				t.Errorf("%d bad, %.300v", c.Bad, c.Problems)
			}
		})
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

// TestCheckEndsWhereTooManyRowsAreWrong.
func TestCheckEndsWhereTooManyRowsAreWrong(t *testing.T) {
	in, err := rows.NewReader("a.csv", strings.NewReader("email\n"+strings.Repeat("a,b\n", 3*limits.WrongRows)), "")
	if err != nil {
		t.Fatal(err)
	}
	c, err := batch.Check(t.Context(), in, batch.Plan{}, nil)
	if err != nil || !c.Unread || c.Bad != limits.WrongRows {
		t.Errorf("%+v, %v", c.Bad, err)
	}
}
