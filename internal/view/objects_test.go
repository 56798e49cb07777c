package view_test

import (
	"bytes"
	"flag"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path"
	"path/filepath"
	"reflect"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/stdio"
)

var update = flag.Bool("update", false, "write the objects of --json to testdata")

// TestObjectsAreAsWrittenDown: programs read these objects, so that no member goes,
// changes its meaning or moves unseen.
func TestObjectsAreAsWrittenDown(t *testing.T) {
	files := make(map[string]bool)
	for name, object := range objects() {
		file := filepath.Join("testdata", name+".json")
		files[file] = true
		var out, errs bytes.Buffer
		stdio.NewPrinter(&out, &errs).JSON(object)
		if errs.Len() > 0 {
			t.Errorf("%s: %s", name, &errs)
		}
		if *update {
			if err := ownfile.Replace(file, out.Bytes(), 0o644); err != nil {
				t.Fatal(err)
			}
		}
		want, err := os.ReadFile(file)
		if err != nil || out.String() != string(want) {
			t.Errorf("%s (%v) is not what is printed, which go test -update writes:\n%s", file, err, &out)
		}
	}
	found, err := filepath.Glob(filepath.Join("testdata", "*.json"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range found {
		if !files[file] {
			t.Errorf("%s: no object is printed so", file)
		}
	}
}

// TestEveryObjectIsWrittenDown finds the types that can be printed and have no file.
func TestEveryObjectIsWrittenDown(t *testing.T) {
	written := make(map[string]bool)
	for name, object := range objects() {
		typ := nameOf(object)
		if first, _, _ := strings.Cut(name, "-"); first != strings.ToLower(typ) {
			t.Errorf("%s.json has a %s: begin its name with that of the type", name, typ)
		}
		written[typ] = true
	}
	own, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	rooms, err := filepath.Glob("*/*.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, source := range append(own, rooms...) {
		file, err := parser.ParseFile(token.NewFileSet(), source, nil, 0)
		if err != nil {
			t.Fatal(err)
		}
		ast.Inspect(file, func(n ast.Node) bool {
			spec, ok := n.(*ast.TypeSpec)
			if ok && embedsSchema(spec) && !written[roomOf(file.Name.Name)+spec.Name.Name] {
				t.Errorf("%s: %s has no file in testdata: add one to objects", source, spec.Name)
			}
			return true
		})
	}
}

// nameOf is the name of an object's type, after the name of its room where that is not
// package view.
func nameOf(object any) string {
	typ := reflect.TypeOf(object)
	return roomOf(path.Base(typ.PkgPath())) + typ.Name()
}

// roomOf is "relay" for package relayview, and empty for view.
func roomOf(pkg string) string { return strings.TrimSuffix(pkg, "view") }

func embedsSchema(spec *ast.TypeSpec) bool {
	object, ok := spec.Type.(*ast.StructType)
	if !ok {
		return false
	}
	for _, field := range object.Fields.List {
		if of, ok := field.Type.(*ast.SelectorExpr); ok && len(field.Names) == 0 && of.Sel.Name == "Schema" {
			return true
		}
	}
	return false
}
