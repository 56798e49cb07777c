//go:build linux

package main

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// report is what was measured.
type report struct {
	began time.Time
	taken []taken
	idle  []idle
}

// taken are messages a second, of each measurement.
type taken struct {
	sessions     int
	ours, theirs []float64
}

// idle is a relay whose clients do nothing.
type idle struct {
	name    string
	bound   int64 // of memory, MB
	memory  int64 // octets
	greeted time.Duration
}

// greetedWithin is the bound for a new client.
const greetedWithin = 50 * time.Millisecond

// document is the report as Markdown.
func (r *report) document() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# The relay, measured\n\nWritten by `make bench` on %s. Do not edit it.\n", r.began.UTC().Format("2 January 2006 15:04 MST"))
	b.WriteString(`
smtp-source of Postfix sends messages of 2 KB over sessions that stay open, to the relay and to
Postfix in turn, on the same disk. Both write each message to the disk before they answer 250, and
submit nothing meanwhile. Medians, and from the slowest to the fastest measurement.

| Clients | Relay, messages a second | Postfix | Ratio |
|--:|--:|--:|--:|
`)
	for _, t := range r.taken {
		ours, theirs := median(t.ours), median(t.theirs)
		fmt.Fprintf(&b, "| %d | %.0f (%.0f to %.0f) | %.0f (%.0f to %.0f) | %.2f%s |\n", t.sessions,
			ours, slices.Min(t.ours), slices.Max(t.ours), theirs, slices.Min(t.theirs), slices.Max(t.theirs), ours/theirs, missed(ours < theirs))
	}
	b.WriteString("\nA relay whose clients do nothing. *Greeted* is from the beginning of a connection to its 220, TLS included, the\nmedian of 20.\n\n" +
		"| Relay | Memory, MB | Bound | Greeted, ms | Bound |\n|---|--:|--:|--:|--:|\n")
	for _, i := range r.idle {
		fmt.Fprintf(&b, "| %s | %.1f%s | %d | %.1f%s | %d |\n", i.name, float64(i.memory)/1e6, missed(i.memory > i.bound*1e6), i.bound,
			float64(i.greeted)/float64(time.Millisecond), missed(i.greeted > greetedWithin), greetedWithin.Milliseconds())
	}
	return b.String()
}

// missed marks a figure beyond its bound.
func missed(is bool) string {
	if is {
		return " **missed**"
	}
	return ""
}
