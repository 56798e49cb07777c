//go:build linux

package interop_test

import (
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/smtpsend/smtpsend/internal/sandbox"
)

// TestFaults breaks a server of others in every way, for every verb. No receipt
// may be wrong, the same failure has the same name and exit code, and a mailbox
// goes on by itself when its server is well.
func TestFaults(t *testing.T) {
	box := start(t, sandbox.Options{})
	s := startServers(t)
	cells := wantedCells()
	l := &lab{servers: s, client: newClient(t, box, at(t, box, "0", s.cert)...), dir: t.TempDir()}
	results := make([]met, len(cells))
	var group sync.WaitGroup
	const workers = 12 // most of a cell is waiting
	for w := range workers {
		group.Go(func() {
			for i := w; i < len(cells); i += workers {
				results[i] = l.run(t.Context(), cells[i])
				results[i].judge()
			}
		})
	}
	group.Wait()
	report(t, results)
}

// wantedCells are the cells of this run. Without SMTPSEND_NIGHTLY=1 those are left
// out that take long, and the catalogue's replies met once, which say little more
// than met always. SMTPSEND_FAULTS has words of the faults that are wanted alone.
func wantedCells() (cells []cell) {
	n, nightly, only := 0, os.Getenv("SMTPSEND_NIGHTLY") == "1", os.Getenv("SMTPSEND_FAULTS")
	for _, f := range faultTable() {
		for _, p := range f.variants() {
			n++
			long := f.nightly || p == once && strings.HasPrefix(f.name, "preset ")
			if long && !nightly || n%sparse != 0 || !strings.Contains(f.title(p), only) {
				continue
			}
			for _, verb := range faultVerbs {
				cells = append(cells, cell{f, p, verb})
			}
		}
	}
	return cells
}

// report fails for each cell that was wrong, and counts the exit codes.
func report(t *testing.T, results []met) {
	t.Helper()
	codes := map[string]map[int]int{}
	of := map[string]map[string]met{}
	for _, m := range results {
		if codes[m.verb] == nil {
			codes[m.verb] = map[int]int{}
		}
		codes[m.verb][m.ended.code]++
		title := m.title(m.persistence)
		if of[title] == nil {
			of[title] = map[string]met{}
		}
		of[title][m.verb] = m
		for _, wrong := range m.wrong {
			t.Errorf("%v: %s", m.cell, wrong)
		}
	}
	for _, title := range slices.Sorted(maps.Keys(of)) {
		for _, wrong := range disagreements(of[title]) {
			t.Errorf("%s: %s", title, wrong)
		}
	}
	for _, verb := range faultVerbs {
		t.Logf("%s: exit codes %v", verb, fmt.Sprint(codes[verb]))
	}
	t.Logf("%d faults, %d cells", len(of), len(results))
}

// says reports a text in another one, whatever its line breaks.
func says(text, words string) bool {
	return strings.Contains(strings.Join(strings.Fields(text), " "), strings.Join(strings.Fields(words), " "))
}
