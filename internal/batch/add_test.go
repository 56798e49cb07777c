package batch_test

import (
	"bytes"
	"context"
	"encoding/csv"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/batch"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/mailmerge"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/outbox/spool"
	"github.com/smtpsend/smtpsend/internal/rows"
)

func openOutbox(t *testing.T) (*outbox.Outbox, mailmerge.Batch) {
	t.Helper()
	box, err := outbox.Open(t.Context(), t.TempDir(), outbox.Options{AnyFileSystem: true, Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { box.Close() })
	b, _, err := mailmerge.Start(t.Context(), box, "test", "", 0)
	if err != nil {
		t.Fatal(err)
	}
	return box, b
}

const addTemplate = "---\nto: '{{.email}}'\nsubject: 'no {{.id}}'\n---\nhi\n"

func add(ctx context.Context, t *testing.T, box *outbox.Outbox, b mailmerge.Batch, data, key string, progress func(batch.Added)) (batch.Added, error) {
	t.Helper()
	in, err := rows.NewReader("rows.csv", strings.NewReader(data), key)
	if err != nil {
		t.Fatal(err)
	}
	return batch.Add(ctx, in, plan(t, addTemplate), box, b, progress)
}

func data(from, to int) string {
	var b strings.Builder
	b.WriteString("id,email\n")
	for i := from; i < to; i++ {
		fmt.Fprintf(&b, "%d,user%d@contoso.example\n", i, i)
	}
	return b.String()
}

func TestARowIsOneMessageHoweverOftenItIsAdded(t *testing.T) {
	box, b := openOutbox(t)
	for _, tt := range []struct {
		data string
		want batch.Added
	}{
		{data(0, 20), batch.Added{New: 20}},
		{data(0, 20), batch.Added{Known: 20}},
		{data(10, 30), batch.Added{New: 10, Known: 10}},
		{data(0, 1) + "0,user0@contoso.example\n", batch.Added{Known: 2}},
	} {
		got, err := add(t.Context(), t, box, b, tt.data, "", nil)
		if err != nil || got != tt.want {
			t.Errorf("added %+v, %v, want %+v", got, err, tt.want)
		}
	}
	account, err := batch.Take(t.Context(), box, b)
	if err != nil || account.String() != "30 rows: 0 accepted, 0 refused, 0 in doubt, 30 waiting" {
		t.Errorf("account %q, %v", account, err)
	}
	other, _, err := mailmerge.Start(t.Context(), box, "other", "", 0)
	if err != nil {
		t.Fatal(err)
	}
	if got, err := add(t.Context(), t, box, other, data(0, 3), "", nil); err != nil || got.New != 3 {
		t.Errorf("the same rows in another batch: %+v, %v", got, err)
	}
}

func TestARowIsKnownWhenItsMessageIsGone(t *testing.T) {
	box, b := openOutbox(t)
	if _, err := add(t.Context(), t, box, b, data(0, 5), "id", nil); err != nil {
		t.Fatal(err)
	}
	if n, err := operator.Act(t.Context(), box, outbox.Discard, operator.Filter{Batch: b.ID, Row: "3"}); err != nil || n != 1 {
		t.Fatalf("%d removed, %v", n, err)
	}
	got, err := add(t.Context(), t, box, b, data(0, 6), "id", nil)
	if want := (batch.Added{New: 1, Known: 5}); err != nil || got != want {
		t.Errorf("added %+v, %v, want %+v", got, err, want)
	}
	account, err := batch.Take(t.Context(), box, b)
	if err != nil || account.String() != "6 rows: 0 accepted, 0 refused, 0 in doubt, 5 waiting, 1 cancelled" {
		t.Errorf("account %q, %v", account, err)
	}
	var out bytes.Buffer
	if err := batch.Report(t.Context(), &out, box, b, why); err != nil || !strings.Contains(out.String(), "\n3,,cancelled,,") || strings.Count(out.String(), "\n") != 7 {
		t.Errorf("report %v:\n%s", err, out.String())
	}
	in, err := rows.NewReader("rows.csv", strings.NewReader(data(0, 300)), "id")
	if err != nil {
		t.Fatal(err)
	}
	checked, err := batch.Check(t.Context(), in, plan(t, addTemplate), func(keys []string) (map[string]bool, error) { return mailmerge.KnownRows(t.Context(), box, b, keys) })
	if err != nil || checked.Rows != 300 || checked.Known != 6 || checked.Mailboxes["reports@contoso.example"] != (batch.Count{Messages: 294, Recipients: 294}) {
		t.Errorf("checked %+v, %v", checked, err)
	}
}

// contentFunc is a content that is made while it is written.
type contentFunc func(io.Writer) (int64, error)

func (f contentFunc) WriteTo(w io.Writer) (int64, error) { return f(w) }

func TestAContentThatIsStillComingInIsNoRowYet(t *testing.T) {
	box, b := openOutbox(t)
	if _, err := add(t.Context(), t, box, b, data(0, 2), "id", nil); err != nil {
		t.Fatal(err)
	}
	_, _, err := box.AcceptContent(t.Context(), spool.Message{
		Mailbox: "reports@contoso.example", MessageID: "<1@contoso.example>", Batch: b.ID, Row: "2", Key: b.Key("2"),
		Envelope: mailobject.Envelope{ReversePath: "reports@contoso.example", ForwardPaths: []string{"a@contoso.example"}},
	}, contentFunc(func(w io.Writer) (int64, error) {
		n, err := io.Copy(w, strings.NewReader(strings.Repeat("0123456789\r\n", 300_000)))
		list, e := operator.List(t.Context(), box, operator.Filter{Batch: b.ID, States: []outbox.State{outbox.Receiving}})
		if e != nil || len(list) != 1 {
			t.Errorf("%d messages are coming in, %v", len(list), e)
		}
		if account, e := batch.Take(t.Context(), box, b); e != nil || account.String() != "2 rows: 0 accepted, 0 refused, 0 in doubt, 2 waiting" {
			t.Errorf("account %q, %v", account, e)
		}
		var out bytes.Buffer
		if e := batch.Report(t.Context(), &out, box, b, why); e != nil || strings.Count(out.String(), "\n") != 3 {
			t.Errorf("report %v:\n%s", e, out.String())
		}
		return n, err
	}))
	if err != nil {
		t.Fatal(err)
	}
	if account, err := batch.Take(t.Context(), box, b); err != nil || account.Waiting != 3 {
		t.Errorf("account %q, %v", account, err)
	}
}

// why stands for the words of the command.
func why(m operator.Mail) string { return string(m.Why) }

func TestAddGoesOnWhereItEnded(t *testing.T) {
	box, b := openOutbox(t)
	ctx, cancel := context.WithCancel(t.Context())
	first, err := add(ctx, t, box, b, data(0, 200), "id", func(a batch.Added) {
		if a.New == 50 {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) || first.New < 50 || first.New == 200 {
		t.Fatalf("added %+v, %v", first, err)
	}
	second, err := add(t.Context(), t, box, b, data(0, 200), "id", nil)
	if err != nil || second.New+first.New != 200 || second.Known != first.New {
		t.Errorf("first %+v, second %+v, %v", first, second, err)
	}
}

func TestAddNamesTheRowThatFails(t *testing.T) {
	box, b := openOutbox(t)
	_, err := add(t.Context(), t, box, b, "id,email\n1,a@x.example\n2,nonsense\n", "", nil)
	if err == nil || !strings.HasPrefix(err.Error(), `row 2 (line 3): to "nonsense": `) {
		t.Errorf("err = %v", err)
	}
}

func TestReportHasALineForEachRow(t *testing.T) {
	box, b := openOutbox(t)
	if _, err := add(t.Context(), t, box, b, data(0, 3), "id", nil); err != nil {
		t.Fatal(err)
	}
	var out bytes.Buffer
	if err := batch.Report(t.Context(), &out, box, b, why); err != nil {
		t.Fatal(err)
	}
	lines, err := csv.NewReader(&out).ReadAll()
	if err != nil || len(lines) != 4 {
		t.Fatalf("%d lines, %v", len(lines), err)
	}
	seen := map[string]bool{}
	for _, l := range lines[1:] {
		seen[l[0]+" "+l[1]+" "+l[2]] = true
	}
	for i := range 3 {
		if want := fmt.Sprintf("%d user%d@contoso.example waiting", i, i); !seen[want] {
			t.Errorf("no line %q in %v", want, lines)
		}
	}
}

// TestReportRunsNothing: what a spreadsheet takes for a formula is a text.
func TestReportRunsNothing(t *testing.T) {
	box, b := openOutbox(t)
	keys := []string{"=cmd|' /C calc'!A0", "+1", "-2+3", "@SUM(1)", "plain", "a=b", "'quoted", "＝1", "a\u202eb"}
	var rows strings.Builder
	for _, key := range keys {
		fmt.Fprintf(&rows, "\"%s\",a@contoso.example\n", key)
	}
	if _, err := add(t.Context(), t, box, b, "id,email\n"+rows.String(), "id", nil); err != nil {
		t.Fatal(err)
	}
	check := func(when string) {
		t.Helper()
		var out bytes.Buffer
		if err := batch.Report(t.Context(), &out, box, b, why); err != nil {
			t.Fatal(err)
		}
		lines, err := csv.NewReader(&out).ReadAll()
		if err != nil {
			t.Fatal(err)
		}
		seen := map[string]bool{}
		for _, l := range lines {
			seen[l[0]] = true
			for _, cell := range l {
				if cell != "" && strings.ContainsAny(cell[:1], "=+-@\t\r\x1b") {
					t.Errorf("%s: the cell %q is a formula", when, cell)
				}
			}
		}
		for _, want := range []string{"'=cmd|' /C calc'!A0", "'+1", "'-2+3", "'@SUM(1)", "plain", "a=b", "'quoted", "'＝1", `a\u202eb`} {
			if !seen[want] {
				t.Errorf("%s: no row %q in %v", when, want, lines)
			}
		}
	}
	check("waiting")
	if _, err := operator.Act(t.Context(), box, outbox.Discard, operator.Filter{All: true}); err != nil {
		t.Fatal(err)
	}
	check("removed")
}

func TestDryRunWritesMessagesAndAnIndex(t *testing.T) {
	in, err := rows.NewReader("rows.csv", strings.NewReader("id,email\n<1>,a@x.example\n2,b@x.example\n"), "")
	if err != nil {
		t.Fatal(err)
	}
	dir := filepath.Join(t.TempDir(), "out")
	n, err := batch.DryRun(t.Context(), in, plan(t, addTemplate), dir, "rows & co")
	if err != nil || n != 2 {
		t.Fatalf("%d messages, %v", n, err)
	}
	eml, err := os.ReadFile(filepath.Join(dir, "1.eml"))
	if err != nil || !strings.Contains(string(eml), "Subject: no <1>\r\n") {
		t.Errorf("1.eml: %s, %v", eml, err)
	}
	index, err := os.ReadFile(filepath.Join(dir, "index.html"))
	if err != nil {
		t.Fatal(err)
	}
	if page, err := os.ReadFile(filepath.Join(dir, "1.html")); err != nil || !strings.Contains(string(page), "<h1>no &lt;1&gt;</h1>") {
		t.Errorf("1.html: %s, %v", page, err)
	}
	for _, want := range []string{"rows &amp; co", `<a href="1.html">no &lt;1&gt;</a>`, `<a href="1.eml">`, "no &lt;1&gt;", "b@x.example", "</html>"} {
		if !strings.Contains(string(index), want) {
			t.Errorf("index lacks %q:\n%s", want, index)
		}
	}
}
