package diagnosis

import (
	"fmt"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/lazyregexp"
)

// assertionTimes finds the times of AADSTS700024: three of them, in ISO form or
// that of the United States. AADSTS500133 does not tell from when.
var assertionTimes = lazyregexp.New(`(?is)current time:\s*(.{8,40}?)[,;]?\s+(?:assertion valid from\s*(.{8,40}?)[,;]?\s+)?expiry time of assertion\s*(\d+/\d+/\d+ [\d:]+ [AP]M|\S+)`)

// clockNote computes from the times in the text how far an assertion is off.
func clockNote(s Symptom) string {
	m := assertionTimes.Get().FindStringSubmatch(s.Text)
	if m == nil {
		return ""
	}
	now, ok1 := entraTime(m[1])
	until, ok2 := entraTime(m[3])
	from, told := entraTime(m[2])
	unreadable := m[2] != "" && !told
	switch {
	case !ok1, !ok2, unreadable:
		return ""
	case now.After(until) && !told:
		return fmt.Sprintf("By the times in the text it had expired %s before Entra received it.", span(now.Sub(until)))
	case now.After(until):
		return fmt.Sprintf("By the times in the text it had expired %s before Entra received it (it was valid for %s).", span(now.Sub(until)), span(until.Sub(from)))
	case told && now.Before(from):
		return fmt.Sprintf("By the times in the text it becomes valid only %s after Entra received it: the clock of its issuer is ahead.", span(from.Sub(now)))
	}
	return "By the times in the text it is valid now: the clocks differ by seconds."
}

func entraTime(s string) (time.Time, bool) {
	s = strings.TrimRight(s, ".,;:'\")")
	for _, layout := range []string{time.RFC3339Nano, "2006-01-02T15:04:05.999999999", "1/2/2006 3:04:05 PM"} {
		if t, err := time.Parse(layout, s); err == nil {
			return t, true
		}
	}
	return time.Time{}, false
}

// span prints a duration as people say it.
func span(d time.Duration) string {
	switch d = d.Round(time.Second); {
	case d < 2*time.Minute:
		return fmt.Sprintf("%d s", int(d.Seconds()))
	case d < 3*time.Hour:
		return fmt.Sprintf("%d min", int(d.Minutes()))
	case d < 72*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	}
	return fmt.Sprintf("%d days", int(d.Hours()/24))
}
