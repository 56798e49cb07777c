package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// module is a module with packages that pass, fail, skip, panic and do not compile.
var module = map[string]string{
	"go.mod":            "module example.com/m\n\ngo 1.26\n",
	"none/none.go":      "package none\n",
	"good/a_test.go":    "package good\nimport \"testing\"\nfunc TestA(t *testing.T) { t.Log(\"quiet\") }\n",
	"skips/a_test.go":   "package skips\nimport \"testing\"\nfunc TestRoot(t *testing.T) { t.Log(\"before\"); t.Skip(\"needs root: a disk\") }\nfunc TestToo(t *testing.T) { t.Run(\"sub\", func(t *testing.T) { t.Skip(\"needs root: a disk\") }) }\nfunc TestBare(t *testing.T) { t.SkipNow() }\nfunc FuzzF(f *testing.F) { f.Add(\"x\"); f.Fuzz(func(t *testing.T, s string) { t.Skip(\"an input\") }) }\n",
	"fails/a_test.go":   "package fails\nimport \"testing\"\nfunc TestB(t *testing.T) { t.Run(\"inner\", func(t *testing.T) { t.Error(\"broken leg\") }) }\nfunc TestC(t *testing.T) { t.Log(\"quiet\") }\n",
	"panics/a_test.go":  "package panics\nimport \"testing\"\nfunc TestD(t *testing.T) { var m map[string]int; m[\"\"] = 1 }\n",
	"exits/a_test.go":   "package exits\nimport (\"fmt\"; \"os\"; \"testing\")\nfunc TestE(t *testing.T) { fmt.Println(\"gone away\"); os.Exit(3) }\n",
	"builds/a_test.go":  "package builds\nimport \"testing\"\nfunc TestF(t *testing.T) { undefinedThing() }\n",
	"vetted/a_test.go":  "package vetted\nimport (\"fmt\"; \"testing\")\nfunc TestG(t *testing.T) { fmt.Printf(\"%d\\n\", \"x\") }\n",
	"imports/a_test.go": "package imports\nimport (_ \"example.com/m/nowhere\"; \"testing\")\nfunc TestH(t *testing.T) {}\n",
}

func write(t *testing.T) {
	t.Helper()
	dir := t.TempDir()
	for name, text := range module {
		file := filepath.Join(dir, filepath.FromSlash(name))
		err := os.MkdirAll(filepath.Dir(file), 0o700)
		if err == nil {
			err = os.WriteFile(file, []byte(text), 0o600)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	t.Chdir(dir)
	t.Setenv("GOWORK", "off")
}

func TestWhatIsShown(t *testing.T) {
	write(t)
	for _, tt := range []struct {
		packages string
		code     int
		has, not []string
	}{
		{"./good ./none", 0, []string{"ok  \texample.com/m/good", "?   \texample.com/m/none\t[no test files]"}, []string{"quiet", "RUN", "PASS", "Skipped"}},
		{"./skips ./good", 0, []string{
			"ok  \texample.com/m/skips", "\n\nSkipped:\n  for no reason given: skips.TestBare\n  needs root: a disk: skips.TestRoot, skips.TestToo/sub\n",
		}, []string{"an input", "before"}},
		{"./fails ./good", 1, []string{"    a_test.go:3: broken leg\n", "--- FAIL: TestB/inner", "--- FAIL: TestB ", "FAIL\texample.com/m/fails", "ok  \texample.com/m/good"}, []string{"quiet", "=== "}},
		{"./panics", 1, []string{"panic: assignment to entry in nil map", "FAIL\texample.com/m/panics"}, nil},
		{"./exits", 1, []string{"gone away", "FAIL\texample.com/m/exits"}, nil},
		{"./builds ./good", 1, []string{"undefined: undefinedThing", "FAIL\texample.com/m/builds [build failed]", "ok  \texample.com/m/good"}, nil},
		{"./vetted", 1, []string{"wrong type string", "FAIL\texample.com/m/vetted"}, nil},
		{"./imports", 1, []string{"nowhere", "FAIL\texample.com/m/imports [setup failed]"}, nil},
		{"-timeout=soon ./good", 2, []string{"soon"}, nil},
	} {
		var out strings.Builder
		code, err := run(strings.Fields(tt.packages), &out, &out)
		if code != tt.code || err != nil {
			t.Errorf("%s: exit code %d, %v, want %d", tt.packages, code, err, tt.code)
		}
		for _, words := range tt.has {
			if !strings.Contains(out.String(), words) {
				t.Errorf("%s: %q is not in\n%s", tt.packages, words, out.String())
			}
		}
		for _, words := range tt.not {
			if strings.Contains(out.String(), words) {
				t.Errorf("%s: %q is in\n%s", tt.packages, words, out.String())
			}
		}
	}
}

// What is said is shown when a package is over, not at the end of all.
func TestNothingIsKeptToTheEnd(t *testing.T) {
	var out strings.Builder
	r := newReport(&out)
	if err := r.read(strings.NewReader(`{"Action":"output","Package":"m/a","Test":"TestA","Output":"    a_test.go:1: broken\n"}
{"Action":"fail","Package":"m/a","Test":"TestA"}
this is no event
`)); err != nil || out.String() != "    a_test.go:1: broken\nthis is no event\n" {
		t.Errorf("%q, %v", out.String(), err)
	}
}
