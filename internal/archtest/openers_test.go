package archtest_test

import (
	"go/ast"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// openers are the functions by which a file can be opened, made or changed. The
// others of package os (Stat, Remove, Rename, ReadDir ...) follow no link to a
// content, or are called for a name that ownfile has checked.
var openers = map[string][]string{
	"os": {"Open", "OpenFile", "OpenInRoot", "OpenRoot", "Create", "CreateTemp", "Mkdir", "MkdirAll", "MkdirTemp", "ReadFile", "WriteFile",
		"Link", "Symlink", "Truncate", "Chmod", "Chown", "Chtimes", "CopyFS", "DirFS"},
	"flock":   {"New", "NewFlock"},
	"ioutil":  {"ReadFile", "WriteFile", "TempFile", "TempDir"},
	"syscall": {"Open", "Openat", "Creat", "Mkdir", "Mkfifo", "Mknod", "Link", "Symlink", "Truncate", "Chmod", "Chown"},
	"unix":    {"Open", "Openat", "Openat2", "Creat", "Mkdir", "Mkdirat", "Mkfifo", "Mknod", "Link", "Linkat", "Symlink", "Symlinkat"},
	"windows": {"CreateFile", "Open"},
}

// mayOpen are the files outside of package ownfile that may call openers, each
// with the reason.
var mayOpen = map[string]string{
	"internal/sendmail/link.go": "makes links and opens nothing by them",
}

func TestOnlyOwnfileOpensFiles(t *testing.T) {
	used := map[string]bool{}
	for dir, files := range goFiles(t) {
		isBench := dir == "bench" || strings.HasPrefix(dir, "bench/") // which is not part of the product
		if dir == "internal/ownfile" || isBench {
			continue
		}
		for _, f := range files {
			if strings.HasSuffix(f.name, "_test.go") {
				continue
			}
			ast.Inspect(f.ast, func(n ast.Node) bool {
				sel, ok := n.(*ast.SelectorExpr)
				if !ok {
					return true
				}
				pkg, ok := sel.X.(*ast.Ident)
				if !ok || !slices.Contains(openers[pkg.Name], sel.Sel.Name) {
					return true
				}
				name := filepath.ToSlash(f.name)
				if used[name] = true; mayOpen[name] == "" {
					t.Errorf("%s: %s.%s: open it by internal/ownfile", f.set.Position(sel.Pos()), pkg.Name, sel.Sel.Name)
				}
				return true
			})
		}
	}
	for name, reason := range mayOpen {
		if !used[name] {
			t.Errorf("%s (%s) opens nothing: take it out of the list", name, reason)
		}
	}
}
