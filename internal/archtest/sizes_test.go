package archtest_test

import (
	"go/ast"
	"path"
	"path/filepath"
	"strings"
	"testing"
)

// The size limits, in lines but for maxMethods. A package is counted without its tests.
const (
	maxFunction, maxFile, maxTestFile = 60, 500, 1000
	maxPackage                        = 2000
	// maxVerb is of a file of the command: it builds, validates and runs a verb, and
	// all else has a package.
	maxVerb    = 150
	maxMethods = 25
)

// The exceptions, each with the size that it may have at most. None is added: what is
// over a limit is cut into the things that it is.
var (
	largePackages = map[string]int{
		"cmd/smtpsend": 4000, // it has a file for each verb; 3,500 is the aim
	}
	longFunctions = map[string]int{
		"cmd/smtpsend.runBatch": 62,
	}
	largeTypes = map[string]int{}
)

// sizes are what is counted of one package, by name.
type sizes struct {
	lines              int
	functions, methods map[string]int
}

func TestSizes(t *testing.T) {
	packages, functions, methods := map[string]int{}, map[string]int{}, map[string]int{}
	for dir, files := range goFiles(t) {
		name := filepath.ToSlash(dir)
		for _, f := range files {
			checkFile(t, name, f)
		}
		s := sizesOf(files)
		packages[name] = s.lines
		for function, n := range s.functions {
			functions[name+"."+function] = n
		}
		for typ, n := range s.methods {
			methods[name+"."+typ] = n
		}
	}
	within(t, "source lines", maxPackage, packages, largePackages)
	within(t, "lines", maxFunction, functions, longFunctions)
	within(t, "methods", maxMethods, methods, largeTypes)
}

func checkFile(t *testing.T, dir string, f file) {
	t.Helper()
	limit := maxFile
	switch {
	case isTest(f):
		limit = maxTestFile
	case dir == "cmd/smtpsend":
		limit = maxVerb
	}
	if f.lines > limit {
		t.Errorf("%s has %d lines, more than %d", f.name, f.lines, limit)
	}
}

// sizesOf counts a package without its tests. A function that is a method is called
// TYPE.NAME.
func sizesOf(files []file) sizes {
	s := sizes{functions: map[string]int{}, methods: map[string]int{}}
	for _, f := range files {
		if isTest(f) {
			continue
		}
		s.lines += f.lines
		for _, d := range f.ast.Decls {
			fn, ok := d.(*ast.FuncDecl)
			if !ok {
				continue
			}
			name := fn.Name.Name
			if fn.Recv != nil {
				s.methods[receiver(fn)]++
				name = receiver(fn) + "." + name
			}
			lines := f.set.Position(fn.End()).Line - f.set.Position(fn.Pos()).Line + 1
			s.functions[name] = max(s.functions[name], lines) // files of several systems
		}
	}
	return s
}

// within checks that no size is over the limit, or over the one that an exception
// names, and that each exception is needed.
func within(t *testing.T, unit string, limit int, sizes, exceptions map[string]int) {
	t.Helper()
	for name, n := range sizes {
		if n > max(limit, exceptions[name]) {
			t.Errorf("%s has %d %s, more than %d", name, n, unit, max(limit, exceptions[name]))
		}
	}
	for name := range exceptions {
		if sizes[name] <= limit {
			t.Errorf("%s has %d %s: take it off the list of exceptions", name, sizes[name], unit)
		}
	}
}

func isTest(f file) bool { return strings.HasSuffix(path.Base(filepath.ToSlash(f.name)), "_test.go") }
