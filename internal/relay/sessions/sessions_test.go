package sessions_test

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/smtpsend/smtpsend/internal/relay/event"
	"github.com/smtpsend/smtpsend/internal/relay/sessions"
	"github.com/smtpsend/smtpsend/internal/smtpserver"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

var noon = time.Date(2026, 11, 17, 12, 0, 0, 0, time.UTC)

// clock is one that a test sets.
type clock struct{ at atomic.Int64 }

func newClock() *clock {
	c := &clock{}
	c.set(noon)
	return c
}

func (c *clock) set(t time.Time) { c.at.Store(t.UnixNano()) }
func (c *clock) now() time.Time  { return time.Unix(0, c.at.Load()).UTC() }

func open(t *testing.T, dir string, c *clock) *sessions.Log {
	t.Helper()
	l, err := sessions.Open(sessions.Options{Dir: dir, Now: c.now, Warn: func(err error) { t.Error(err) }})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(l.Close)
	return l
}

func from(address string, at time.Time) event.Session {
	return event.Session{Time: at, Listener: "smtp://127.0.0.1:25", Address: netip.MustParseAddr(address), Hello: "printer\x1b[2J"}
}

func refusal(address string, at time.Time) event.Refusal {
	return event.Refusal{Session: from(address, at), Stage: event.StageMail, Code: event.TooLarge, Mail: "a@contoso.com", Reply: "552 5.3.4 too large"}
}

