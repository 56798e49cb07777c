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
	maxVerb = 150
	// maxRoot is of the module's own package without comments and empty lines: it is
	// what importers read first.
	maxRoot = 500
	// maxMethods is of a type with what is embedded in it.
	maxMethods = 25
)

// The exceptions, each with the size that it may have at most. None is added: what is
// over a limit is cut into the things that it is.
var (
	largePackages = map[string]int{
		"cmd/smtpsend": 4650, // it has a file for each verb; relay, cert and expiry have several
	}
	longFunctions = map[string]int{}
	largeTypes    = map[string]int{}
)

func TestSizes(t *testing.T) {
	packages, functions, methods, code := map[string]int{}, map[string]int{}, map[string]int{}, map[string]int{}
	all := goFiles(t)
	types := typesOf(all)
	for dir, files := range all {
		name := filepath.ToSlash(dir)
		for _, f := range files {
			checkFile(t, name, f)
			if isTest(f) {
				continue
			}
			packages[name] += f.lines
			if name == "." {
				code[name] += codeLines(f)
			}
			for function, lines := range functionsOf(f) {
				function = name + "." + function
				functions[function] = max(functions[function], lines) // files of several systems
			}
		}
	}
	for name := range types {
		methods[name] = len(types.methodSet(name))
	}
	within(t, "lines of code", maxRoot, code, nil)
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

// codeLines counts the lines that are neither empty nor a comment alone.
func codeLines(f file) (n int) {
	for line := range strings.Lines(string(f.text)) {
		line = strings.TrimSpace(line)
		if line != "" && !strings.HasPrefix(line, "//") {
			n++
		}
	}
	return n
}

// functionsOf has the lines of each function of a file. A method is called TYPE.NAME.
func functionsOf(f file) map[string]int {
	functions := map[string]int{}
	for _, d := range f.ast.Decls {
		if fn, ok := d.(*ast.FuncDecl); ok {
			name := fn.Name.Name
			if fn.Recv != nil {
				name = receiver(fn) + "." + name
			}
			functions[name] = f.set.Position(fn.End()).Line - f.set.Position(fn.Pos()).Line + 1
		}
	}
	return functions
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
