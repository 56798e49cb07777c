// Package zone is about the time zone of this process: that of TZ, as POSIX and
// glibc have it, so that a time means the same as to date(1) and cron. What Go makes
// of TZ by itself is less: it takes what it does not understand for UTC without a
// word.
//
// The zones of the IANA are in the program, for machines and containers that have
// none. Those of the machine go first.
package zone

import (
	"errors"
	"fmt"
	"os"
	"strings"
	"time"
	_ "time/tzdata" // zones for where there are none

	"github.com/smtpsend/smtpsend/internal/lazyregexp"
)

// Error says that TZ cannot be used.
type Error struct {
	TZ     string
	Reason string
}

// Error names the value.
func (e *Error) Error() string { return fmt.Sprintf("TZ=%q %s", e.TZ, e.Reason) }

// trouble is why TZ cannot be used. It is set before anything else runs.
var trouble error

// Set makes time.Local the zone that TZ names; it is given what the environment
// says. Where TZ is not set, the zone is that of the machine, which Go has found.
// Where it cannot be used, time.Local is UTC, and the *Error is returned, then and
// by Trouble.
func Set(tz string, isSet bool) error {
	trouble = nil
	if !isSet {
		return nil
	}
	local, err := load(tz)
	if err != nil {
		local, trouble = time.UTC, err
	}
	time.Local = local
	return trouble
}

// Trouble is the *Error of Set: a time for which someone gave no zone must not be
// read then.
func Trouble() error { return trouble }

// longest is the most octets of a TZ that is looked at.
const longest = 255

// load finds the zone: one of the IANA's, a file, or the rules of POSIX 8.3.
func load(tz string) (*time.Location, error) {
	name := strings.TrimPrefix(tz, ":")
	switch {
	case name == "":
		return time.UTC, nil
	case len(name) > longest:
		return nil, &Error{tz[:longest], "is too long"}
	case strings.HasPrefix(name, "/"):
		return file(tz, name)
	case name == "Local": // a word of Go's
		return nil, unknown(tz)
	}
	if l, err := time.LoadLocation(name); err == nil {
		return l, nil
	}
	if l, err := posix(name); err == nil {
		return l, nil
	}
	return nil, unknown(tz)
}

func unknown(tz string) error {
	return &Error{tz, "is not a time zone such as Europe/Berlin or CET-1CEST,M3.5.0,M10.5.0/3"}
}

// file is the zone of a file, which Go reads by itself: it does so when time.Local is
// first asked for, and gives the zone the file's name when it could. A pipe would be
// read for ever, and a device may be someone's terminal.
func file(tz, name string) (*time.Location, error) {
	if info, err := os.Stat(name); err != nil || !info.Mode().IsRegular() {
		return nil, &Error{tz, "is not a file with a time zone"}
	}
	got := time.Local.String()
	unnamed := got == "Local" && name == "/etc/localtime"
	if got == name || unnamed {
		return time.Local, nil
	}
	return nil, &Error{tz, "is not a file with a time zone"}
}

// rules is the form of POSIX 8.3, with hours up to 167 and signs in the rules as
// RFC 8536 has it.
var rules = lazyregexp.New(func() string {
	const (
		name   = `(?:[A-Za-z]{3,}|<[A-Za-z0-9+-]{3,}>)`
		rest   = `(?::[0-5]?[0-9]){0,2}`
		offset = `[+-]?(?:2[0-4]|[01]?[0-9])` + rest
		hours  = `[+-]?(?:16[0-7]|1[0-5][0-9]|[0-9]?[0-9])` + rest
		day    = `(?:[1-9]|[1-9][0-9]|[12][0-9][0-9]|3[0-5][0-9]|36[0-5])`
		date   = `(?:J` + day + `|0|` + day + `|M(?:0?[1-9]|1[0-2])\.[1-5]\.[0-6])`
		rule   = date + `(?:/` + hours + `)?`
	)
	return `^` + name + offset + `(?:` + name + `(?:` + offset + `)?(?:,` + rule + `,` + rule + `)?)?$`
}())

var errRules = errors.New("these are not the rules of a time zone")

// posix makes a zone of rules. Package time understands them at the end of a file
// of the IANA's (RFC 8536 3.3), so such a file is made, with nothing before them.
func posix(text string) (*time.Location, error) {
	if !rules.Get().MatchString(text) {
		return nil, errRules
	}
	const before = "-00" // what holds where the rules do not
	head := func(types, letters byte) string {
		return "TZif2" + strings.Repeat("\x00", 15+4*4) + "\x00\x00\x00" + string(rune(types)) + "\x00\x00\x00" + string(rune(letters))
	}
	data := head(0, 0) + head(1, 4) + "\x00\x00\x00\x00\x00\x00" + before + "\x00" + "\n" + text + "\n"
	l, err := time.LoadLocationFromTZData(text, []byte(data))
	if err != nil {
		return nil, err
	}
	for month := range time.Month(12) {
		if name, _ := time.Date(2026, month+1, 1, 0, 0, 0, 0, l).Zone(); name == before {
			return nil, errRules
		}
	}
	return l, nil
}