func readAll(t *testing.T, dir string, f sessions.Filter, now time.Time) []sessions.Record {
	t.Helper()
	list, _, err := sessions.Read(t.Context(), dir, f, now)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

func TestSessionsAreKept(t *testing.T) {
	dir, c := filepath.Join(t.TempDir(), "relay"), newClock()
	l := open(t, dir, c)
	l.Refused(refusal("192.0.2.17", noon))
	l.Visited(event.Visit{Session: from("192.0.2.18", noon.Add(time.Second)), Began: noon, Senders: []string{"a", "", "c", "d"}, Messages: 2, Octets: 99, Quirks: smtpserver.QuirkNoQuit})
	l.Visited(event.Visit{Session: event.Session{Time: noon.Add(2 * time.Second), Unix: true, UID: 33}})
	l.Close()
	l.Close()
	list := readAll(t, dir, sessions.Filter{}, noon)
	if len(list) != 3 || list[0].Code != event.TooLarge || list[0].Cause == "" || list[0].Hello != `printer\x1b[2J` || list[1].Messages != 2 ||
		list[1].Quirks != "no-quit" || len(list[1].Senders) != 3 || list[2].Address != "uid 33" || list[0].Network != "" {
		t.Errorf("%+v", list)
	}
	for name, tt := range map[string]struct {
		filter sessions.Filter
		want   int
	}{
		"refused":   {sessions.Filter{Refused: true}, 1},
		"since":     {sessions.Filter{Since: noon.Add(time.Second)}, 2},
		"the last":  {sessions.Filter{Limit: 1}, 1},
		"address":   {sessions.Filter{From: place(t, "192.0.2.18")}, 1},
		"network":   {sessions.Filter{From: place(t, "192.0.2.0/28")}, 0},
		"network 2": {sessions.Filter{From: place(t, "192.0.2.0/24")}, 2},
		"mapped":    {sessions.Filter{From: place(t, "::ffff:192.0.2.18")}, 1},
		"user":      {sessions.Filter{From: place(t, "uid 33")}, 1},
		"no one":    {sessions.Filter{From: place(t, "uid 34")}, 0},
	} {
		if got := readAll(t, dir, tt.filter, noon); len(got) != tt.want {
			t.Errorf("%s: %d records, want %d", name, len(got), tt.want)
		}
	}
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) != 2 {
		t.Fatalf("%q, %v", files, err)
	}
	for _, name := range files {
		if info, err := os.Stat(name); err != nil || info.Mode().Perm() != 0o600 {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

func place(t *testing.T, text string) sessions.Place {
	t.Helper()
	p, err := sessions.ParsePlace(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

func TestWhatIsNotAPlaceIsRefused(t *testing.T) {
	for _, text := range []string{"", "printer", "192.0.2", "192.0.2.0/33", "uid x", "uid -1"} {
		if p, err := sessions.ParsePlace(text); err == nil {
			t.Errorf("%q is %+v", text, p)
		}
	}
}

// TestAHalfLineIsSkipped: a process that was killed in the middle of a line loses that
// line alone, and the next one does not become a part of it.
func TestAHalfLineIsSkipped(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	l := open(t, dir, c)
	l.Refused(refusal("192.0.2.1", noon))
	l.Refused(refusal("192.0.2.2", noon))
	l.Close()
	files, err := filepath.Glob(filepath.Join(dir, "refusals-*"))
	if err != nil || len(files) != 1 {
		t.Fatal(files, err)
	}
	info, err := os.Stat(files[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(files[0], info.Size()-20); err != nil {
		t.Fatal(err)
	}
	l = open(t, dir, c)
	l.Refused(refusal("192.0.2.3", noon.Add(time.Second)))
	l.Close()
	if list := readAll(t, dir, sessions.Filter{}, noon); len(list) != 2 || list[0].Address != "192.0.2.1" || list[1].Address != "192.0.2.3" {
		t.Errorf("%+v", list)
	}
}

// TestAFloodIsCounted: the first of a minute are kept, by network, and the rest is a
// number. Others are kept meanwhile.
func TestAFloodIsCounted(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	l := open(t, dir, c)
	for i := range 532 {
		l.Refused(refusal(fmt.Sprintf("192.0.2.%d", i%250), noon))
	}
	l.Refused(refusal("198.51.100.7", noon))
	l.Close()
	list := readAll(t, dir, sessions.Filter{}, noon)
	last := list[len(list)-1]
	if len(list) != 22 || last.Kind != sessions.More || last.Count != 512 || last.Network != "192.0.2.0/24" {
		t.Fatalf("%d records, the last %+v", len(list), last)
	}
	if got := readAll(t, dir, sessions.Filter{From: place(t, "198.51.100.0/24")}, noon); len(got) != 1 {
		t.Errorf("%+v", got)
	}
}

// TestAMinuteEndsWithTheNextRecord: what was counted is written then.
func TestAMinuteEndsWithTheNextRecord(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	l := open(t, dir, c)
	for range 30 {
		l.Visited(event.Visit{Session: from("192.0.2.1", noon), Messages: 2})
	}
	l.Close()
	l = open(t, dir, c)
	c.set(noon.Add(time.Minute))
	l.Visited(event.Visit{Session: from("192.0.2.1", noon.Add(time.Minute))})
	l.Close()
	list := readAll(t, dir, sessions.Filter{}, c.now())
	more := list[20]
	if len(list) != 22 || more.Count != 10 || more.Messages != 20 || list[21].Kind != sessions.Visited {
		t.Errorf("%d records, %+v", len(list), more)
	}
}

// TestTheSizeIsBounded: weeks of refusals at the highest rate that is kept stay within
// their files, and the newest are there.
func TestTheSizeIsBounded(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	l := open(t, dir, c)
	r := refusal("192.0.2.1", noon)
	r.Mail = strings.Repeat("\x00", event.MaxText) // four octets each when they are printable
	r.Rcpt, r.Name, r.Hello = r.Mail, r.Mail, r.Mail
	for i := range 3000 {
		at := noon.Add(time.Duration(i) * time.Minute)
		c.set(at)
		r.Time = at
		l.Refused(r)
		if i%500 == 0 { // let it write
			l.Close()
			l = open(t, dir, c)
		}
	}
	l.Close()
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil || len(files) > 8 {
		t.Fatalf("%d files, %v", len(files), err)
	}
	var sum int64
	for _, name := range files {
		info, err := os.Stat(name)
		if err != nil {
			t.Fatal(err)
		}
		sum += info.Size()
	}
	list := readAll(t, dir, sessions.Filter{}, c.now())
	if newest := list[len(list)-1]; sum > 4<<20 || newest.Kind == sessions.Refused && c.now().Sub(newest.Time) > 24*time.Hour {
		t.Errorf("%d octets, the newest %v", sum, newest.Time)
	}
}

func TestAfterAWeekNothingIsLeft(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	l := open(t, dir, c)
	l.Refused(refusal("192.0.2.1", noon))
	l.Visited(event.Visit{Session: from("192.0.2.1", noon)})
	l.Close()
	c.set(noon.Add(7*24*time.Hour + time.Second))
	if list := readAll(t, dir, sessions.Filter{}, c.now()); len(list) != 0 {
		t.Errorf("read %+v", list)
	}
	c.set(noon.Add(8*24*time.Hour + time.Second))
	open(t, dir, c).Close()
	if files, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(files) != 0 {
		t.Errorf("left %q, %v", files, err)
	}
}

// TestAClockThatIsSetBackLosesNothing: the order of the files stays.
func TestAClockThatIsSetBackLosesNothing(t *testing.T) {
	dir, c := t.TempDir(), newClock()
	c.set(noon.AddDate(5, 0, 0))
	l := open(t, dir, c)
	l.Refused(refusal("192.0.2.1", c.now()))
	l.Close()
	c.set(noon)
	l = open(t, dir, c)
	l.Refused(refusal("192.0.2.2", noon))
	l.Close()
	if list := readAll(t, dir, sessions.Filter{}, noon); len(list) != 2 {
		t.Errorf("%+v", list)
	}
}

func TestNothingIsReadWhereNothingIs(t *testing.T) {
	if list := readAll(t, filepath.Join(t.TempDir(), "none"), sessions.Filter{}, noon); len(list) != 0 {
		t.Errorf("%+v", list)
	}
}

// Two relays with one directory would remove each other's files.
func TestOneRelayWrites(t *testing.T) {
	dir, c := filepath.Join(t.TempDir(), "relay"), newClock()
	first := open(t, dir, c)
	if _, err := sessions.Open(sessions.Options{Dir: dir}); !errors.Is(err, sessions.ErrTaken) || !strings.Contains(err.Error(), dir) {
		t.Errorf("a second one: %v", err)
	}
	first.Close()
	open(t, dir, c).Close()
}
