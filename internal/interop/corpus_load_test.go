//go:build linux

package interop_test

import (
	"bytes"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// corpusLeast is how many messages the corpus has, corpusOfOne how many at most
// are of one package, corpusLargest the octets of the largest.
const (
	corpusLeast   = 750
	corpusOfOne   = 130
	corpusLargest = 1 << 20
)

// specimen is a message of the corpus, as somebody wrote it.
type specimen struct {
	name string // package/file#number
	raw  []byte
}

// loadCorpus reads what scripts/corpus fetched. Of a package with more than
// corpusOfOne messages it takes so many, evenly spread.
func loadCorpus(t testing.TB) (all []specimen) {
	t.Helper()
	root, err := filepath.Abs("../../.peers/corpus")
	if err != nil {
		t.Fatal(err)
	}
	if _, err := os.Stat(root); err != nil {
		lacking(t, "the corpus is not there: run make peers")
	}
	packages, err := os.ReadDir(root)
	if err != nil {
		t.Fatal(err)
	}
	for _, p := range packages {
		if !p.IsDir() {
			continue
		}
		found := loadPackage(t, root, p.Name())
		n := min(len(found), corpusOfOne)
		for i := range n {
			all = append(all, found[i*len(found)/n])
		}
	}
	return all
}

// loadPackage reads every file of a package that is a message or an mbox; one
// that occurs twice counts once.
func loadPackage(t testing.TB, root, name string) (found []specimen) {
	t.Helper()
	seen := map[string]bool{}
	err := filepath.WalkDir(filepath.Join(root, name), func(path string, d fs.DirEntry, err error) error {
		if err != nil || !d.Type().IsRegular() {
			return err
		}
		content, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		file, _ := filepath.Rel(root, path)
		for i, raw := range apart(content) {
			if !isMessage(raw) || len(raw) > corpusLargest || seen[string(raw)] {
				continue
			}
			seen[string(raw)] = true
			found = append(found, specimen{fmt.Sprintf("%s#%d", file, i), raw})
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return found
}

// mboxLine begins a message in an mbox.
var mboxLine = regexp.MustCompile(`(?m)^From \S+ .*[0-9]{4}.*$`)

// apart is an mbox in its messages, each with its mbox line; anything else is
// one message.
func apart(content []byte) (list [][]byte) {
	var starts []int
	for _, at := range mboxLine.FindAllIndex(content, -1) {
		before := bytes.TrimSuffix(bytes.TrimSuffix(content[:at[0]], []byte("\n")), []byte("\r"))
		if at[0] == 0 || bytes.HasSuffix(before, []byte("\n")) {
			starts = append(starts, at[0])
		}
	}
	if len(starts) == 0 || starts[0] != 0 {
		return [][]byte{content}
	}
	for i, start := range starts {
		end := len(content)
		if i+1 < len(starts) {
			end = starts[i+1]
		}
		list = append(list, content[start:end])
	}
	return list
}

// usual are fields one of which each message has.
var usual = []string{"from", "to", "subject", "date", "received", "message-id", "return-path", "mime-version", "content-type"}

// isMessage tells a message from the other files beside it: it begins with
// header fields, one of them a usual one.
func isMessage(raw []byte) bool {
	known := false
	for i, line := range strings.Split(string(raw[:min(len(raw), 64<<10)]), "\n") {
		line = strings.TrimRight(line, "\r")
		name, _, field := strings.Cut(line, ":")
		switch {
		case strings.HasPrefix(line, "From ") || strings.HasPrefix(line, ">From "):
		case line == "":
			return known
		case line[0] == ' ' || line[0] == '\t':
			if i == 0 {
				return false
			}
		case !field || strings.ContainsAny(name, " \t"):
			return false
		}
		known = known || slices.Contains(usual, strings.ToLower(name))
	}
	return known
}

func TestCorpusIsLarge(t *testing.T) {
	all := loadCorpus(t)
	of := map[string]int{}
	for _, s := range all {
		name, _, _ := strings.Cut(s.name, "/")
		of[name]++
	}
	t.Logf("%d messages: %v", len(all), of)
	if len(all) < corpusLeast {
		t.Errorf("%d messages, want at least %d", len(all), corpusLeast)
	}
}
