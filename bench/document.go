//go:build unix

package main

import (
	"cmp"
	"fmt"
	"strings"
	"time"
)

// document is the run as Markdown, the same on the terminal and in
// docs/benchmarks.md.
func (r *result) document() string {
	var b strings.Builder
	fmt.Fprintf(&b, "# Benchmarks\n\nWritten by `make bench` on %s in %s. Do not edit it.\n\n",
		r.began.UTC().Format("2 January 2006 15:04 MST"), r.took.Round(time.Second))
	m := r.machine
	fmt.Fprintf(&b, "Machine: %s, %s cores, %s, %s, %s; load %s at the end.\n",
		m.processor, m.cores, m.memory, m.kernel, m.golang, cmp.Or(r.load, "unknown"))
	b.WriteString(explanation)
	r.writePrograms(&b)
	r.writeTargets(&b)
	r.writeTable(&b)
	r.writeStarts(&b)
	return b.String()
}

const explanation = `
Every program submits to the sandbox of this project, on the same machine or with a round-trip
time of 40 ms. In the second case a proxy adds the delay, also for the set-up of TCP; the
bandwidth is unlimited. A message has 4 kB and one recipient.

*Wall* is the time of the process from its start to its end. *CPU* is user and system time,
also of its children. *Memory* is the largest resident set. All three are medians; *least* is the
fastest run. *Turns* is how often the program waited for the server after the TCP connection
was made; each turn costs a round trip. The factor after a figure is its ratio to that of smtpsend.

With a warm token the other programs read the token from a file, and smtpsend reads it from its
encrypted cache. With a cold token each program first asks the token endpoint. The endpoint
answers at once, or after 90 ms, like a service that has to look up, check and sign.

msmtp does not compose: it gets a ready message, with its base64. curl gets one too, except
with attachments. For 20 and 200 messages the row of smtpsend is a small program on the package
that all verbs submit with, and it takes its token from the file. The verb batch would not be
comparable: it keeps to Exchange's 30 messages a minute and first writes each message to its
outbox. Its turns are the same. If other programs use the machine at the same time, CPU, turns
and the least are steadier than the medians.

`

func (r *result) writePrograms(b *strings.Builder) {
	b.WriteString("## Programs\n\n| Program | Version |\n|---|---|\n")
	for _, p := range r.programs {
		fmt.Fprintf(b, "| %s | %s |\n", p.name, cmp.Or(p.missing, p.version))
	}
}

func (r *result) writeTargets(b *strings.Builder) {
	b.WriteString("\n## Targets\n\n| Target | Measured | |\n|---|---|---|\n")
	for _, t := range r.targets() {
		fmt.Fprintf(b, "| %s | %s | %s |\n", t.what, t.measured, t.verdict())
	}
}

func (r *result) writeTable(b *strings.Builder) {
	b.WriteString("\n## Figures\n\n| Case | Program | Wall, ms | Least, ms | CPU, ms | Memory, MB | Turns | Runs |\n|---|---|--:|--:|--:|--:|--:|--:|\n")
	for _, row := range r.rows {
		ours := row.cell(ourName)
		for i := range row.cells {
			c := &row.cells[i]
			name := ""
			if i == 0 {
				name = row.name()
			}
			if len(c.samples) == 0 {
				fmt.Fprintf(b, "| %s | %s | %s | | | | | |\n", name, c.program, oneLine(c.why))
				continue
			}
			fmt.Fprintf(b, "| %s | %s | %s | %s | %s | %s | %s | %d |\n", name, c.program,
				against(milliseconds(c.wall()), ours, (*cell).wall, c.wall()), milliseconds(c.fastest()),
				against(milliseconds(c.cpu()), ours, (*cell).cpu, c.cpu()),
				against(megabytes(c.memory()), ours, (*cell).memory, c.memory()), turns(c.turns), len(c.samples))
		}
	}
}

// writeStarts tells what passes until the connection is made, from the runs of
// one message without distance.
func (r *result) writeStarts(b *strings.Builder) {
	row := r.find(warmNear)
	if row == nil {
		return
	}
	b.WriteString("\n## From the start of the process to its connection\n\nOne message, warm token, 0 ms: until the server greets.\n\n" +
		"| Program | Median, ms | Least, ms |\n|---|--:|--:|\n")
	ours := row.cell(ourName)
	for i := range row.cells {
		c := &row.cells[i]
		if len(c.samples) == 0 {
			continue
		}
		least := c.samples[0].connect
		for _, s := range c.samples {
			least = min(least, s.connect)
		}
		fmt.Fprintf(b, "| %s | %s | %s |\n", c.program, against(milliseconds(c.connect()), ours, (*cell).connect, c.connect()), milliseconds(least))
	}
}

// against appends the ratio of a value to ours.
func against[T int64 | time.Duration](shown string, ours *cell, of func(*cell) T, value T) string {
	if ours == nil || len(ours.samples) == 0 || of(ours) <= 0 || of(ours) == value {
		return shown
	}
	return fmt.Sprintf("%s (%.2f)", shown, float64(value)/float64(of(ours)))
}

func milliseconds(d time.Duration) string {
	if d < 100*time.Millisecond {
		return fmt.Sprintf("%.1f", float64(d)/float64(time.Millisecond))
	}
	return fmt.Sprintf("%.0f", float64(d)/float64(time.Millisecond))
}

func megabytes(n int64) string { return fmt.Sprintf("%.1f", float64(n)/1e6) }

func turns(n int) string {
	if n < 0 {
		return "-"
	}
	return fmt.Sprint(n)
}

// oneLine keeps a program's words from breaking the table.
func oneLine(s string) string {
	s = strings.Join(strings.Fields(strings.ReplaceAll(s, "|", "/")), " ")
	if len(s) > 200 {
		s = strings.ToValidUTF8(s[:200], "") + " ..."
	}
	return s
}
