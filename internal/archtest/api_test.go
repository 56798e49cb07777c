package archtest_test

import (
	"encoding/json"
	"errors"
	"flag"
	"fmt"
	"go/importer"
	"go/token"
	"go/types"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the public API to api/*.txt")

// TestPublicAPIIsWrittenDown compares what each public package exports with
// api/NAME.txt. A line that is gone breaks programs that import the package; a
// new one is a promise, and is written down so that a reader of the change sees it.
func TestPublicAPIIsWrittenDown(t *testing.T) {
	dir := filepath.Join(root(t), "api")
	imported := exportData(t)
	written := map[string]bool{}
	for name := range public {
		path := pathOf(name)
		p, err := imported.Import(path)
		if err != nil {
			t.Fatal(err)
		}
		got := apiOf(p)
		file := filepath.Join(dir, filepath.Base(path)+".txt")
		written[file] = true
		if *update {
			writeAPI(t, file, got)
			continue
		}
		text, err := os.ReadFile(file)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		compareAPI(t, path, strings.Split(strings.TrimSuffix(string(text), "\n"), "\n"), got)
	}
	files, err := filepath.Glob(filepath.Join(dir, "*.txt"))
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range files {
		if !written[file] {
			t.Errorf("%s is of no public package: see the list in archtest_test.go", file)
		}
	}
}

func writeAPI(t *testing.T, file string, lines []string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(strings.Join(lines, "\n")+"\n"), 0o644); err != nil {
		t.Fatal(err)
	}
}

func compareAPI(t *testing.T, path string, before, now []string) {
	t.Helper()
	const how = "go test ./internal/archtest -run TestPublicAPIIsWrittenDown -update"
	var text strings.Builder
	for _, line := range before {
		if line != "" && !slices.Contains(now, line) {
			fmt.Fprintf(&text, "\n  removed or changed: %s", line)
		}
	}
	broken := text.Len() > 0
	for _, line := range now {
		if !slices.Contains(before, line) {
			fmt.Fprintf(&text, "\n  new: %s", line)
		}
	}
	switch {
	case broken:
		t.Errorf("the API of %s no longer is what api/ says. Programs of others use what is removed or changed: "+
			"keep it. Before the first tag, %s writes what there is:%s", path, how, text.String())
	case text.Len() > 0:
		t.Errorf("the API of %s has grown. Once tagged it stays, so look at it again; %s writes it down:%s", path, how, text.String())
	}
}

// exportData imports packages of this module from what the compiler wrote about
// them.
func exportData(t *testing.T) types.Importer {
	t.Helper()
	cmd := exec.Command("go", "list", "-export", "-deps", "-json=ImportPath,Export")
	for name := range public {
		cmd.Args = append(cmd.Args, pathOf(name))
	}
	cmd.Dir = root(t)
	out, err := cmd.Output()
	if err != nil {
		if failed, ok := errors.AsType[*exec.ExitError](err); ok {
			t.Fatalf("go list: %v\n%s", err, failed.Stderr)
		}
		t.Fatalf("go list: %v", err)
	}
	files := map[string]string{}
	for d := json.NewDecoder(strings.NewReader(string(out))); d.More(); {
		var p struct{ ImportPath, Export string }
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		files[p.ImportPath] = p.Export
	}
	return importer.ForCompiler(token.NewFileSet(), "gc", func(path string) (io.ReadCloser, error) {
		if files[path] == "" {
			return nil, fmt.Errorf("no export data of %s", path)
		}
		return os.Open(files[path])
	})
}

// apiOf returns a line for each thing that p exports, sorted, in the form of the
// files in Go's own directory api. Nothing in it depends on the system: sizes and
// unexported fields are left out.
func apiOf(p *types.Package) []string {
	a := &api{pkg: p}
	for _, name := range p.Scope().Names() {
		if object := p.Scope().Lookup(name); object.Exported() {
			a.object(object)
		}
	}
	slices.Sort(a.lines)
	return slices.Compact(a.lines)
}

type api struct {
	pkg   *types.Package
	lines []string
}

func (a *api) add(format string, args ...any) {
	a.lines = append(a.lines, "pkg "+a.pkg.Path()+", "+fmt.Sprintf(format, args...))
}

// typ writes a type, with the paths of packages but for this one.
func (a *api) typ(t types.Type) string {
	if f, ok := t.(*types.Signature); ok {
		return "func" + a.signature(f)
	}
	return types.TypeString(t, func(p *types.Package) string {
		if p == a.pkg {
			return ""
		}
		return p.Path()
	})
}

func (a *api) object(object types.Object) {
	switch o := object.(type) {
	case *types.Const:
		a.add("const %s %s", o.Name(), strings.Replace(a.typ(o.Type()), "untyped ", "ideal-", 1))
		a.add("const %s = %s", o.Name(), o.Val().ExactString())
	case *types.Var:
		a.add("var %s %s", o.Name(), a.typ(o.Type()))
	case *types.Func:
		a.add("func %s%s", o.Name(), a.signature(o.Signature()))
	case *types.TypeName:
		a.typeName(o)
	}
}

// signature leaves out the names of parameters, which callers do not use.
func (a *api) signature(s *types.Signature) string {
	var params []string
	for i := range s.Params().Len() {
		text := a.typ(s.Params().At(i).Type())
		if s.Variadic() && i == s.Params().Len()-1 {
			text = "..." + strings.TrimPrefix(text, "[]")
		}
		params = append(params, text)
	}
	var results []string
	for v := range s.Results().Variables() {
		results = append(results, a.typ(v.Type()))
	}
	text := typeParams(a, s.TypeParams()) + "(" + strings.Join(params, ", ") + ")"
	switch len(results) {
	case 0:
		return text
	case 1:
		return text + " " + results[0]
	}
	return text + " (" + strings.Join(results, ", ") + ")"
}

func typeParams(a *api, list *types.TypeParamList) string {
	var params []string
	for p := range list.TypeParams() {
		params = append(params, p.Obj().Name()+" "+a.typ(p.Constraint()))
	}
	if params == nil {
		return ""
	}
	return "[" + strings.Join(params, ", ") + "]"
}

func (a *api) typeName(o *types.TypeName) {
	if o.IsAlias() {
		a.add("type %s = %s", o.Name(), a.typ(types.Unalias(o.Type())))
		return
	}
	named := o.Type().(*types.Named)
	name := o.Name() + typeParams(a, named.TypeParams())
	switch under := named.Underlying().(type) {
	case *types.Struct:
		a.structType(name, under)
	case *types.Interface:
		a.interfaceType(name, under)
	default:
		a.add("type %s %s", name, a.typ(under))
	}
	if types.IsInterface(named) {
		return
	}
	a.methods(o.Name(), named)
}

func (a *api) structType(name string, s *types.Struct) {
	a.add("type %s struct", name)
	for f := range s.Fields() {
		switch {
		case f.Exported() && f.Embedded():
			a.add("type %s struct, embedded %s", name, a.typ(f.Type()))
		case f.Exported():
			a.add("type %s struct, %s %s", name, f.Name(), a.typ(f.Type()))
		}
	}
}

// interfaceType names all methods in its first line: a new one breaks who
// implements it.
func (a *api) interfaceType(name string, i *types.Interface) {
	var names []string
	for m := range i.Methods() {
		if !m.Exported() {
			names = append(names, "unexported methods")
			continue
		}
		names = append(names, m.Name())
		a.add("type %s interface, %s%s", name, m.Name(), a.signature(m.Signature()))
	}
	slices.Sort(names)
	a.add("type %s interface { %s }", name, strings.Join(slices.Compact(names), ", "))
}

// methods includes those that a value has from what is embedded in it.
func (a *api) methods(name string, named *types.Named) {
	value := types.NewMethodSet(named)
	for selection := range types.NewMethodSet(types.NewPointer(named)).Methods() {
		m := selection.Obj().(*types.Func)
		if !m.Exported() {
			continue
		}
		receiver := "*" + name
		if value.Lookup(m.Pkg(), m.Name()) != nil {
			receiver = name
		}
		a.add("method (%s) %s%s", receiver, m.Name(), a.signature(m.Signature()))
	}
}
