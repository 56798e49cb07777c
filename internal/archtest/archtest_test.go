// Package archtest holds the rules of the house that a machine can check: which
// package may import which, how large packages, files, functions and method sets may
// be, which package alone makes exit codes and which alone writes to people, that
// every package says what it is for, what the public packages export, and that go.mod
// has no replace.
package archtest_test

import (
	"bytes"
	"encoding/json"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

const module = "github.com/smtpsend/smtpsend/"

// ranks orders the packages. One may import only packages of a lower rank.
var ranks = map[string]int{
	"internal/ascii": -4, "internal/lazy": -4, "internal/lazyregexp": -3, "internal/charset": -3, "internal/loglines": -1, "internal/until": -2, "internal/limits": -3, "internal/badinput": -1, "internal/until/untiltest": -1, "internal/mimetext": -2, "internal/datavalue": -1, "internal/sevenbit/headerfield": -1, "internal/secret": -1, "internal/ownfile": -1, "internal/envfile": -1, // what some of rank 0 are made of
	"internal/redact": 0, "internal/escapes": 0, "internal/backoff": 0, "internal/exchange": -2, "internal/loopback": 0, "internal/clientnet": 0, "internal/sdnotify": 0, "xoauth2": 0, "internal/smtp": 0, "internal/program": 0, "internal/spelling": -1, "internal/setting": -1, "internal/hostname": 0, "internal/expiry": 0, "internal/expiry/watch": 3, "internal/credential": 0, "internal/oncedaily": 0, "internal/keypair": 1, "internal/graph": 2, "internal/certrotation": 3, "internal/certkeeper": 6, "internal/idtoken": 1, "internal/setting/choice": 0, "internal/setting/misspelt": 0, "internal/settingsfile": 0, "internal/secretfile": 0,
	"internal/printable": -1, "internal/presented": 0, "internal/nodump": 0, "internal/htmltext": 0, "internal/sevenbit": 0, "internal/licences": 0,
	"internal/address": 0, "internal/certfile": 0, "internal/markdown": 0, "internal/guard": 0, "internal/zone": 0, "internal/stricttemplate": 0,
	"internal/seal": 1, "internal/aliases": 1, "internal/owner": 1, "internal/outbox/store": 1, "internal/outbox/queueid": 1,
	"internal/outbox/mailbox": 2, "internal/outbox/notice": 2, "internal/outbox/spool": 2, "internal/outbox/operator": 4, "internal/outbox/mailmerge": 4,
	"tokencache": 1, "internal/config": 1, "internal/mailobject": 1, "internal/smtpserver/places": -1, "internal/smtpserver": 1, "internal/relay/users": 1, "internal/relay/certificate": 1, "internal/relay/listener": 1, "internal/diagnosis": 1,
	"internal/sandbox/accesstoken": 0, "internal/sandbox/jsonanswer": -1, "internal/sandbox/keyring": 0, "internal/sandbox/idissuer": 0, "internal/sandbox/assertion": 1, "internal/sandbox/tenant": 1, "internal/sandbox/azurehost": 2, "internal/sandbox/wallet": 3, "internal/sandbox/inbox": 1, "internal/sandbox/fault": 2,
	"internal/sandbox/entraid": 3, "internal/sandbox/graph": 3, "internal/sandbox/exchangeonline": 3, "internal/sandbox": 4, "internal/sandbox/flags": 5, "sandboxtest": 5,
	"internal/entra": 2, "internal/paste": 2, "internal/enaio": 2, "internal/docgen": 2, "internal/mailobject/mailtest": 2, "internal/message": 2, "internal/readymessage": 2, "internal/gomail": 3,
	"internal/wire": 1, "internal/bearer": 1, "internal/session": 2, "internal/transaction": 3, // the road of a message
	"internal/submission": 4, "internal/outbox": 3, "internal/mailtemplate": 3, "internal/relay/relayfile": 1, "internal/relay/event": 2, "internal/relay/budget": 2, "internal/relay/sessions": 4, "internal/relay/upstream": 5, "internal/relay/smarthost": 2, "internal/relay/observation": 3, "internal/localname": 2, "internal/relay/control": 2, "internal/relay/filecheck": 2, "internal/relay": 6, "internal/relay/service": 7, "internal/relay/admission": 2, "internal/relay/sender": 3,
	"internal/proof": 4, "internal/account": 5,
	"internal/courier": 6, ".": 6,
	"internal/exampletest": 0, "internal/freeport": -1,
	"internal/stdio": 1, "internal/exit": -1, "internal/exit/ending": 7, "internal/doctor": 7, "internal/rows": 1, "internal/batch": 10, "internal/tally": 8, "internal/view": 11, "internal/view/mailq": 12, "internal/view/relayview": 12, "internal/view/expiryview": 12, "internal/view/certview": 12, "internal/progress": 12, "internal/textfile": 0, "internal/usage": 2, "internal/attach": 3, "internal/draft": 6,
	"internal/deadletter": 12, "internal/sendmail": 13,
	"cmd/smtpsend":     14,
	"internal/testrun": 15,
	// The benchmark, which is not part of the product.
	"bench": 15, "bench/bare": 14, "bench/gomail": 14, "bench/launch": 14, "bench/queue": 14, "bench/relay": 14, "bench/session": 14, "bench/internal/command": 0, "bench/internal/delayproxy": 0, "bench/internal/postfix": 0,
}

// nameOf is what the lists here call a package: its directory, "." for the
// module's own package.
func nameOf(importPath string) string {
	if importPath+"/" == module {
		return "."
	}
	return strings.TrimPrefix(importPath, module)
}

func pathOf(name string) string { return path.Join(module, name) }

// copied reports a package or directory below internal/thirdparty: others wrote what
// is there, and decision 0008 says why it is in this tree.
func copied(name string) bool {
	return strings.HasPrefix(filepath.ToSlash(name), "internal/thirdparty/")
}

// copiedRank is the rank of all copies, which may import each other.
const copiedRank = -1

type listed struct {
	ImportPath, Dir, Doc string
	Imports              []string
	GoFiles              []string
}

func TestPackagesImportOnlyLowerRanks(t *testing.T) {
	packages := list(t)
	for _, p := range packages {
		name := nameOf(p.ImportPath)
		if len(p.GoFiles) == 0 {
			continue // tests only
		}
		rank, ok := ranks[name]
		if copied(name) {
			rank, ok = copiedRank, true
		}
		if !ok {
			t.Errorf("%s has no rank: give it one here", name)
			continue
		}
		for _, imported := range p.Imports {
			lower, ours := ranks[nameOf(imported)]
			if copied(nameOf(imported)) {
				lower, ours = copiedRank, true
			}
			if ours && lower >= rank && !(copied(name) && copied(nameOf(imported))) {
				t.Errorf("%s (rank %d) imports %s (rank %d)", name, rank, imported, lower)
			}
		}
	}
	for name := range ranks {
		if !slices.ContainsFunc(packages, func(p listed) bool { return p.ImportPath == pathOf(name) }) {
			t.Errorf("%s has a rank but does not exist", name)
		}
	}
}

// public are the packages that other modules may import, each with the packages
// outside of this module and the standard library that it may import itself.
var public = map[string][]string{
	"xoauth2":     {},
	"tokencache":  {"golang.org/x/oauth2"},
	"sandboxtest": {},
	".":           {"github.com/wneessen/go-mail", "github.com/wneessen/go-mail/smtp", "golang.org/x/oauth2"},
}

func TestPublicPackagesImportLittle(t *testing.T) {
	for _, p := range list(t) {
		permitted, public := public[nameOf(p.ImportPath)]
		if !public {
			continue
		}
		for _, imported := range p.Imports {
			first, _, _ := strings.Cut(imported, "/")
			std := !strings.Contains(first, ".")
			if !std && !strings.HasPrefix(imported, module) && !slices.Contains(permitted, imported) {
				t.Errorf("%s imports %s", p.ImportPath, imported)
			}
		}
	}
}

func TestEveryPackageHasOneComment(t *testing.T) {
	for dir, files := range goFiles(t) {
		var with []string
		for _, f := range files {
			if !strings.HasSuffix(f.name, "_test.go") && f.ast.Doc != nil {
				with = append(with, f.name)
			}
		}
		hasCode := slices.ContainsFunc(files, func(f file) bool { return !strings.HasSuffix(f.name, "_test.go") })
		if hasCode && len(with) != 1 {
			t.Errorf("%s has %d package comments (%v), want one", dir, len(with), with)
		}
	}
}

// TestObjectsAreTypesOfView: what --json prints is declared in one room, with its
// members in their order and schema_version as the first. Printer.JSON takes nothing
// that does not embed stdio.Schema.
func TestObjectsAreTypesOfView(t *testing.T) {
	for dir, files := range goFiles(t) {
		for _, f := range files {
			if strings.HasSuffix(f.name, "_test.go") {
				continue
			}
			ast.Inspect(f.ast, func(n ast.Node) bool {
				switch n := n.(type) {
				case *ast.StructType:
					at := embedded(n, "stdio", "Schema")
					isElsewhere := at >= 0 && !slices.Contains([]string{"internal/view", "internal/view/relayview", "internal/view/expiryview", "internal/view/certview"}, filepath.ToSlash(dir))
					if at > 0 || isElsewhere {
						t.Errorf("%s: stdio.Schema is the first field of types of internal/view alone", f.set.Position(n.Pos()))
					}
				case *ast.MapType:
					prints := slices.Contains([]string{"cmd/smtpsend", "internal/view", "internal/view/mailq", "internal/view/relayview", "internal/view/expiryview", "internal/view/certview", "internal/progress"}, filepath.ToSlash(dir))
					if value, ok := n.Value.(*ast.Ident); ok && prints && value.Name == "any" {
						t.Errorf("%s: a map to any: make it a type of internal/view", f.set.Position(n.Pos()))
					}
				}
				return true
			})
		}
	}
}

// embedded is the place of the field that embeds a type of another package, -1 when
// there is none.
func embedded(s *ast.StructType, pkg, name string) int {
	return slices.IndexFunc(s.Fields.List, func(f *ast.Field) bool {
		typ, ok := f.Type.(*ast.SelectorExpr)
		if !ok || len(f.Names) > 0 || typ.Sel.Name != name {
			return false
		}
		from, ok := typ.X.(*ast.Ident)
		return ok && from.Name == pkg
	})
}

// receiver is the name of a method's type.
func receiver(d *ast.FuncDecl) string {
	typ := d.Recv.List[0].Type
	if star, ok := typ.(*ast.StarExpr); ok {
		typ = star.X
	}
	if generic, ok := typ.(*ast.IndexExpr); ok {
		typ = generic.X
	}
	if ident, ok := typ.(*ast.Ident); ok {
		return ident.Name
	}
	return ""
}

func TestExportedNamesHaveComments(t *testing.T) {
	for _, files := range goFiles(t) {
		for _, f := range files {
			if strings.HasSuffix(f.name, "_test.go") {
				continue
			}
			for _, d := range f.ast.Decls {
				for _, name := range undocumented(d) {
					t.Errorf("%s: %s has no comment", f.name, name)
				}
			}
		}
	}
}

func undocumented(d ast.Decl) []string {
	var names []string
	switch d := d.(type) {
	case *ast.FuncDecl:
		if d.Name.IsExported() && d.Doc == nil && exportedReceiver(d) {
			names = append(names, d.Name.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && d.Doc == nil && s.Doc == nil {
					names = append(names, s.Name.Name)
				}
			case *ast.ValueSpec:
				if s.Names[0].IsExported() && d.Doc == nil && s.Doc == nil && s.Comment == nil {
					names = append(names, s.Names[0].Name)
				}
			}
		}
	}
	return names
}

// exportedReceiver reports whether a method can be called from outside by its
// own name: those of unexported types only fulfil interfaces.
func exportedReceiver(d *ast.FuncDecl) bool {
	return d.Recv == nil || ast.IsExported(receiver(d))
}

func TestTestsDoNotSleep(t *testing.T) {
	for _, files := range goFiles(t) {
		for _, f := range files {
			if strings.HasSuffix(f.name, "_test.go") && bytes.Contains(f.text, []byte("time."+"Sleep(")) {
				t.Errorf("%s sleeps: wait for the event", f.name)
			}
		}
	}
}

// wordless are packages for any program: only cmd/smtpsend has flags and settings.
var wordless = []string{"internal/address", "internal/badinput", "internal/deadletter", "internal/mailobject", "internal/message", "internal/readymessage", "internal/seal"}

var flagOrSetting = regexp.MustCompile(`(^|[\s(;:])--[a-z]|SMTPSEND_|smtpsend [a-z]`)

func TestLibrariesNameNoFlagAndNoSetting(t *testing.T) {
	all := goFiles(t)
	for _, dir := range wordless {
		if len(all[dir]) == 0 {
			t.Errorf("there is no %s", dir)
		}
		for _, f := range all[dir] {
			if strings.HasSuffix(f.name, "_test.go") {
				continue
			}
			ast.Inspect(f.ast, func(n ast.Node) bool {
				if text, ok := n.(*ast.BasicLit); ok && text.Kind == token.STRING && flagOrSetting.MatchString(text.Value[1:len(text.Value)-1]) {
					t.Errorf("%s: %s: return a reason that cmd/smtpsend can word", f.set.Position(text.Pos()), text.Value)
				}
				return true
			})
		}
	}
}

// The database is one room: another one changes no other package.
func TestOnlyTheStoreKnowsSQLite(t *testing.T) {
	const driver, room = "modernc.org/sqlite", "internal/outbox/store"
	found := false
	for _, p := range list(t) {
		name := strings.TrimPrefix(p.ImportPath, module)
		switch imports := slices.Contains(p.Imports, driver); {
		case name == room:
			found = imports
		case imports:
			t.Errorf("%s imports %s: %s does", name, driver, room)
		}
	}
	if !found {
		t.Errorf("%s does not import %s", room, driver)
	}
}

func TestGoModHasNoReplace(t *testing.T) {
	text, err := os.ReadFile(filepath.Join(root(t), "go.mod"))
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Contains(text, []byte("\nreplace ")) {
		t.Error("go.mod has a replace: dependents would not see it")
	}
}

// list asks the go command for all packages of the module.
func list(t *testing.T) []listed {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Dir,Doc,Imports,GoFiles", "./...")
	cmd.Dir = root(t)
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v", err)
	}
	var packages []listed
	for d := json.NewDecoder(bytes.NewReader(out)); d.More(); {
		var p listed
		if err := d.Decode(&p); err != nil {
			t.Fatal(err)
		}
		packages = append(packages, p)
	}
	if len(packages) < 5 {
		t.Fatalf("go list found only %d packages", len(packages))
	}
	return packages
}

