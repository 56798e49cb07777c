package operator_test

import (
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/outbox/operator"
)

func TestTimesAreReadAsPeopleWriteThem(t *testing.T) {
	zone := time.FixedZone("", 3600)
	now := time.Date(2026, 11, 18, 9, 30, 0, 0, zone) // a Wednesday
	for text, want := range map[string]time.Time{
		"2h":                   now.Add(-2 * time.Hour),
		"2026-11-17":           time.Date(2026, 11, 17, 0, 0, 0, 0, zone),
		"2026-11-17 08:00":     time.Date(2026, 11, 17, 8, 0, 0, 0, zone),
		"2026-11-17T08:00:00Z": time.Date(2026, 11, 17, 8, 0, 0, 0, time.UTC),
		"today":                time.Date(2026, 11, 18, 0, 0, 0, 0, zone),
		"Yesterday":            time.Date(2026, 11, 17, 0, 0, 0, 0, zone),
		"tue":                  time.Date(2026, 11, 17, 0, 0, 0, 0, zone),
		"wednesday":            time.Date(2026, 11, 11, 0, 0, 0, 0, zone),
	} {
		if got, err := operator.ParseTime(text, now); err != nil || !got.Equal(want) {
			t.Errorf("%q is %v, %v, want %v", text, got, err, want)
		}
	}
	for _, text := range []string{"", "tu", "nevermore", "2026-13-01"} {
		if got, err := operator.ParseTime(text, now); err == nil {
			t.Errorf("%q is %v, want an error", text, got)
		}
	}
}
