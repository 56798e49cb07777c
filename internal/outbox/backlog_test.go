package outbox_test

import (
	"context"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/outbox/spool"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// backlog puts n waiting messages of other mailboxes, and as many of our own
// that are due tomorrow, into the outbox in dir, past the outbox's own code.
func backlog(t testing.TB, dir string, n int) {
	t.Helper()
	if n == 0 {
		return
	}
	tomorrow := time.Now().Add(24 * time.Hour).UnixMilli()
	db := outbox.Raw(t, dir)
	db.SetMaxOpenConns(1)
	for _, query := range []string{
		"PRAGMA synchronous = OFF",
		"PRAGMA cache_size = -1000000", // a transaction that outgrows its cache is slow
		"INSERT INTO mailbox (name) SELECT 'box' || value || '@contoso.example' FROM generate_series(0, 99) WHERE true ON CONFLICT DO NOTHING",
		fmt.Sprintf(`INSERT INTO mail (mailbox, state, prio, ready_at, dedupe_key, message_id, reverse_path, rcpt_count, rcpt_open, size, sha256, created_at)
			SELECT CASE WHEN value %% 2 = 0 THEN '%s' ELSE 'box' || (value %% 100) || '@contoso.example' END, 'ready', value %% 4, %d, 'row/' || hex(randomblob(8)),
			'<' || value || '@contoso.example>', 'app@contoso.example', 1, 1, 2048, randomblob(32), 1 FROM generate_series(1, %d)`, box, tomorrow, n),
		"INSERT INTO rcpt (mail_id, n, addr, state) SELECT id, 0, hex(randomblob(6)) || '@fabrikam.example', 'open' FROM mail",
		"INSERT INTO event (mail_id, at, kind) SELECT id, 1, 'retry' FROM mail",
		"INSERT INTO body (mail_id, seq, data) SELECT id, 0, zeroblob(2048) FROM mail",
		"PRAGMA wal_checkpoint(TRUNCATE)",
	} {
		query = series.ReplaceAllString(query, "(WITH RECURSIVE s(value) AS (SELECT $1 UNION ALL SELECT value + 1 FROM s WHERE value < $2) SELECT value FROM s)")
		if _, err := db.Exec(query); err != nil {
			t.Fatalf("%.60s: %v", query, err)
		}
	}
	f, err := os.OpenFile(filepath.Join(dir, "queue.db"), os.O_RDWR, 0)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := f.Sync(); err != nil { // or the syncs that are measured would write it
		t.Fatal(err)
	}
}

var series = regexp.MustCompile(`generate_series\((\d+), (\d+)\)`)

// Every statement that runs for each message finds its rows by an index, so that
// a backlog of any length costs nothing.
func TestStatementsUseIndexes(t *testing.T) {
	dir := t.TempDir()
	var prepared texts
	ob, err := outbox.Open(t.Context(), dir, outbox.Options{}.Statements(prepared.add))
	if err != nil {
		t.Fatal(err)
	}
	defer ob.Close()
	f := &fixture{t: t, ctx: t.Context(), queue: queue{ob}}
	f.lock()
	if err := ob.Backup(t.Context(), dir+"/backup"); err != nil { // every kind of statement is prepared once
		t.Fatal(err)
	}
	exercise(f, ob)

	db := outbox.Raw(t, dir)
	small := regexp.MustCompile(`^(mailbox|notice|meta|batch|usage|sqlite_master)\b|CONSTANT ROW|SUBQUERY|subquery`)
	explained := 0
	for _, text := range prepared.all() {
		if !strings.Contains(text, "FROM ") && !strings.HasPrefix(text, "UPDATE") {
			continue
		}
		if strings.Contains(text, "ORDER BY m.id DESC LIMIT") { // an operator's, of what a filter names: here everything
			continue
		}
		rows, err := db.Query("EXPLAIN QUERY PLAN "+text, make([]any, 30)...)
		if err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		explained++
		for rows.Next() {
			var id, parent, x int
			var detail string
			if err := rows.Scan(&id, &parent, &x, &detail); err != nil {
				t.Fatal(err)
			}
			scanned, isScan := strings.CutPrefix(detail, "SCAN ")
			indexed := strings.Contains(detail, "USING COVERING INDEX") || strings.Contains(detail, "USING INDEX mail_body_left") ||
				strings.Contains(detail, "USING INDEX mail_sending") || strings.Contains(detail, "USING INDEX mail_parked")
			if isScan && !indexed && !small.MatchString(scanned) {
				t.Errorf("%s\n\t%s", text, detail)
			}
		}
		if err := rows.Close(); err != nil {
			t.Fatal(err)
		}
	}
	if explained < 25 {
		t.Errorf("only %d statements were looked at", explained)
	}
}

// texts are those of the statements that are looked at: all that write, and of those
// that read beside the ones that a long backlog would make slow.
type texts struct {
	mu    sync.Mutex
	known map[string]bool
}

func (x *texts) add(text string, writes bool) {
	x.mu.Lock()
	defer x.mu.Unlock()
	if x.known == nil {
		x.known = make(map[string]bool)
	}
	isDue, isWaiting, isTo := strings.Contains(text, "min(ready_at)"), strings.Contains(text, "'receiving', count(*)"), strings.Contains(text, "SELECT r.mail_id")
	if writes || isDue || isWaiting || isTo {
		x.known[text] = true
	}
}

func (x *texts) all() []string {
	x.mu.Lock()
	defer x.mu.Unlock()
	return slices.Sorted(maps.Keys(x.known))
}

// exercise makes the outbox run every statement that it knows.
func exercise(f *fixture, ob *outbox.Outbox) {
	m := mail()
	m.Key, m.ExpiresAt = "k", time.Now().Add(time.Hour)
	for i := range 6 {
		m.Key = fmt.Sprint("k", i)
		q := f.put(m)
		if i == 0 {
			f.act(outbox.Hold, q)
			f.act(outbox.Free, q)
			f.act(outbox.Retry, q)
		}
	}
	_, _, _ = ob.Accept(f.ctx, m, strings.NewReader(content))
	_, _, _ = ob.Accept(f.ctx, mail(), &flowing{left: 3 << 20})
	for _, o := range []smtp.Outcome{smtp.Accepted, smtp.Permanent, smtp.Transient, smtp.InDoubt} {
		c := f.allowed()
		f.finish(c, all(c, o))
	}
	c := f.allowed()
	f.finish(c, all(c, smtp.Accepted))
	f.allowed()
	f.claim()
	_ = f.sender.Release()
	f.lock()
	_, _ = f.sender.Purge(f.ctx)
	_, _ = f.sender.Due(f.ctx)
	_, _ = f.Mailboxes(f.ctx)
	_, _ = f.List(f.ctx, operator.Filter{To: "a@b"})
	_, _ = f.Act(f.ctx, outbox.Cancel, operator.Filter{All: true})
	_, _ = f.Act(f.ctx, outbox.Discard, operator.Filter{All: true})
}

// accept adds one 2 KB message.
func accept(b *testing.B, ob *outbox.Outbox, n int64) {
	m := spool.Message{
		Mailbox: box, MessageID: fmt.Sprintf("<%d@contoso.example>", n), Key: fmt.Sprintf("bench/%d", n),
		Envelope: mailobject.Envelope{ReversePath: box, ForwardPaths: []string{fmt.Sprintf("%x@fabrikam.example", uint64(n)*0x9e3779b97f4a7c15)}},
	}
	if _, _, err := ob.Accept(context.Background(), m, strings.NewReader(twoKB)); err != nil {
		b.Fatal(err)
	}
}

var twoKB = strings.Repeat("0123456789abcdef", 128)

func openBench(b *testing.B, queued int) *outbox.Outbox {
	b.Helper()
	dir := b.TempDir()
	ob, err := outbox.Open(context.Background(), dir, outbox.Options{})
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = ob.Close() })
	backlog(b, dir, queued)
	return ob
}

