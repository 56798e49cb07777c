package main

import (
	"fmt"
	"go/ast"
	"go/constant"
	"go/parser"
	"go/token"
	"go/types"
	"strings"
	"testing"
)

// TestLimitsAreInTheManual holds the manual's table to package limits.
func TestLimitsAreInTheManual(t *testing.T) {
	table := limitsTable(t)
	sameFile(t, "../../docs/manual.md", func(text string) string { return between(t, text, "limits", table) })
}

// limitsTable has a row for each constant, with its comment, and a row for what
// stands over each group of them.
func limitsTable(t *testing.T) string {
	t.Helper()
	set := token.NewFileSet()
	file, err := parser.ParseFile(set, "../../internal/limits/limits.go", nil, parser.ParseComments)
	if err != nil {
		t.Fatal(err)
	}
	pkg, err := new(types.Config).Check("limits", set, []*ast.File{file}, nil)
	if err != nil {
		t.Fatal(err)
	}
	var b strings.Builder
	b.WriteString("| At most | |\n|---|---|\n")
	rows := 0
	for _, declaration := range file.Decls {
		group, ok := declaration.(*ast.GenDecl)
		if !ok || group.Tok != token.CONST {
			continue
		}
		title, _, _ := strings.Cut(strings.Join(strings.Fields(group.Doc.Text()), " "), ". ")
		fmt.Fprintf(&b, "| | **%s** |\n", strings.TrimSuffix(title, "."))
		for _, spec := range group.Specs {
			values := spec.(*ast.ValueSpec)
			n, ok := constant.Int64Val(pkg.Scope().Lookup(values.Names[0].Name).(*types.Const).Val())
			if !ok || values.Comment == nil || len(values.Names) != 1 {
				t.Fatalf("%v: not a number with a comment", values.Names)
			}
			fmt.Fprintf(&b, "| %s | %s |\n", figure(n, values.Values[0]), strings.ReplaceAll(strings.TrimSpace(values.Comment.Text()), "|", "\\|"))
			rows++
		}
	}
	if rows < 40 {
		t.Fatalf("only %d limits were found", rows)
	}
	return b.String()
}

// figure is n as people write it: where the source has a shift, it is a size.
func figure(n int64, source ast.Expr) string {
	if _, size := source.(*ast.BinaryExpr); size {
		unit := 0
		for ; n >= 1<<10 && n%(1<<10) == 0; n >>= 10 {
			unit++
		}
		return fmt.Sprint(n, " ", []string{"octets", "KiB", "MiB", "GiB"}[unit])
	}
	text := fmt.Sprint(n)
	for i := len(text) - 3; i > 0; i -= 3 {
		text = text[:i] + "," + text[i:]
	}
	return text
}
