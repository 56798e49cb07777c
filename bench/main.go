//go:build unix

// Command bench measures smtpsend and the programs that people use in its place,
// side by side in one run: what they cost in time, processor and memory, and how
// often they wait for the server (turns). "make bench" runs it and writes
// docs/benchmarks.md.
//
// One run goes so: what is ours is built and the peers are looked for; the
// sandbox of this project is started, near (no proxy) and 40 ms away (package
// delayproxy), token endpoint included; then in each case each program is run in
// turn, as often as -runs says, and the medians are printed. A program is run by
// a small launcher of its own, so that its memory is its own. After each run the
// sandbox is asked whether it accepted what should have been sent.
//
// The peers are used as their documentation shows, with the fastest settings
// that it names. With a warm token they read it from a file, which costs them
// nothing; we read our encrypted cache. With a cold one each asks the token
// endpoint as it naturally would: curl for shell programs, the language's HTTP
// client for the others.
package main

import (
	"context"
	"errors"
	"flag"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"time"

	"github.com/smtpsend/smtpsend/bench/internal/command"
)

func main() {
	command.Main("bench", func(ctx context.Context, args []string) error { return run(ctx, args, os.Stdout, os.Stderr) })
}

// run is the program for one command line.
func run(ctx context.Context, args []string, stdout, stderr io.Writer) error {
	f := flag.NewFlagSet("bench", flag.ContinueOnError)
	f.SetOutput(stderr)
	runs := f.Int("runs", 9, "how often each program runs in each case (less where a run is long)")
	limit := f.Duration("limit", 10*time.Minute, "after this time each program runs once in each case that is left")
	quick := f.Bool("quick", false, "one run of a few cases")
	only := f.String("only", "", "the programs of this comma-separated list alone")
	cases := f.String("cases", "", "the cases whose name matches this regular expression alone")
	output := f.String("o", "", "write the table to this file, too")
	if err := f.Parse(args); err != nil {
		return err
	}
	list := scenarios(*runs)
	if *quick {
		list = quickScenarios()
	}
	pattern, err := regexp.Compile(*cases)
	if err != nil {
		return fmt.Errorf("reading -cases: %w", err)
	}
	list = slices.DeleteFunc(list, func(s scenario) bool { return !pattern.MatchString(s.name()) })
	result, err := bench(ctx, list, *only, *limit, stderr)
	if err != nil {
		return err
	}
	text := result.document()
	if _, err := io.WriteString(stdout, text); err != nil {
		return err
	}
	if *output != "" {
		err = os.WriteFile(*output, []byte(text), 0o644)
	}
	return errors.Join(err, result.counts.overBound())
}

// result is a whole run.
type result struct {
	began    time.Time
	took     time.Duration
	machine  machine
	load     string // at the end
	programs []program
	rows     []row
	counts   instructions
}

// bench sets up, measures and cleans up.
func bench(ctx context.Context, list []scenario, only string, limit time.Duration, progress io.Writer) (_ *result, err error) {
	r := &result{began: time.Now(), machine: thisMachine(ctx)}
	l, err := newLab(ctx)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, l.close()) }()
	if r.programs, err = programs(ctx, l.dir, only); err != nil {
		return nil, err
	}
	if err := l.primeToken(ctx, filepath.Join(l.dir, "smtpsend")); err != nil {
		return nil, err
	}
	if err := l.attachments(list); err != nil {
		return nil, err
	}
	l.launch, l.enough = filepath.Join(l.dir, "launch"), r.began.Add(limit)
	if r.rows, err = l.measureAll(ctx, list, r.programs, progress); err != nil {
		return r, err
	}
	if len(list) > 0 && list[0].runs > 1 { // a quick run is for turns
		r.counts, err = l.countInstructions(ctx, r.programs, progress)
	}
	r.took, r.load = time.Since(r.began), load()
	return r, err
}

// find returns the row of a case, nil when it was not measured.
func (r *result) find(s scenario) *row {
	i := slices.IndexFunc(r.rows, func(o row) bool { return o.sibling(s) && o.rtt == s.rtt })
	if i < 0 {
		return nil
	}
	return &r.rows[i]
}
