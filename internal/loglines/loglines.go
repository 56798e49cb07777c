// Package loglines knows what logs, quotations and transcripts put before each
// line of a text that went through them, and SMTP before each line of a reply.
// All functions are pure and safe for concurrent use.
package loglines

import (
	"github.com/smtpsend/smtpsend/internal/lazyregexp"
)

var prefix = lazyregexp.New(`^(?:` +
	`[ \t>|*#]+|` +
	`//+|` +
	`\[?\d{4}[-/]\d\d[-/]\d\d[T ]\d\d:\d\d(?::\d\d)?(?:[.,]\d+)?(?:Z| ?[+-]\d\d:?\d\d)?\]?:?|` +
	`\[?\d\d:\d\d:\d\d(?:[.,]\d+)?\]?|` +
	`(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun),? |` +
	`(?:Jan|Feb|Mar|Apr|May|Jun|Jul|Aug|Sep|Oct|Nov|Dec) {1,2}\d{1,2} \d\d:\d\d:\d\d \S+ [\w./-]+(?:\[\d+\])?:|` +
	`[\w./-]{2,30}\[\d+\]:|` +
	`\[?(?:DEBUG|INFO|NOTICE|WARN|WARNING|ERROR|TRACE|FATAL|CRITICAL|SEVERE|debug|info|warn|error)\]?[: -]|` +
	`SERVER -> CLIENT:|CLIENT -> SERVER:|[SC]:|<<<|>>>|<--|-->|<~\*?|~>|<\*\*|<-|->|<=|=>|` +
	`[2-5]\d\d-(?:[245]\.\d{1,3}\.\d{1,3} )?|` +
	`\w{2,20} {1,4}\| ` + // docker compose
	`)`)

const maxParts = 6 // of one line's prefix

// Known is the length in octets of a prefix of the usual forms: times, levels,
// names of programs, marks of quotations, of transcripts and of replies.
func Known(line string) int {
	at := 0
	for range maxParts {
		m := prefix.Get().FindString(line[at:min(len(line), at+200)])
		if m == "" {
			break
		}
		at += len(m)
	}
	return at
}

const minShared = 10 // octets that are not by chance the same

// Shared is the length of what the line begins with just as its neighbour,
// whatever the digits, up to the end of a word: the time and origin that a log
// writes before each line. It is 0 when that is short, or has hardly a digit.
func Shared(neighbour, line string) int {
	n, digits := 0, 0
	for n < len(neighbour) && n < len(line) && n < 200 && Figure(neighbour[n]) == Figure(line[n]) && line[n] != '\n' {
		if Figure(line[n]) == '0' {
			digits++
		}
		n++
	}
	for n > 0 && inWord(line[n-1]) {
		n--
	}
	if n < minShared || digits < 4 {
		return 0
	}
	return n
}

// Figure is the octet, with one digit for all.
func Figure(c byte) byte {
	if c >= '0' && c <= '9' {
		return '0'
	}
	return c
}

func inWord(c byte) bool {
	upper, lower, digit := c >= 'A' && c <= 'Z', c >= 'a' && c <= 'z', c >= '0' && c <= '9'
	return upper || lower || digit
}
