package archtest_test

import (
	"go/ast"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// declared is what a type declares itself: its methods, and the types of ours that are
// embedded in it.
type declared struct {
	methods, embedded []string
}

// declaredTypes are those of all packages but for tests, by DIRECTORY.NAME.
type declaredTypes map[string]declared

func typesOf(all map[string][]file) declaredTypes {
	types := declaredTypes{}
	for dir, files := range all {
		dir = filepath.ToSlash(dir)
		for _, f := range files {
			if isTest(f) {
				continue
			}
			for _, d := range f.ast.Decls {
				switch d := d.(type) {
				case *ast.FuncDecl:
					if d.Recv != nil {
						types.add(dir+"."+receiver(d), []string{d.Name.Name}, nil)
					}
				case *ast.GenDecl:
					for _, spec := range d.Specs {
						if s, ok := spec.(*ast.TypeSpec); ok {
							methods, embedded := membersOf(dir, f, s.Type)
							types.add(dir+"."+s.Name.Name, methods, embedded)
						}
					}
				}
			}
		}
	}
	return types
}

func (t declaredTypes) add(name string, methods, embedded []string) {
	d := t[name]
	d.methods, d.embedded = append(d.methods, methods...), append(d.embedded, embedded...)
	t[name] = d
}

// methodSet has the names of all methods of a type, with those of what is embedded.
func (t declaredTypes) methodSet(name string) []string {
	set := slices.Clone(t[name].methods)
	for _, embedded := range t[name].embedded {
		set = append(set, t.methodSet(embedded)...)
	}
	slices.Sort(set)
	return slices.Compact(set)
}

// membersOf are the methods of an interface, and what is embedded in it or in a struct.
func membersOf(dir string, f file, typ ast.Expr) (methods, embedded []string) {
	var fields []*ast.Field
	isInterface := false
	switch typ := typ.(type) {
	case *ast.StructType:
		fields = typ.Fields.List
	case *ast.InterfaceType:
		fields, isInterface = typ.Methods.List, true
	}
	for _, field := range fields {
		switch {
		case len(field.Names) == 0:
			embedded = append(embedded, fullName(dir, f, field.Type))
		case isInterface:
			methods = append(methods, field.Names[0].Name)
		}
	}
	return methods, embedded
}

// fullName is DIRECTORY.NAME of an embedded type, whatever for one that is not ours.
func fullName(dir string, f file, typ ast.Expr) string {
	switch typ := typ.(type) {
	case *ast.StarExpr:
		return fullName(dir, f, typ.X)
	case *ast.IndexExpr:
		return fullName(dir, f, typ.X)
	case *ast.Ident:
		return dir + "." + typ.Name
	case *ast.SelectorExpr:
		for _, imported := range f.ast.Imports {
			path := strings.Trim(imported.Path.Value, `"`)
			named := imported.Name != nil && imported.Name.Name == lastName(typ.X)
			if named || strings.HasSuffix("/"+path, "/"+lastName(typ.X)) {
				return nameOf(path) + "." + typ.Sel.Name
			}
		}
	}
	return ""
}

// TestMethodsOfEmbeddedTypesCount: a type is not made smaller by an embedded part.
func TestMethodsOfEmbeddedTypesCount(t *testing.T) {
	types := typesOf(map[string][]file{
		"internal/a": {parsed(t, `package a
import "`+module+`internal/b"
type whole struct { *part; b.Other; size int }
func (*whole) one() {}
func (whole) two() {}
type part struct{}
func (*part) three() {}
func (*part) one() {}`)},
		"internal/b": {parsed(t, "package b\ntype Other interface { Four(); five() }")},
	})
	got := types.methodSet("internal/a.whole")
	if want := []string{"Four", "five", "one", "three", "two"}; !slices.Equal(got, want) {
		t.Errorf("methods %v, want %v", got, want)
	}
}
