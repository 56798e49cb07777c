package outbox_test

import (
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/notice"
)

// An outbox of an older version whose mailboxes are held goes on: what a sign-in
// was refused for is probed at once, what an operator holds is not, and a notice
// that was not told yet is kept as long as a new one.
func TestAnOlderOutboxWithHeldMailboxes(t *testing.T) {
	for steps := 1; steps <= 2; steps++ {
		t.Run(fmt.Sprint("schema ", steps), func(t *testing.T) {
			dir, now := older(t, steps), time.Now().UnixMilli()
			db := outbox.Raw(t, dir)
			for _, text := range []string{
				"INSERT INTO mailbox (name, pause, pause_kind) VALUES ('a@x.example', 'configuration', 'auth-unsuccessful'), ('b@x.example', 'blocked', ''), ('c@x.example', 'operator', '')",
				fmt.Sprintf("INSERT INTO mailbox (name, pause, paused_until) VALUES ('d@x.example', 'throttled', %d)", now+3_600_000),
				fmt.Sprintf("INSERT INTO notice (at, kind, mailbox) VALUES (%d, 'held', 'a@x.example')", now-1000),
				"INSERT INTO mail (mailbox, state, prio, ready_at, created_at, reverse_path, message_id, size, rcpt_count, rcpt_open) SELECT name, 'ready', 1, 1, 1, name, '<1@x>', 1, 1, 1 FROM mailbox",
			} {
				if _, err := db.ExecContext(t.Context(), text); err != nil {
					t.Fatal(err)
				}
			}
			ob, err := outbox.Open(t.Context(), dir, outbox.Options{AnyFileSystem: true})
			if err != nil {
				t.Fatal(err)
			}
			defer ob.Close()
			sender, _, err := ob.Lock(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer sender.Release()
			due, err := sender.Due(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			var got []string
			for _, d := range due {
				got = append(got, fmt.Sprint(d.Mailbox[:1], " ", d.Probe, " ", !d.At.After(time.Now())))
			}
			if text := strings.Join(got, ", "); text != "a true true, b true true, d false false" {
				t.Errorf("due: %s", text)
			}
			if _, err := sender.Purge(t.Context()); err != nil {
				t.Fatal(err)
			}
			if list, err := on(ob).Notices(t.Context(), notice.RoadCommand, 9); err != nil || len(list) != 1 {
				t.Errorf("notices %+v, %v", list, err)
			}
		})
	}
}

// older is a directory with an outbox of so many steps.
func older(t *testing.T, steps int) string {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "queue.db"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	db := outbox.Raw(t, dir)
	types := strings.NewReplacer("IDENTITY", "INTEGER PRIMARY KEY AUTOINCREMENT", "BIGINT", "INTEGER", ") CLUSTERED", ") WITHOUT ROWID")
	for n := 1; n <= steps; n++ {
		text, err := fs.ReadFile(outbox.Schema, fmt.Sprintf("schema/%04d.sql", n))
		if err == nil {
			_, err = db.ExecContext(t.Context(), types.Replace(string(text)))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	if _, err := db.ExecContext(t.Context(), "INSERT INTO meta (name, value) VALUES ('schema', ?1), ('tag', 'abc')", fmt.Sprint(steps)); err != nil {
		t.Fatal(err)
	}
	return dir
}
