package archtest_test

import (
	"go/ast"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
)

// streamsRoom is the package that alone writes to the standard streams: it makes
// printable what it is given.
const streamsRoom = "internal/stdio"

// mayNameStreams are the files that may name a stream outside of streamsRoom, each
// with the reason.
var mayNameStreams = map[string]string{
	"cmd/smtpsend/main.go":                "hands the streams of the process to internal/stdio",
	"internal/ownfile/own_unix.go":        "makes an os.File of a directory that it opened",
	"internal/sdnotify/sdnotify_linux.go": "makes an os.File of a socket that the service manager opened",
	"internal/ownfile/place_unix.go":      "makes an os.File of a file that it opened",
}

// TestOnlyThePrinterWrites walks the source of all that the command links: whoever
// prints past internal/stdio prints what steers a terminal, sooner or later.
func TestOnlyThePrinterWrites(t *testing.T) {
	all := goFiles(t)
	used := map[string]bool{}
	packages := linked(t)
	if len(packages) < 50 {
		t.Errorf("the command links only %d packages of ours", len(packages))
	}
	for _, dir := range packages {
		if dir == streamsRoom {
			continue
		}
		for _, f := range all[filepath.FromSlash(dir)] {
			if isTest(f) {
				continue
			}
			for _, at := range streamsIn(f) {
				name := filepath.ToSlash(f.name)
				if used[name] = true; mayNameStreams[name] == "" {
					t.Errorf("%s: %s: use stdio.Printer", f.set.Position(at.pos), at.what)
				}
			}
		}
	}
	for name, reason := range mayNameStreams {
		if !used[name] {
			t.Errorf("%s (%s) names no stream: take it out of the list", name, reason)
		}
	}
}

// linked are the packages of ours that are in the command, without the copies.
func linked(t *testing.T) []string {
	t.Helper()
	cmd := exec.Command("go", "list", "-deps", "./cmd/smtpsend")
	cmd.Dir = root(t)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var names []string
	for path := range strings.Lines(string(out)) {
		path = strings.TrimSpace(path)
		if name := nameOf(path); pathOf(name) == path && !copied(name) {
			names = append(names, name)
		}
	}
	return names
}

// TestWhatWritesIsSeen: the walk finds each way to write past the writers.
func TestWhatWritesIsSeen(t *testing.T) {
	const head = "package main\nimport (\"fmt\"; \"io\"; \"log\"; \"os\"; \"syscall\")\n"
	for _, line := range []string{
		`fmt.Fprintf(g.stdout, "x")`, `fmt.Fprintln(g.stderr, "x")`, `io.Copy(s.stdout, r)`, `p.stdout = p.stderr`, `os.Stdout.WriteString("x")`, `f(os.Stderr)`,
		`fmt.Print("x")`, `fmt.Printf("x")`, `fmt.Println("x")`, `print("x")`, `println("x")`, `log.Print("x")`, `cmd.Println("x")`, `cmd.PrintErrf("x")`,
		`io.WriteString(cmd.OutOrStdout(), "x")`, `f(cmd.ErrOrStderr())`, `syscall.Write(1, b)`, `_ = &process{stdout: w}`, `os.NewFile(1, "x")`,
	} {
		if len(streamsIn(parsed(t, head+"func f() {\n"+line+"\n}\n"))) == 0 {
			t.Errorf("%s is not seen", line)
		}
	}
	for _, line := range []string{`g.Printf("x")`, `fmt.Fprintf(&b, "x")`, `g.Errorf("x")`} {
		if found := streamsIn(parsed(t, head+"func f() { "+line+" }")); len(found) > 0 {
			t.Errorf("%v does not write", found)
		}
	}
	if found := streamsIn(parsed(t, "package x\nfunc f(log *slog.Logger) { log.Info(\"x\") }")); len(found) > 0 {
		t.Errorf("%v: a variable called log is not the package", found)
	}
}

// streamsIn are the places where a file names the streams, or calls what writes to them.
func streamsIn(f file) (places []place) {
	add := func(n ast.Node, what string) { places = append(places, place{n.Pos(), what}) }
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			of, _ := n.X.(*ast.Ident)
			if what := n.Sel.Name; namesStream(f, of, what) {
				add(n, what)
			}
		case *ast.CallExpr:
			if called, ok := n.Fun.(*ast.Ident); ok && (called.Name == "print" || called.Name == "println") {
				add(n, called.Name)
			}
		case *ast.CompositeLit:
			if kind, ok := n.Type.(*ast.Ident); ok && kind.Name == "process" {
				add(n, kind.Name)
			}
		}
		return true
	})
	return places
}

// namesStream reports whether a selector is a stream, or a function that writes
// to one.
func namesStream(f file, of *ast.Ident, what string) bool {
	if of != nil && importsNamed(f, of.Name) {
		switch of.Name {
		case "fmt":
			return strings.HasPrefix(what, "Print")
		case "log":
			return true
		case "os":
			return what == "Stdout" || what == "Stderr" || what == "NewFile"
		case "syscall":
			return what == "Write"
		}
	}
	if of != nil && (of.Name == "cmd" || of.Name == "root") && strings.HasPrefix(what, "Print") { // a *cobra.Command
		return true
	}
	switch what {
	case "stdout", "stderr", "OutOrStdout", "OutOrStderr", "ErrOrStderr":
		return true
	}
	return false
}
