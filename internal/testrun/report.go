package main

import (
	"fmt"
	"io"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/smtpsend/smtpsend/internal/lazyregexp"
)

// report makes of events what people read.
type report struct {
	out     io.Writer
	said    map[string]map[string][]string // package -> test, "" for its own -> lines, of what is not over
	builds  map[string][]string            // what the compiler said, by import path
	skipped map[string][]string            // reason -> tests
}

func newReport(out io.Writer) *report {
	return &report{out: out, said: make(map[string]map[string][]string), builds: make(map[string][]string), skipped: make(map[string][]string)}
}

func (r *report) take(e event) {
	switch e.Action {
	case "build-output":
		r.builds[e.ImportPath] = append(r.builds[e.ImportPath], e.Output)
	case "build-fail":
		r.print(r.builds[e.ImportPath])
	case "output":
		if r.said[e.Package] == nil {
			r.said[e.Package] = make(map[string][]string)
		}
		r.said[e.Package][e.Test] = append(r.said[e.Package][e.Test], e.Output)
	case "pass", "fail", "skip":
		if e.Test == "" {
			r.packageOver(e)
		} else {
			r.testOver(e)
		}
	}
}

// testOver shows what a test said that failed.
func (r *report) testOver(e event) {
	lines := r.said[e.Package][e.Test]
	delete(r.said[e.Package], e.Test)
	switch {
	case e.Action == "fail":
		r.print(lines)
	case e.Action == "skip" && !strings.HasPrefix(e.Test, "Fuzz"): // an input there, not a test
		reason := reasonOf(lines)
		r.skipped[reason] = append(r.skipped[reason], path.Base(e.Package)+"."+e.Test)
	}
}

// packageOver shows the line about a package, and all when it failed: also of tests
// that it did not end.
func (r *report) packageOver(e event) {
	own := r.said[e.Package][""]
	delete(r.said[e.Package], "")
	if e.Action != "fail" {
		r.print(own[max(0, len(own)-1):])
	} else {
		for _, test := range slices.Sorted(maps.Keys(r.said[e.Package])) {
			r.print(r.said[e.Package][test])
		}
		r.print(own)
	}
	delete(r.said, e.Package)
}

// progress are lines that go test has with -v only.
var progress = lazyregexp.New(`^=== (?:RUN|PAUSE|CONT|NAME) |^PASS\n$`)

func (r *report) print(lines []string) {
	for _, line := range lines {
		if !progress.Get().MatchString(line) {
			fmt.Fprint(r.out, line)
		}
	}
}

// logged is a line of t.Log or t.Skip.
var logged = lazyregexp.New(`^\s+[\w.-]+\.go:\d+: (.*)\n$`)

// reasonOf is the last thing that a test said before it was skipped.
func reasonOf(lines []string) string {
	for _, line := range slices.Backward(lines) {
		if m := logged.Get().FindStringSubmatch(line); m != nil {
			return m[1]
		}
	}
	return "for no reason given"
}

// shown is how many tests are named for each reason.
const shown = 4

// end lists what was skipped, each reason once.
func (r *report) end() {
	if len(r.skipped) == 0 {
		return
	}
	fmt.Fprintln(r.out, "\nSkipped:")
	for _, reason := range slices.Sorted(maps.Keys(r.skipped)) {
		tests := r.skipped[reason]
		slices.Sort(tests)
		names := strings.Join(tests[:min(shown, len(tests))], ", ")
		if more := len(tests) - shown; more > 0 {
			names += fmt.Sprintf(" and %d more", more)
		}
		fmt.Fprintf(r.out, "  %s: %s\n", reason, names)
	}
}
