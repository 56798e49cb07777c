// Package thirdparty_test writes the packages below this directory: copies of
// packages of modules in go.mod, the same but for one thing. What they make when
// the program starts (compiled expressions, tables), the copies make at its first
// use. Decision 0008 says why.
//
// "go test ./internal/thirdparty -update" writes the copies anew, which is all there
// is to do after a module's update; without -update the test compares. No one edits
// them.
package thirdparty_test

import (
	"bytes"
	"flag"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	_ "github.com/yuin/goldmark" // so that go.mod keeps the versions that are copied
	_ "go.yaml.in/yaml/v3"
	_ "golang.org/x/net/html"
)

var update = flag.Bool("update", false, "write the copies")

// source is a package that is copied.
type source struct {
	module  string
	dir     string            // in the module
	files   []string          // all that are built, when empty
	to      string            // below this directory
	entries []string          // functions that all uses begin with: the first call of one runs the functions init
	lazy    map[string]string // variables that are made at their first use beside expressions and maps, with their types
}

// Import paths of the originals, and of the copies.
const (
	goldmark = "github.com/yuin/goldmark"
	yaml     = "go.yaml.in/yaml/v3"
	ours     = "github.com/smtpsend/smtpsend/internal/"
	here     = ours + "thirdparty"
)

// filter is the type of the tables of attributes in goldmark's renderers.
const filter = "util.BytesFilter"

// sources are all that is copied: of goldmark what internal/markdown uses.
var sources = []source{
	{module: goldmark, dir: "", to: "goldmark", lazy: map[string]string{"defaultMarkdown": "Markdown"}},
	{module: goldmark, dir: "ast", to: "goldmark/ast"},
	{module: goldmark, dir: "parser", to: "goldmark/parser"},
	{module: goldmark, dir: "renderer", to: "goldmark/renderer"},
	{module: goldmark, dir: "renderer/html", to: "goldmark/renderer/html", lazy: map[string]string{
		"GlobalAttributeFilter": filter, "HeadingAttributeFilter": filter, "BlockquoteAttributeFilter": filter, "ListAttributeFilter": filter,
		"ListItemAttributeFilter": filter, "ParagraphAttributeFilter": filter, "ThematicAttributeFilter": filter, "LinkAttributeFilter": filter,
		"CodeAttributeFilter": filter, "EmphasisAttributeFilter": filter, "ImageAttributeFilter": filter,
	}},
	{module: goldmark, dir: "text", to: "goldmark/text"},
	{module: goldmark, dir: "util", to: "goldmark/util"},
	{module: goldmark, dir: "extension", to: "goldmark/extension", files: []string{"linkify.go", "strikethrough.go", "table.go", "tasklist.go"}, lazy: map[string]string{
		"TableAttributeFilter": filter, "TableHeaderAttributeFilter": filter, "TableRowAttributeFilter": filter,
		"TableThCellAttributeFilter": filter, "TableTdCellAttributeFilter": filter, "StrikethroughAttributeFilter": filter,
	}},
	{module: goldmark, dir: "extension/ast", to: "goldmark/extension/ast", files: []string{"strikethrough.go", "table.go", "tasklist.go"}},
	{module: yaml, dir: "", to: "yaml", entries: []string{"newParser", "newParserFromReader", "newDecoder", "newEncoder", "newEncoderWithWriter"}},
	{module: "golang.org/x/net", dir: "html", to: "html"},
	{module: "golang.org/x/net", dir: "html/atom", to: "html/atom"},
	{module: "golang.org/x/net", dir: "html/charset", to: "html/charset"},
}

// copied are the import paths of the originals, and those of their copies.
func copied() map[string]string {
	paths := map[string]string{"golang.org/x/text/encoding/htmlindex": ours + "charset"} // which has the same functions
	for _, s := range sources {
		paths[path.Join(s.module, s.dir)] = path.Join(here, s.to)
	}
	return paths
}

// moduleDir is where the go command keeps the version of a module that go.mod names.
func moduleDir(t *testing.T, module string) string {
	t.Helper()
	out, err := exec.Command("go", "list", "-m", "-f", "{{.Dir}}", module).Output()
	if err != nil {
		t.Fatalf("finding %s: %v", module, err)
	}
	return strings.TrimSpace(string(out))
}

// names are the files of a package that are built on every system.
func (s source) names(t *testing.T, dir string) []string {
	t.Helper()
	if len(s.files) > 0 {
		return s.files
	}
	out, err := exec.Command("go", "list", "-f", `{{join .GoFiles "\n"}}`, path.Join(s.module, s.dir)).Output()
	if err != nil {
		t.Fatalf("listing %s: %v", dir, err)
	}
	return strings.Fields(string(out))
}

func TestCopiesAreThoseOfTheModules(t *testing.T) {
	want := make(map[string][]byte)
	lazy := make(map[string]map[string]bool) // by import path of the original: what its users have to call
	for _, s := range sources {
		lazy[path.Join(s.module, s.dir)] = make(map[string]bool)
	}
	for _, write := range []bool{false, true} { // the first round finds what is lazy
		for _, s := range sources {
			dir := filepath.Join(moduleDir(t, s.module), filepath.FromSlash(s.dir))
			p := parse(t, s, dir, s.names(t, dir))
			p.find(lazy[path.Join(s.module, s.dir)])
			if write {
				for name, text := range p.write(lazy, copied()) {
					want[path.Join(s.to, name)] = text
				}
			}
		}
	}
	for to, module := range map[string]string{"goldmark": goldmark, "yaml": yaml, "html": "golang.org/x/net"} {
		licence, err := os.ReadFile(filepath.Join(moduleDir(t, module), "LICENSE"))
		if err != nil {
			t.Fatal(err)
		}
		want[path.Join(to, "LICENSE")] = licence
	}
	if *update {
		for _, top := range []string{"goldmark", "html", "yaml"} {
			if err := os.RemoveAll(top); err != nil {
				t.Fatal(err)
			}
		}
		for name, text := range want {
			if err := os.MkdirAll(filepath.Dir(name), 0o777); err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(name, text, 0o666); err != nil {
				t.Fatal(err)
			}
		}
	}
	compare(t, want)
}

// compare holds what is in the tree against what it should be.
func compare(t *testing.T, want map[string][]byte) {
	t.Helper()
	var have []string
	for _, top := range []string{"goldmark", "html", "yaml"} {
		err := filepath.WalkDir(top, func(name string, d os.DirEntry, err error) error {
			if err == nil && !d.IsDir() {
				have = append(have, filepath.ToSlash(name))
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	for _, name := range have {
		if _, ok := want[name]; !ok {
			t.Errorf("%s is not a copy", name)
		}
	}
	for name, text := range want {
		if !slices.Contains(have, name) {
			t.Errorf("%s is missing: go test ./internal/thirdparty -update", name)
			continue
		}
		got, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		if !bytes.Equal(got, text) {
			t.Errorf("%s is not the copy of its original: go test ./internal/thirdparty -update", name)
		}
	}
}
