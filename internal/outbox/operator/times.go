package operator

import (
	"fmt"
	"strings"
	"time"
)

// ParseTime reads a time as a person writes it: RFC 3339, a date with or without a
// time of day, how long ago it was (2h), or a day as ParseDay has it. What names no
// zone is in that of now.
func ParseTime(text string, now time.Time) (time.Time, error) {
	if ago, err := time.ParseDuration(text); err == nil {
		return now.Add(-ago), nil
	}
	for _, layout := range []string{time.RFC3339, "2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02"} {
		if at, err := time.ParseInLocation(layout, text, now.Location()); err == nil {
			return at, nil
		}
	}
	return ParseDay(text, now)
}

// ParseDay reads a day: a date, today, yesterday, or the last day of that name. It
// returns the day's begin in the zone of now.
func ParseDay(text string, now time.Time) (time.Time, error) {
	today := time.Date(now.Year(), now.Month(), now.Day(), 0, 0, 0, 0, now.Location())
	switch word := strings.ToLower(text); word {
	case "today":
		return today, nil
	case "yesterday":
		return today.AddDate(0, 0, -1), nil
	default:
		for back := 1; back <= 7; back++ {
			day := today.AddDate(0, 0, -back)
			name := strings.ToLower(day.Weekday().String())
			short := len(word) >= 3 && strings.HasPrefix(name, word)
			if short || name == word {
				return day, nil
			}
		}
	}
	day, err := time.ParseInLocation("2006-01-02", text, now.Location())
	if err != nil {
		return day, fmt.Errorf("%q is not a day such as 2026-11-17, yesterday or tuesday", text)
	}
	return day, nil
}
