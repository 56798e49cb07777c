package archtest_test

import (
	"go/ast"
	"go/token"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// mayNameCodes are the files that may have a code of the catalogue in a text, each
// with the reason. Names of faults (constants of type smtp.Fault) may always, and those
// of what the relay refuses (constants of type event.Code).
var mayNameCodes = map[string]string{
	"cmd/smtpsend/explain.go":         "its help shows a code as an example",
	"internal/sandbox/fault/table.go": "the sandbox calls a token that it issues with a passed expiry time token-expired",
}

// TestNoCodeIsKnownByName: what the code has to know of an entry is said by the entry
// itself, as a property that internal/diagnosis/parse.go describes. The code
// "cancelled" is left out, because it is a common word.
func TestNoCodeIsKnownByName(t *testing.T) {
	codes := catalogueCodes(t)
	used := map[string]bool{}
	for _, files := range goFiles(t) {
		for _, f := range files {
			if strings.HasSuffix(f.name, "_test.go") {
				continue
			}
			for _, at := range codesIn(f, codes) {
				name := filepath.ToSlash(f.name)
				if used[name] = true; mayNameCodes[name] == "" {
					t.Errorf("%s: names a code of the catalogue: make what it decides a property of the entry", f.set.Position(at))
				}
			}
		}
	}
	for name, reason := range mayNameCodes {
		if !used[name] {
			t.Errorf("%s (%s) names no code: take it out of the list", name, reason)
		}
	}
}

// catalogueCodes are the codes of the catalogue that are not a common word.
func catalogueCodes(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob(filepath.Join(root(t), "internal", "diagnosis", "catalogue", "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	for _, name := range files {
		text, err := os.ReadFile(name)
		if err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(string(text)) {
			code, ok := strings.CutPrefix(strings.TrimSpace(line), "== ")
			if ok && strings.Contains(code, "-") && !strings.HasPrefix(code, "fix ") {
				codes = append(codes, code)
			}
		}
	}
	if len(codes) < 100 {
		t.Fatalf("%d codes found, want the whole catalogue", len(codes))
	}
	return codes
}

// codesIn are the places where a file has one of the codes as a word of a text. The
// constants of type smtp.Fault and event.Code are passed over.
func codesIn(f file, codes []string) (places []token.Pos) {
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ValueSpec:
			return !namesCodes(n.Type)
		case *ast.BasicLit:
			text, err := strconv.Unquote(n.Value)
			if n.Kind != token.STRING || err != nil {
				return true
			}
			words := strings.FieldsFunc(text, func(r rune) bool {
				return r != '-' && (r < '0' || r > '9') && (r < 'a' || r > 'z')
			})
			if slices.ContainsFunc(words, func(w string) bool { return slices.Contains(codes, w) }) {
				places = append(places, n.Pos())
			}
		}
		return true
	})
	return places
}

// namesCodes reports whether a type is smtp.Fault or event.Code, also as their packages
// write it.
func namesCodes(e ast.Expr) bool {
	name := ""
	switch e := e.(type) {
	case *ast.Ident:
		name = e.Name
	case *ast.SelectorExpr:
		name = e.Sel.Name
	}
	return name == "Fault" || name == "Code"
}
