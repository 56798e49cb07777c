// Package view is what a verb came to, for people and programs: for each result a type
// that is the JSON of --json, its members in the order of the fields, and its text.
// Nothing here decides anything: outcomes come from submission, outbox and doctor, names
// from the catalogue, exit codes from package exit. Text goes out by an internal/stdio.Printer.
package view

import (
	"fmt"
	"time"
)

// Tail is s with two blanks before it, "" for nothing.
func Tail(s string) string {
	if s == "" {
		return ""
	}
	return "  " + s
}

// AtMost cuts a text after n characters; --json has the whole.
func AtMost(s string, n int) string {
	runes := []rune(s)
	if len(runes) <= n {
		return s
	}
	return string(runes[:n]) + " ..."
}

// Counted is a number with its noun.
func Counted(n int, noun string) string { return fmt.Sprintf("%d %s", n, Plural(n, noun, noun+"s")) }

// Plural is one for 1, else many.
func Plural(n int, one, many string) string {
	if n == 1 {
		return one
	}
	return many
}

// Milliseconds are a time as JSON has it.
func Milliseconds(d time.Duration) float64 {
	return float64(d.Round(10*time.Microsecond)) / float64(time.Millisecond)
}
