package view

import (
	"fmt"
	"time"
)

// OrNil is a time as JSON has it, which leaves a zero one out.
func OrNil(t time.Time) *time.Time {
	if t.IsZero() {
		return nil
	}
	return &t
}

// Clock is a time as short as it can be.
func Clock(at, now time.Time) string {
	if at.Sub(now).Abs() < 12*time.Hour {
		return at.Local().Format("15:04:05")
	}
	return at.Local().Format("2006-01-02 15:04")
}

// Age is how long ago a time was: none, when the clock was ahead then.
func Age(at, now time.Time) string {
	d := max(now.Sub(at), 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", int(d.Seconds()))
	case d < time.Hour:
		return fmt.Sprintf("%dm", int(d.Minutes()))
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", int(d.Hours()))
	}
	return fmt.Sprintf("%dd", int(d.Hours()/24))
}
