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
// with the reason. Names of faults (constants of type smtp.Fault) may always.
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
// constants of type smtp.Fault are passed over.
func codesIn(f file, codes []string) (places []token.Pos) {
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.ValueSpec:
			return !isFault(n.Type)
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

// isFault reports whether a type is smtp.Fault, also as package smtp itself writes it.
func isFault(e ast.Expr) bool {
	switch e := e.(type) {
	case *ast.Ident:
		return e.Name == "Fault"
	case *ast.SelectorExpr:
		return e.Sel.Name == "Fault"
	}
	return false
}