type file struct {
	name  string
	text  []byte
	lines int
	set   *token.FileSet
	ast   *ast.File
}

// goFiles parses every Go file of the module that is not a copy, by directory.
func goFiles(t *testing.T) map[string][]file {
	t.Helper()
	byDir := make(map[string][]file)
	top := root(t)
	err := filepath.WalkDir(top, func(path string, d fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		if d.IsDir() && (d.Name() == "testdata" || d.Name() == "node_modules" || (strings.HasPrefix(d.Name(), ".") && path != top)) {
			return filepath.SkipDir
		}
		name, _ := filepath.Rel(top, path)
		if d.IsDir() && copied(name) {
			return filepath.SkipDir
		}
		if d.IsDir() || !strings.HasSuffix(path, ".go") {
			return nil
		}
		text, err := os.ReadFile(path)
		if err != nil {
			return err
		}
		set := token.NewFileSet()
		parsed, err := parser.ParseFile(set, path, text, parser.ParseComments)
		if err != nil {
			return err
		}
		byDir[filepath.Dir(name)] = append(byDir[filepath.Dir(name)], file{name, text, bytes.Count(text, []byte("\n")), set, parsed})
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return byDir
}

func root(t *testing.T) string {
	t.Helper()
	dir, err := os.Getwd()
	if err != nil {
		t.Fatal(err)
	}
	return filepath.Dir(filepath.Dir(dir))
}
