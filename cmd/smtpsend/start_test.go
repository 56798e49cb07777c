package main

import (
	"bytes"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"runtime"
	"strconv"
	"strings"
	"testing"
)

// startTrace is a line of GODEBUG=inittrace=1.
var startTrace = regexp.MustCompile(`(?m)^init (\S+) @.* (\d+) bytes, (\d+) allocs$`)

// cost is what a package takes when the process starts. Both are the same in every run.
type cost struct{ octets, allocations int }

// What packages may take: ours and those of others. heavy are the others that take more,
// with what keeps them.
var (
	oursMay   = cost{1200, 8}
	othersMay = cost{8000, 60}
	heavy     = map[string]cost{
		"html/template":                 {20_000, 100}, // templates
		"unicode":                       {12_000, 20},  // regexp
		"github.com/dustin/go-humanize": {10_000, 125}, // modernc.org/libc
	}
)

// TestNothingHeavyStarts holds what every process does before main, whatever the verb:
// the cause of what "make bench" counts in instructions.
func TestNothingHeavyStarts(t *testing.T) {
	if runtime.GOOS != "linux" {
		t.Skip("the figures are those of Linux")
	}
	program := filepath.Join(t.TempDir(), "smtpsend")
	build := exec.Command("go", "build", "-trimpath", "-ldflags=-s", "-o", program, ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	cmd := exec.Command(program, "version")
	cmd.Env = append(os.Environ(), "GODEBUG=inittrace=1")
	var trace bytes.Buffer
	cmd.Stderr = &trace
	if err := cmd.Run(); err != nil {
		t.Fatal(err)
	}
	lines := startTrace.FindAllStringSubmatch(trace.String(), -1)
	if len(lines) < 50 {
		t.Fatalf("only %d packages in %s", len(lines), trace.Bytes())
	}
	for _, line := range lines {
		var c cost
		c.octets, _ = strconv.Atoi(line[2])
		c.allocations, _ = strconv.Atoi(line[3])
		most, known := heavy[line[1]]
		switch {
		case known:
		case line[1] == "main" || strings.HasPrefix(line[1], "github.com/smtpsend/smtpsend/"):
			most = oursMay
		default:
			most = othersMay
		}
		if c.octets > most.octets || c.allocations > most.allocations {
			t.Errorf("%s takes %d octets in %d allocations when the process starts, at most %d in %d: make it at first use (package lazy)",
				line[1], c.octets, c.allocations, most.octets, most.allocations)
		}
	}
}

// replaced are packages that make large tables when they start, or bring such packages,
// with what is used in their place.
var replaced = map[string]string{
	"github.com/yuin/goldmark":             "internal/thirdparty/goldmark",
	"go.yaml.in/yaml/v3":                   "internal/thirdparty/yaml",
	"golang.org/x/net/html":                "internal/thirdparty/html",
	"golang.org/x/text/encoding/htmlindex": "internal/charset",
	"golang.org/x/text/encoding/ianaindex": "internal/charset",
	"golang.org/x/text/secure/precis":      "nothing of go-mail",
	"github.com/wneessen/go-mail":          "internal/message",
	"github.com/wneessen/go-mail/smtp":     "internal/submission",
}

func TestPackagesWithLargeTablesAreNotLinked(t *testing.T) {
	out, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Fields(string(out)) {
		if instead := replaced[name]; instead != "" {
			t.Errorf("%s is linked in: use %s", name, instead)
		}
	}
}