// BenchmarkAccept is the durable adding of 2 KB messages.
func BenchmarkAccept(b *testing.B) {
	for _, queued := range []int{0, 100_000, 400_000} {
		for _, producers := range []int{1, 10} {
			b.Run(fmt.Sprintf("queued=%d/producers=%d", queued, producers), func(b *testing.B) {
				ob := openBench(b, queued)
				var next atomic.Int64
				var wg sync.WaitGroup
				before := written()
				b.ResetTimer()
				for range producers {
					wg.Go(func() {
						for n := next.Add(1); n <= int64(b.N); n = next.Add(1) {
							accept(b, ob, n)
						}
					})
				}
				wg.Wait()
				b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "mails/s")
				b.ReportMetric((written()-before)/float64(b.N)/1024, "KB-written/mail")
			})
		}
	}
}

// written is how many octets this process has written, where that is known: a
// figure that does not change with what else the machine does.
func written() (n float64) {
	text, _ := os.ReadFile("/proc/self/io")
	if _, rest, ok := strings.Cut(string(text), "wchar: "); ok {
		_, _ = fmt.Sscan(rest, &n)
	}
	return n
}

// BenchmarkSubmit is claiming, allowing and finishing, with limits out of the
// way.
func BenchmarkSubmit(b *testing.B) {
	for _, queued := range []int{0, 100_000, 400_000} {
		b.Run(fmt.Sprintf("queued=%d", queued), func(b *testing.B) {
			dir := b.TempDir()
			now := time.Now()
			ob, err := outbox.Open(context.Background(), dir, outbox.Options{Clock: func() time.Time { return now }})
			if err != nil {
				b.Fatal(err)
			}
			defer ob.Close()
			backlog(b, dir, queued)
			for n := range b.N {
				accept(b, ob, int64(n))
			}
			s, _, err := ob.Lock(context.Background())
			if err != nil {
				b.Fatal(err)
			}
			defer s.Release()
			b.ResetTimer()
			for range b.N {
				now = now.Add(10 * time.Second)
				c, err := s.Claim(context.Background(), box)
				if err == nil {
					err = s.AllowData(context.Background(), c)
				}
				if err == nil {
					_, err = s.Finish(context.Background(), c, all(c, smtp.Accepted))
				}
				if err != nil {
					b.Fatal(err)
				}
			}
			b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "mails/s")
		})
	}
}
