package mailtemplate

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/zone"
)

// At executes the template's time, which is RFC 3339, or date and time without
// a zone ("2026-12-24 08:00"), then in the local one. It is zero when the
// template has none or it comes out empty. Errors are those of Fill; one that wraps
// *zone.Error says that the local one is not known.
func (t *Template) At(ctx context.Context, data map[string]any) (time.Time, error) {
	run := t.begin(ctx, data)
	defer run.texts.End()
	text := strings.TrimSpace(run.text("at"))
	if len(run.errs) > 0 {
		return time.Time{}, run.errs[0]
	}
	if text == "" {
		return time.Time{}, nil
	}
	return ParseTime("at", text)
}

// ParseTime reads a time as people write it; see Template.At.
func ParseTime(field, text string) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	for _, layout := range []string{"2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02"} {
		at, err := time.ParseInLocation(layout, text, time.Local)
		if trouble := zone.Trouble(); err == nil && trouble != nil {
			return time.Time{}, fmt.Errorf("%s %q has no zone, and %w", field, text, trouble)
		}
		if err != nil {
			continue
		}
		wall, _ := time.Parse(layout, text)
		movedOn := wall.Hour() != at.Hour() || wall.Minute() != at.Minute() // a date alone means the day's first moment
		if movedOn && len(layout) > len(time.DateOnly) {
			return time.Time{}, refused(field, text, "does not exist on that day, because the clocks go forward")
		}
		return at, nil
	}
	return time.Time{}, refused(field, text, `is not a time such as "2026-12-24 08:00" or "2026-12-24T08:00:00+01:00"`)
}
