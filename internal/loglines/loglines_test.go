package loglines_test

import (
	"testing"

	"github.com/smtpsend/smtpsend/internal/loglines"
)

func TestKnownPrefixes(t *testing.T) {
	for line, want := range map[string]string{
		"535 5.7.3 no":                               "",
		"> > 535 5.7.3 no":                           "> > ",
		"2026-11-30T08:00:00.123Z ERROR: no":         "2026-11-30T08:00:00.123Z ERROR: ",
		"Nov 30 08:00:00 db1 postfix/smtp[4711]: no": "Nov 30 08:00:00 db1 postfix/smtp[4711]: ",
		"CLIENT -> SERVER: QUIT":                     "CLIENT -> SERVER: ",
		"535-5.7.3 no":                               "535-5.7.3 ",
		"web  | no":                                  "web  | ",
	} {
		if got := line[:loglines.Known(line)]; got != want {
			t.Errorf("%q begins with %q, want %q", line, got, want)
		}
	}
}

func TestSharedPrefixes(t *testing.T) {
	for _, tt := range [][3]string{
		{"[17:01:02.123 w7] one", "[17:01:02.456 w7] two", "[17:01:02.456 w7] "},
		{"the same words of two", "the same words of three", ""}, {"1 2 3", "1 2 4", ""},
	} {
		if got := tt[1][:loglines.Shared(tt[0], tt[1])]; got != tt[2] {
			t.Errorf("%q and %q share %q, want %q", tt[0], tt[1], got, tt[2])
		}
	}
}
