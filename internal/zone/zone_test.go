package zone_test

import (
	"errors"
	"os/exec"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/zone"
)

// set sets TZ until the test ends.
func set(t *testing.T, tz string) error {
	t.Helper()
	before := time.Local
	t.Cleanup(func() {
		time.Local = before
		_ = zone.Set("", false)
	})
	return zone.Set(tz, true)
}

// moments are around the changes of the clocks on both halves of the Earth.
var moments = []string{
	"2026-01-15T12:00:00Z", "2026-03-08T06:59:59Z", "2026-03-08T07:00:00Z", "2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z", "2026-04-04T15:59:59Z",
	"2026-04-04T16:00:00Z", "2026-07-15T12:00:00Z", "2026-10-03T15:59:59Z", "2026-10-03T16:00:00Z", "2026-10-25T00:59:59Z", "2026-10-25T01:00:00Z",
	"2026-11-01T05:59:59Z", "2026-11-01T06:00:00Z", "2026-12-31T23:59:59Z", "2028-02-29T12:00:00Z", "2028-03-01T12:00:00Z",
}

func offsets(t *testing.T) string {
	t.Helper()
	var list []string
	for _, text := range moments {
		at, err := time.Parse(time.RFC3339, text)
		if err != nil {
			t.Fatal(err)
		}
		list = append(list, at.In(time.Local).Format("-0700"))
	}
	return strings.Join(list, " ")
}

// Each rule says what the zone of that name does.
func TestRulesOfPOSIX(t *testing.T) {
	for rule, name := range map[string]string{
		"CET-1CEST,M3.5.0,M10.5.0/3":                   "Europe/Berlin",
		"CET-1CEST-2,M3.5.0/02:00:00,M10.5.0/03:00":    "Europe/Berlin",
		":CET-1CEST,M3.5.0,M10.5.0/3":                  "Europe/Berlin",
		"GMT0BST,M3.5.0/1,M10.5.0":                     "Europe/London",
		"IST-1GMT0,M10.5.0,M3.5.0/1":                   "Europe/Dublin",
		"EST5EDT,M3.2.0,M11.1.0":                       "America/New_York",
		"ABC5DEF":                                      "America/New_York", // without rules those of the United States
		"NST3:30NDT,M3.2.0,M11.1.0":                    "America/St_Johns",
		"AEST-10AEDT,M10.1.0,M4.1.0/3":                 "Australia/Sydney",
		"<+1245>-12:45<+1345>,M9.5.0/2:45,M4.1.0/3:45": "Pacific/Chatham",
		"<-03>3":       "America/Sao_Paulo",
		"<+0545>-5:45": "Asia/Kathmandu",
		"JST-9":        "Asia/Tokyo",
		"UTC0":         "UTC",
	} {
		if err := set(t, rule); err != nil {
			t.Errorf("%s: %v", rule, err)
			continue
		}
		got := offsets(t)
		if err := set(t, name); err != nil {
			t.Fatal(err)
		}
		if want := offsets(t); got != want {
			t.Errorf("%s:\n got %s\nwant %s", rule, got, want)
		}
	}
}

func TestNamesAndWhatIsNone(t *testing.T) {
	for tz, want := range map[string]string{
		"": "+0000", ":": "+0000", "UTC": "+0000", "Europe/Berlin": "+0100", ":Europe/Berlin": "+0100", "CET": "+0100", "America/Argentina/Ushuaia": "-0300",
		"EST5EDT": "-0500", "Etc/GMT-3": "+0300",
	} {
		if err := set(t, tz); err != nil || zone.Trouble() != nil {
			t.Errorf("%q: %v, %v", tz, err, zone.Trouble())
		}
		if got := strings.Fields(offsets(t))[0]; got != want {
			t.Errorf("%q is %s, want %s", tz, got, want)
		}
	}
	for _, tz := range []string{
		"Europe/Nowhere", "Local", "CET-1CEST,M3.5.0", "CET-1CEST,M13.5.0,M10.5.0", "CET-1CEST,M3.6.0,M10.5.0", "CET-1CEST,M3.5.7,M10.5.0", "CET-25", "CET-1CEST,J0,J365",
		"CET-1CEST,J366,J1", "CET-1CEST,366,1", "../../etc/passwd", "/no/such/file", "/etc/passwd", "Europe", "C1", "CE-1", "<CET-1", "CET-1CEST;M3.5.0;M10.5.0",
		"CET-1 ", " CET-1", "CET-1\n", "CET-1CEST,M3.5.0,M10.5.0/168", "CET-1:60", "Europe/Berlin\x00", "\x1b[2J", strings.Repeat("x", 100_000),
	} {
		err := set(t, tz)
		var e *zone.Error
		if !errors.As(err, &e) || !errors.As(zone.Trouble(), &e) || time.Local != time.UTC {
			t.Errorf("%.40q: %v, %v, %v", tz, err, zone.Trouble(), time.Local)
		}
		if err != nil && (len(err.Error()) > 400 || strings.ContainsAny(err.Error(), "\x1b\n\x00")) {
			t.Errorf("the error of %.40q: %q", tz, err)
		}
	}
}

// What is not set is left to the machine.
func TestWithoutTZ(t *testing.T) {
	before := time.Local
	if err := zone.Set("", false); err != nil || time.Local != before || zone.Trouble() != nil {
		t.Errorf("%v, %v", err, zone.Trouble())
	}
}

// FuzzSet: whatever TZ is, it is one zone or an error.
func FuzzSet(f *testing.F) {
	for _, tz := range []string{"CET-1CEST,M3.5.0,M10.5.0/3", "Europe/Berlin", ":EST5", "<+03>-3:30:15", "A"} {
		f.Add(tz)
	}
	f.Fuzz(func(t *testing.T, tz string) {
		if err := set(t, tz); err != nil {
			return
		}
		_, offset := time.Unix(1_800_000_000, 0).In(time.Local).Zone()
		if offset < -26*3600 || offset > 26*3600 {
			t.Errorf("%q is %d s from UTC", tz, offset)
		}
	})
}

// TestAsDateHasIt compares with the C library's reading of the same rules.
func TestAsDateHasIt(t *testing.T) {
	date, err := exec.LookPath("date")
	if err != nil || runtime.GOOS != "linux" {
		t.Skip("needs GNU date")
	}
	if out, err := exec.Command(date, "--version").Output(); err != nil || !strings.Contains(string(out), "GNU") {
		t.Skip("needs GNU date")
	}
	for _, tz := range []string{
		"CET-1CEST,M3.5.0,M10.5.0/3", "ABC5DEF", "XXX-1YYY,J88/2,J298/3", "XXX-1YYY,87/2,297/3", "AAA3BBB2:30,M10.1.0,M2.3.0/-1", "<+1245>-12:45<+1345>,M9.5.0/2:45,M4.1.0/3:45",
		"IST-1GMT0,M10.5.0,M3.5.0/1", "EET-2EEST,M3.4.4/50,M10.4.4/50", "AAA-24", "AAA24",
	} {
		if err := set(t, tz); err != nil {
			t.Errorf("%s: %v", tz, err)
			continue
		}
		var want []string
		for _, text := range moments {
			cmd := exec.Command(date, "-d", text, "+%z")
			cmd.Env = []string{"TZ=" + tz}
			out, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			want = append(want, strings.TrimSpace(string(out)))
		}
		if got := offsets(t); got != strings.Join(want, " ") {
			t.Errorf("%s:\n got %s\ndate %s", tz, got, strings.Join(want, " "))
		}
	}
}
