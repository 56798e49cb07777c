package thirdparty_test

import (
	"cmp"
	"fmt"
	"go/ast"
	"go/format"
	"go/parser"
	"go/token"
	"go/types"
	"maps"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// pkg is a package that is being copied.
type pkg struct {
	source
	t     *testing.T
	set   *token.FileSet
	files map[string]*ast.File
	text  map[string][]byte
	uses  map[*ast.Ident]types.Object
	scope *types.Scope
	lazy  map[string]bool
}

// nothing imports nothing: only the package's own names are looked for.
type nothing struct{}

func (nothing) Import(name string) (*types.Package, error) {
	return nil, fmt.Errorf("%s is not read", name)
}

func parse(t *testing.T, s source, dir string, names []string) *pkg {
	t.Helper()
	p := &pkg{source: s, t: t, set: token.NewFileSet(), files: make(map[string]*ast.File), text: make(map[string][]byte)}
	var files []*ast.File
	for _, name := range names {
		text, err := os.ReadFile(filepath.Join(dir, name))
		if err != nil {
			t.Fatal(err)
		}
		// Positions in the files are those of formatted text.
		if text, err = format.Source(text); err != nil {
			t.Fatal(err)
		}
		file, err := parser.ParseFile(p.set, name, text, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		p.files[name], p.text[name] = file, text
		files = append(files, file)
	}
	info := &types.Info{Uses: make(map[*ast.Ident]types.Object), Defs: make(map[*ast.Ident]types.Object)}
	config := types.Config{Importer: nothing{}, Error: func(error) {}}
	checked, _ := config.Check(path.Join(s.module, s.dir), p.set, files, info) // what is imported is not known, which are its errors
	p.uses, p.scope = info.Uses, checked.Scope()
	return p
}

// variable is a declaration of one variable of the package.
func variable(d ast.Decl) (*ast.GenDecl, *ast.ValueSpec, bool) {
	g, ok := d.(*ast.GenDecl)
	if !ok || g.Tok != token.VAR || len(g.Specs) != 1 {
		return nil, nil, false
	}
	v := g.Specs[0].(*ast.ValueSpec)
	return g, v, len(v.Names) == 1
}

// typeOf is the type of a variable that is made at its first use, "" for one that
// stays as it is: a compiled expression, a map with content, what sources names.
func (p *pkg) typeOf(file string, v *ast.ValueSpec) string {
	if typ := p.source.lazy[v.Names[0].Name]; typ != "" {
		return typ
	}
	if len(v.Values) != 1 {
		return ""
	}
	switch value := v.Values[0].(type) {
	case *ast.CallExpr:
		if p.at(file, value.Fun.Pos(), value.Fun.End()) == "regexp.MustCompile" {
			return "*regexp.Regexp"
		}
	case *ast.CompositeLit:
		if m, ok := value.Type.(*ast.MapType); ok && len(value.Elts) > 0 {
			return p.at(file, m.Pos(), m.End())
		}
	}
	return ""
}

func (p *pkg) at(file string, from, to token.Pos) string {
	return string(p.text[file][p.offset(from):p.offset(to)])
}

func (p *pkg) offset(pos token.Pos) int { return p.set.Position(pos).Offset }

// initialiser is the only function init of a file, when it fills the only variable that
// the file declares.
func initialiser(f *ast.File) (*ast.ValueSpec, *ast.GenDecl, *ast.FuncDecl) {
	var v *ast.ValueSpec
	var g *ast.GenDecl
	var init *ast.FuncDecl
	variables, inits := 0, 0
	for _, d := range f.Decls {
		if decl, spec, ok := variable(d); ok {
			g, v = decl, spec
			variables++
		}
		if fn, ok := d.(*ast.FuncDecl); ok && fn.Recv == nil && fn.Name.Name == "init" {
			init = fn
			inits++
		}
	}
	if variables != 1 || inits != 1 || len(v.Values) > 0 {
		return nil, nil, nil
	}
	return v, g, init
}

// find names the variables that are made at their first use.
func (p *pkg) find(lazy map[string]bool) {
	for name, f := range p.files {
		for _, d := range f.Decls {
			if _, v, ok := variable(d); ok && p.typeOf(name, v) != "" {
				lazy[v.Names[0].Name] = true
			}
		}
		if v, _, init := initialiser(f); init != nil && len(p.entries) == 0 {
			lazy[v.Names[0].Name] = true
		}
	}
	p.lazy = lazy
}

// edit puts a text in the place of another.
type edit struct {
	from, to int
	text     string
}

// write is the content of the copies.
func (p *pkg) write(lazy map[string]map[string]bool, copied map[string]string) map[string][]byte {
	out := make(map[string][]byte)
	var inits []string
	for _, name := range slices.Sorted(maps.Keys(p.files)) {
		f := p.files[name]
		v, g, init := initialiser(f)
		if len(p.entries) > 0 {
			init = nil
		}
		edits := p.calls(f, init, lazy) // first, because a call ends where a declaration may
		for _, d := range f.Decls {
			if _, v, ok := variable(d); ok && len(v.Values) == 1 {
				if typ := p.typeOf(name, v); typ != "" {
					edits = append(edits,
						edit{p.offset(v.Names[0].End()), p.offset(v.Values[0].Pos()), " = &lazy.Value[" + typ + "]{Make: func() " + typ + " { return "},
						edit{p.offset(v.Values[0].End()), p.offset(v.Values[0].End()), " }}"})
				}
			}
		}
		if init != nil {
			typ := p.at(name, v.Type.Pos(), v.Type.End())
			edits = append(edits,
				edit{p.offset(g.Pos()), p.offset(g.End()), ""},
				edit{p.offset(init.Pos()), p.offset(init.Body.Pos()), fmt.Sprintf("var %s = &lazy.Value[%s]{Make: func() (made %s) ", v.Names[0].Name, typ, typ)},
				edit{p.offset(init.Body.End()) - 1, p.offset(init.Body.End()), "return made }}"})
		}
		edits = append(edits, p.imports(f, copied)...)
		if len(p.entries) > 0 {
			edits = append(edits, p.started(f, &inits)...)
		}
		out[name] = p.edited(name, edits)
	}
	if len(p.entries) > 0 {
		out["start.go"] = p.start(inits)
	}
	return out
}

// started names the functions init of a file, and has the entries call them.
func (p *pkg) started(f *ast.File, inits *[]string) (edits []edit) {
	for _, d := range f.Decls {
		fn, ok := d.(*ast.FuncDecl)
		switch {
		case !ok || fn.Recv != nil:
		case fn.Name.Name == "init":
			name := fmt.Sprintf("init%d", len(*inits))
			*inits = append(*inits, name)
			edits = append(edits, edit{p.offset(fn.Name.Pos()), p.offset(fn.Name.End()), name})
		case slices.Contains(p.entries, fn.Name.Name):
			edits = append(edits, edit{p.offset(fn.Body.Lbrace) + 1, p.offset(fn.Body.Lbrace) + 1, "\n\tstart.Get()"})
		}
	}
	return edits
}

// start is the file that runs the functions init once.
func (p *pkg) start(inits []string) []byte {
	calls := strings.Join(inits, "(); ") + "()"
	text := fmt.Sprintf("// Code generated by go test ./internal/thirdparty -update; DO NOT EDIT.\n\npackage %s\n\nimport %q\n\n"+
		"// start runs what the package did at the start of the process.\n"+
		"var start = &lazy.Value[bool]{Make: func() bool { %s; return true }}\n", path.Base(p.to), ours+"lazy", calls)
	out, err := format.Source([]byte(text))
	if err != nil {
		p.t.Fatal(err)
	}
	return out
}

// calls are the uses of what is made at its first use: each becomes a call.
func (p *pkg) calls(f *ast.File, init *ast.FuncDecl, lazy map[string]map[string]bool) []edit {
	imported := make(map[string]string)
	for _, i := range f.Imports {
		name, _ := strconv.Unquote(i.Path.Value)
		short := path.Base(name)
		if i.Name != nil {
			short = i.Name.Name
		}
		imported[short] = name
	}
	var edits []edit
	ast.Inspect(f, func(n ast.Node) bool {
		switch n := n.(type) {
		case *ast.SelectorExpr:
			if x, ok := n.X.(*ast.Ident); ok && lazy[imported[x.Name]][n.Sel.Name] {
				edits = append(edits, edit{p.offset(n.End()), p.offset(n.End()), ".Get()"})
			}
		case *ast.Ident:
			used := p.uses[n]
			if used == nil || used.Parent() != p.scope || !p.lazy[n.Name] {
				return true
			}
			if init != nil && init.Pos() < n.Pos() && n.Pos() < init.End() {
				edits = append(edits, edit{p.offset(n.Pos()), p.offset(n.End()), "made"})
			} else {
				edits = append(edits, edit{p.offset(n.End()), p.offset(n.End()), ".Get()"})
			}
		}
		return true
	})
	return edits
}

// imports name the copies in the place of the originals, and package lazy where the
// file has it now.
func (p *pkg) imports(f *ast.File, copied map[string]string) []edit {
	var edits []edit
	for _, i := range f.Imports {
		name, _ := strconv.Unquote(i.Path.Value)
		if to := copied[name]; to != "" {
			text := strconv.Quote(to)
			if i.Name == nil && path.Base(to) != path.Base(name) {
				text = path.Base(name) + " " + text
			}
			edits = append(edits, edit{p.offset(i.Path.Pos()), p.offset(i.Path.End()), text})
		}
	}
	if slices.ContainsFunc(p.declared(f), func(name string) bool { return p.lazy[name] }) {
		edits = append(edits, edit{p.offset(f.Name.End()), p.offset(f.Name.End()), fmt.Sprintf("\n\nimport %q\n", ours+"lazy")})
	}
	return edits
}

// declared are the variables of a file.
func (p *pkg) declared(f *ast.File) (names []string) {
	for _, d := range f.Decls {
		if _, v, ok := variable(d); ok {
			names = append(names, v.Names[0].Name)
		}
	}
	return names
}

// edited is the text of a file with the edits, marked as a copy.
func (p *pkg) edited(name string, edits []edit) []byte {
	slices.SortStableFunc(edits, func(a, b edit) int { return cmp.Compare(a.from, b.from) })
	var b strings.Builder
	fmt.Fprintf(&b, "// Code generated by go test ./internal/thirdparty -update from %s; DO NOT EDIT.\n\n//lint:file-ignore ST1012,SA1019 it is a copy\n\n", path.Join(p.module, p.dir, name))
	at := 0
	for _, e := range edits {
		if e.from < at {
			continue // within a declaration that goes
		}
		b.Write(p.text[name][at:e.from])
		b.WriteString(e.text)
		at = e.to
	}
	b.Write(p.text[name][at:])
	// An import comment names the original, which is not what is imported.
	text := strings.Replace(b.String(), fmt.Sprintf(" // import %q", path.Join(p.module, p.dir)), "", 1)
	out, err := format.Source([]byte(text))
	if err != nil {
		p.t.Fatalf("%s: %v\n%s", name, err, text)
	}
	return out
}
