package archtest_test

import (
	"go/ast"
	"go/parser"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// exitRoom is the package that makes exit codes.
const exitRoom = "internal/exit"

// enders end the process. main.go of a command may call os.Exit.
var enders = map[string][]string{
	"os": {"Exit"}, "syscall": {"Exit"}, "unix": {"Exit"}, "log": {"Fatal", "Fatalf", "Fatalln", "Panic", "Panicf", "Panicln"},
}

// exitCodes are the codes of internal/exit that no other number in the packages that
// use it is likely to be; exitName is what a number is called that is one.
var (
	exitCodes = []string{"64", "65", "66", "67", "68", "69", "70", "73", "74", "75", "76", "77", "78", "130"}
	exitName  = regexp.MustCompile(`^(?i:exit|sysexit|ex_)|[eE]xit(Code|Status)?$`)
)

// TestOnlyOnePackageMakesExitCodes: bench and testrun are programs of their own.
func TestOnlyOnePackageMakesExitCodes(t *testing.T) {
	found := 0
	for dir, files := range goFiles(t) {
		name := filepath.ToSlash(dir)
		if name == "bench" || strings.HasPrefix(name, "bench/") || name == "internal/testrun" {
			continue
		}
		for _, f := range files {
			if isTest(f) {
				continue
			}
			for _, at := range exitsIn(f) {
				inMain := f.ast.Name.Name == "main" && filepath.Base(f.name) == "main.go" && at.what == "os.Exit"
				if inMain || name == exitRoom {
					found++
					continue
				}
				t.Errorf("%s: %s: exit codes are made by %s", f.set.Position(at.pos), at.what, exitRoom)
			}
		}
	}
	if found == 0 {
		t.Errorf("not one exit code found, not even in %s", exitRoom)
	}
}

type place struct {
	pos  token.Pos
	what string
}

// exitsIn are the places where a file ends the process or writes an exit code as a
// number.
func exitsIn(f file) (places []place) {
	uses := f.ast.Name.Name == "exit" || imports(f, module+exitRoom) || imports(f, module+exitRoom+"/ending")
	add := func(n ast.Node, what string) { places = append(places, place{n.Pos(), what}) }
	named := func(name, value ast.Expr) {
		if lit := number(value); lit != "" && exitName.MatchString(lastName(name)) {
			add(value, lastName(name)+" = "+lit)
		}
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if of, ok := n.X.(*ast.Ident); ok && slices.Contains(enders[of.Name], n.Sel.Name) && importsNamed(f, of.Name) {
				add(n, of.Name+"."+n.Sel.Name)
			}
		case *ast.BasicLit:
			if uses && n.Kind == token.INT && slices.Contains(exitCodes, n.Value) {
				add(n, n.Value)
			}
		case *ast.BinaryExpr:
			return n.Op != token.SHL // 64 << 10 is a size
		case *ast.CallExpr:
			if sel, ok := n.Fun.(*ast.SelectorExpr); ok && lastName(sel.X) == "strconv" {
				return false // 64 is a size in bits there
			}
			if len(n.Args) > 0 && lastName(n.Fun) == "With" && uses && number(n.Args[0]) != "" {
				add(n, "With("+number(n.Args[0])+")")
			}
		case *ast.KeyValueExpr:
			if lit := number(n.Value); uses && lit != "" && lastName(n.Key) == "Code" {
				add(n, "Code: "+lit)
			}
			named(n.Key, n.Value)
		case *ast.AssignStmt:
			for i := range min(len(n.Lhs), len(n.Rhs)) {
				named(n.Lhs[i], n.Rhs[i])
			}
		case *ast.ValueSpec:
			for i := range min(len(n.Names), len(n.Values)) {
				named(n.Names[i], n.Values[i])
			}
		}
		return true
	})
	return places
}

// number is the text of a whole number, "" for all else.
func number(e ast.Expr) string {
	if lit, ok := e.(*ast.BasicLit); ok && lit.Kind == token.INT {
		return lit.Value
	}
	return ""
}

// lastName is the name of an identifier, or the last one of a selector.
func lastName(e ast.Expr) string {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name
	case *ast.SelectorExpr:
		return e.Sel.Name
	}
	return ""
}

func imports(f file, path string) bool {
	return slices.ContainsFunc(f.ast.Imports, func(s *ast.ImportSpec) bool { return strings.Trim(s.Path.Value, `"`) == path })
}

// importsNamed reports whether name is an imported package and not a variable.
func importsNamed(f file, name string) bool {
	return slices.ContainsFunc(f.ast.Imports, func(s *ast.ImportSpec) bool {
		path := strings.Trim(s.Path.Value, `"`)
		return s.Name == nil && path[strings.LastIndex(path, "/")+1:] == name
	})
}

// TestWhatExitsIsSeen: the walk finds each way to end the process or to write a code.
func TestWhatExitsIsSeen(t *testing.T) {
	const head = "package x\nimport (\"os\"; \"log\"; \"syscall\"; \"" + module + exitRoom + "\")\n"
	for _, line := range []string{
		`os.Exit(exit.OK)`, `syscall.Exit(1)`, `log.Fatal("x")`, `log.Panicf("x")`, `return 75`, `exit.With(3, err)`, `_ = &exit.Error{Code: 4, Err: err}`,
		`const exitUsage = 2`, `var exitCode = 2`, `r.exit = 2`, `_ = result{exitStatus: 2}`,
	} {
		if len(exitsIn(parsed(t, head+"func f() int {\n"+line+"\n}\n"))) == 0 {
			t.Errorf("%s is not seen", line)
		}
	}
	if found := exitsIn(parsed(t, head+`func f() { exit.With(exit.TryAgain, err); strconv.ParseInt(s, 10, 64); n.Code = 5; b = make([]byte, 64<<10) }`)); len(found) > 0 {
		t.Errorf("%v is not an exit code", found)
	}
}

func parsed(t *testing.T, text string) file {
	t.Helper()
	set := token.NewFileSet()
	tree, err := parser.ParseFile(set, "x.go", text, 0)
	if err != nil {
		t.Fatal(err)
	}
	return file{name: "x.go", text: []byte(text), set: set, ast: tree}
}
