package main

import (
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// handover is the file that names the streams of the process, to hand them to
// internal/stdio, which alone writes to them: it makes printable what it is given.
const handover = "main.go"

// TestOnlyThePrinterWrites walks the source: whoever prints past internal/stdio
// prints what steers a terminal, sooner or later.
func TestOnlyThePrinterWrites(t *testing.T) {
	names, err := filepath.Glob("*.go")
	if err != nil {
		t.Fatal(err)
	}
	read := 0
	for _, name := range names {
		if strings.HasSuffix(name, "_test.go") {
			continue
		}
		read++
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for _, fault := range streamsIn(t, name, text) {
			if name != handover {
				t.Errorf("%s: use stdio.Printer", fault)
			}
		}
	}
	if read < 30 {
		t.Errorf("only %d files read", read)
	}
}

// TestWhatWritesIsSeen: the walk finds each way to write past the writers.
func TestWhatWritesIsSeen(t *testing.T) {
	for _, line := range []string{
		`fmt.Fprintf(g.stdout, "x")`, `fmt.Fprintln(g.stderr, "x")`, `io.Copy(s.stdout, r)`, `p.stdout = p.stderr`, `os.Stdout.WriteString("x")`, `f(os.Stderr)`,
		`fmt.Print("x")`, `fmt.Printf("x")`, `fmt.Println("x")`, `print("x")`, `println("x")`, `log.Print("x")`, `cmd.Println("x")`, `cmd.PrintErrf("x")`,
		`io.WriteString(cmd.OutOrStdout(), "x")`, `f(cmd.ErrOrStderr())`, `syscall.Write(1, b)`, `_ = &process{stdout: w}`, `os.NewFile(1, "x")`,
	} {
		if len(streamsIn(t, "x.go", []byte("package main\nfunc f() {\n"+line+"\n}\n"))) == 0 {
			t.Errorf("%s is not seen", line)
		}
	}
	if found := streamsIn(t, "x.go", []byte("package main\nfunc f() { g.Printf(\"x\"); fmt.Fprintf(&b, \"x\"); g.Errorf(\"x\") }")); len(found) > 0 {
		t.Errorf("%v is no fault", found)
	}
}

// streamsIn lists where a file names the streams, or calls what writes to them.
func streamsIn(t *testing.T, name string, text []byte) []string {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, name, text, 0)
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	fault := func(n ast.Node, what string) {
		found = append(found, fmt.Sprintf("%v: %s", set.Position(n.Pos()), what))
	}
	ast.Inspect(file, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			of, _ := n.X.(*ast.Ident)
			if what := n.Sel.Name; namesStream(of, what) {
				fault(n, what)
			}
		case *ast.CallExpr:
			if f, ok := n.Fun.(*ast.Ident); ok && (f.Name == "print" || f.Name == "println") {
				fault(n, f.Name)
			}
		case *ast.CompositeLit:
			if kind, ok := n.Type.(*ast.Ident); ok && kind.Name == "process" {
				fault(n, kind.Name)
			}
		}
		return true
	})
	return found
}

// namesStream reports whether a selector is a stream, or a function that writes
// to one.
func namesStream(of *ast.Ident, what string) bool {
	if of != nil {
		switch of.Name {
		case "fmt":
			return strings.HasPrefix(what, "Print")
		case "log":
			return true
		case "os":
			return what == "Stdout" || what == "Stderr" || what == "NewFile"
		case "syscall":
			return what == "Write"
		case "cmd", "root": // a *cobra.Command
			if strings.HasPrefix(what, "Print") {
				return true
			}
		}
	}
	switch what {
	case "stdout", "stderr", "OutOrStdout", "OutOrStderr", "ErrOrStderr":
		return true
	}
	return false
}
