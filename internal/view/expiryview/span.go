package expiryview

import (
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/expiry"
)

// Span is a length of time, and a flag that takes days (30d) as well as what Go writes.
type Span time.Duration

// String is the length in days, or as Go writes it.
func (s *Span) String() string {
	d := time.Duration(*s)
	if d%expiry.Day != 0 {
		return d.String()
	}
	return strconv.FormatInt(int64(d/expiry.Day), 10) + "d"
}

// Type is what help calls it.
func (s *Span) Type() string { return "time" }

// Set takes what is positive, and up to 100 years.
func (s *Span) Set(text string) error {
	d, err := time.ParseDuration(text)
	if days, isDays := strings.CutSuffix(text, "d"); isDays {
		var n uint64
		n, err = strconv.ParseUint(days, 10, 16)
		d = time.Duration(n) * expiry.Day
	}
	if err != nil || d <= 0 || d > 36500*expiry.Day {
		return errors.New("is not a time such as 30d or 36h")
	}
	*s = Span(d)
	return nil
}

// spanText is a length of time for people.
func spanText(d time.Duration) string {
	switch days := d / expiry.Day; {
	case d%expiry.Day != 0:
		return d.String()
	case days == 1:
		return "1 day"
	default:
		return fmt.Sprintf("%d days", days)
	}
}
