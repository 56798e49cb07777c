//go:build unix

package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"go.uber.org/goleak"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

// TestQuickRunCountsOurTurns is the promise that does not depend on the machine:
// how often we wait for the server. Times are not looked at.
func TestQuickRunCountsOurTurns(t *testing.T) {
	if testing.Short() {
		t.Skip("builds the binary and submits 46 messages over 40 ms")
	}
	list := quickScenarios()
	for i := range list {
		list[i].runs = 2 // a machine that starves us can only add turns: the lesser counts
	}
	r, err := bench(context.Background(), list, ourName, time.Hour, io.Discard)
	if err != nil {
		t.Fatal(err)
	}
	for _, row := range r.rows {
		c := row.cell(ourName)
		if c == nil || len(c.samples) != row.runs {
			t.Fatalf("%s: %+v, want %d samples", row.name(), c, row.runs)
		}
		most := 7
		if row.messages == 20 {
			most = 26
		}
		if c.turns < 1 || c.turns > most {
			t.Errorf("%s: %d turns, want %d at most", row.name(), c.turns, most)
		}
		if s := c.samples[0]; s.wall <= 0 || s.cpu <= 0 || s.memory < 1<<20 {
			t.Errorf("%s: sample %+v", row.name(), s)
		}
	}
	text := r.document()
	for _, part := range []string{"# Benchmarks", "## Targets", "1 message, cold token answered after 90 ms, 40 ms | smtpsend |", "| 1 message in at most 7 turns | 7 | met |"} {
		if !strings.Contains(text, part) {
			t.Errorf("the document lacks %q:\n%s", part, text)
		}
	}
}

// rowOf is a row with one cell for each name and wall time.
func rowOf(s scenario, walls map[string]time.Duration) row {
	r := row{scenario: s}
	for name, wall := range walls {
		r.cells = append(r.cells, cell{program: name, turns: 8, samples: []sample{{wall: wall, cpu: wall, memory: 1e6}}})
	}
	return r
}

func TestTargetsAreHeldAgainstTheBestPeer(t *testing.T) {
	for name, c := range map[string]struct {
		ours time.Duration
		want string
	}{
		"met":    {75 * time.Millisecond, "met"},
		"missed": {76 * time.Millisecond, "missed"},
	} {
		t.Run(name, func(t *testing.T) {
			walls := map[string]time.Duration{ourName: c.ours, "slow": 300 * time.Millisecond, "best": 100 * time.Millisecond}
			r := &result{rows: []row{rowOf(warmFar, walls)}, programs: []program{{name: ourName}, {name: "slow"}, {name: "best"}}}
			targets := r.targets()
			if got := targets[0]; got.verdict() != c.want || !strings.Contains(got.measured, "best 100 ms") {
				t.Errorf("%+v is %q, want %q", got, got.verdict(), c.want)
			}
			if got := targets[1]; got.verdict() != "not measured" {
				t.Errorf("cold token without a run: %+v", got)
			}
		})
	}
}

func TestMissingAndUnableProgramsHaveALine(t *testing.T) {
	r := &result{
		programs: []program{{name: ourName, version: "1"}, {name: "absent", missing: "not installed"}},
		rows: []row{{scenario: twentyFar, cells: []cell{
			{program: ourName, turns: 27, samples: []sample{{wall: time.Second}}},
			{program: "single", why: "one message\nper | process"},
		}}},
	}
	text := r.document()
	for _, line := range []string{"| absent | not installed |", "|  | single | one message per / process | | | | | |"} {
		if !strings.Contains(text, line+"\n") {
			t.Errorf("no line %q in\n%s", line, text)
		}
	}
}

func TestMedianIsTheMiddle(t *testing.T) {
	of := func(s sample) int64 { return s.memory }
	for _, c := range []struct {
		values []int64
		want   int64
	}{{nil, 0}, {[]int64{5}, 5}, {[]int64{9, 1, 5}, 5}, {[]int64{9, 1, 5, 6}, 5}} {
		var samples []sample
		for _, v := range c.values {
			samples = append(samples, sample{memory: v})
		}
		if got := median(samples, of); got != c.want {
			t.Errorf("median of %v is %d, want %d", c.values, got, c.want)
		}
	}
}

func TestTurnsAreSharedWithTheSameCaseNearby(t *testing.T) {
	rows := []row{
		{scenario: warmNear, cells: []cell{{program: ourName, turns: -1}}},
		{scenario: warmFar, cells: []cell{{program: ourName, turns: 8}}},
		{scenario: twentyFar, cells: []cell{{program: ourName, turns: 27}}},
	}
	shareTurns(rows)
	if got := rows[0].cells[0].turns; got != 8 {
		t.Errorf("turns %d, want 8", got)
	}
}

func TestRefusedArguments(t *testing.T) {
	for _, args := range [][]string{{"-cases", "("}, {"-nonsense"}} {
		if err := run(context.Background(), args, io.Discard, io.Discard); err == nil {
			t.Errorf("%q: no error", args)
		}
	}
}

func TestProgramThatFailsIsReportedWithItsWords(t *testing.T) {
	dir := t.TempDir()
	launch := filepath.Join(dir, "launch")
	if err := build(context.Background(), "bench/launch", launch); err != nil {
		t.Fatal(err)
	}
	_, err := runUnder(context.Background(), launch, invocation{args: []string{"sh", "-c", "echo no token >&2; exit 7"}}, os.Environ())
	if err == nil || !strings.Contains(err.Error(), "exit code 7: no token") {
		t.Errorf("error %v", err)
	}
	r, err := runUnder(context.Background(), launch, invocation{args: []string{"true"}}, os.Environ())
	if err != nil || r.Wall <= 0 || r.MaxRSS <= 0 {
		t.Errorf("report %+v, %v", r, err)
	}
	if bytes.Contains([]byte(oneLine("a|b")), []byte("|")) {
		t.Error("a bar stays in the table")
	}
}
