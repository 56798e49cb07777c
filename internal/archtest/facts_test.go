package archtest_test

import (
	"go/ast"
	"go/token"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// exchangesWords are in one place: package exchange. catalogue/*.txt and prose are
// not Go code and have them too.
var exchangesWords = []string{
	"microsoft esmtp mail service", "zscaler", "netskope", "157286400", "157_286_400",
	"login.microsoftonline.us", "login.partner.microsoftonline.cn", "outlook-dod.office365.us", "00000002-0000-0ff1-ce00",
}

// leastTLSOfRelay has the version of TLS that the relay demands of its own clients: not a fact
// about Exchange Online, and in one place too.
const leastTLSOfRelay = "internal/relay/relayfile/words.go"

// exchangesNumbers are its limits, and limited is what a number is called that is one
// of them.
var (
	exchangesNumbers = []string{"3", "30", "500", "10000", "10_000"}
	limited          = regexp.MustCompile(`(?i)(recipients|perminute|perday|connections)`)
)

func TestExchangesFactsAreInOnePlace(t *testing.T) {
	found, ofRelay := 0, 0
	for dir, files := range goFiles(t) {
		for _, f := range files {
			if strings.HasSuffix(f.name, "_test.go") || strings.HasPrefix(filepath.ToSlash(dir)+"/", "bench/") {
				continue
			}
			for _, at := range factsIn(f) {
				if filepath.ToSlash(f.name) == leastTLSOfRelay {
					ofRelay++
					continue
				}
				if found++; filepath.ToSlash(dir) != "internal/exchange" {
					t.Errorf("%s: a fact about Exchange Online: take it from internal/exchange", f.set.Position(at))
				}
			}
		}
	}
	if ofRelay != 1 {
		t.Errorf("%s writes %d versions of TLS, want the least that the relay demands of its clients", leastTLSOfRelay, ofRelay)
	}
	if found < len(exchangesWords) {
		t.Errorf("%d facts found in all: internal/exchange has more", found)
	}
}

// factsIn are the places where a file writes one of Exchange's words in a text, or one
// of its numbers for something that is called as its limits are, or the version of TLS
// that it wants.
func factsIn(f file) (places []token.Pos) {
	number := func(name, value ast.Expr) {
		ident, _ := name.(*ast.Ident)
		if sel, ok := name.(*ast.SelectorExpr); ok {
			ident = sel.Sel
		}
		if lit, ok := value.(*ast.BasicLit); ok && ident != nil && limited.MatchString(ident.Name) && slices.Contains(exchangesNumbers, lit.Value) {
			places = append(places, lit.Pos())
		}
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.BasicLit:
			text := strings.ToLower(n.Value)
			if slices.ContainsFunc(exchangesWords, func(word string) bool { return strings.Contains(text, word) }) {
				places = append(places, n.Pos())
			}
		case *ast.SelectorExpr:
			if of, ok := n.X.(*ast.Ident); ok && of.Name == "tls" && (n.Sel.Name == "VersionTLS12" || n.Sel.Name == "VersionTLS13") {
				places = append(places, n.Pos())
			}
		case *ast.KeyValueExpr:
			number(n.Key, n.Value)
		case *ast.AssignStmt:
			for i := range min(len(n.Lhs), len(n.Rhs)) {
				number(n.Lhs[i], n.Rhs[i])
			}
		case *ast.ValueSpec:
			for i := range min(len(n.Names), len(n.Values)) {
				number(n.Names[i], n.Values[i])
			}
		}
		return true
	})
	return places
}
