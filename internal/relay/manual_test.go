package relay_test

import (
	"os"
	"strings"
	"testing"
)

// TestManualHasEveryDevice: the manual has a row for each device that is tested, with
// where it is from, and no other.
func TestManualHasEveryDevice(t *testing.T) {
	text, err := os.ReadFile("../../docs/manual.md")
	if err != nil {
		t.Fatal(err)
	}
	_, table, begins := strings.Cut(string(text), "<!-- devices:")
	table, _, ends := strings.Cut(table, "<!-- /devices -->")
	if !begins || !ends {
		t.Fatal("the manual has no table of devices")
	}
	rows := map[string]bool{}
	for line := range strings.Lines(table) {
		cells := strings.Split(line, " | ")
		name, isRow := strings.CutPrefix(cells[0], "| ")
		if !isRow || name == "What it does" {
			continue
		}
		if len(cells) != 2 || strings.Trim(cells[1], " |\n") == "" {
			t.Errorf("no source in %q", line)
		}
		rows[name] = true
		if _, ok := devices[name]; !ok {
			t.Errorf("the manual has %q, and no test does", name)
		}
	}
	for name := range devices {
		if !rows[name] {
			t.Errorf("the manual lacks %q", name)
		}
	}
}
