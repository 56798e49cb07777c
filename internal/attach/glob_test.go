package attach

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func glob(pattern string) ([]string, error) { return newGlobber().find(pattern) }

func TestGlobFindsWhatTheLibraryDoes(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{"a.pdf", "b.pdf", ".c.pdf", "é.pdf", "d[1].pdf", "e*f", "sub/a.pdf", "sub/b.txt", "sub/deep/a.pdf", "other/a.pdf"} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Skip(err) // e*f on Windows
		}
	}
	t.Chdir(dir)
	for _, pattern := range []string{
		"*.pdf", "./*.pdf", "*", "*/a.pdf", "*/*", "*/*/*", "sub/*.txt", "sub//*.txt", "s?b/[ab].*", "[^a].pdf", "*/none", "none/*", "a.pdf/*",
		"../*/a.pdf", dir + "/*.pdf", dir + "/*/../*.pdf", "e\\*f", "d\\[1].pdf", "su\\b/*", "sub/../*.pdf", "*/", "[a-", "a[", "\\", "x/[",
	} {
		got, err := glob(pattern)
		want, wantErr := filepath.Glob(pattern)
		for i := range want {
			want[i] = filepath.Clean(want[i])
		}
		if !slices.Equal(got, want) || (err == nil) != (wantErr == nil) {
			t.Errorf("%s: %q, %v, want %q, %v", pattern, got, err, want, wantErr)
		}
	}
}

func TestGlobsAreBounded(t *testing.T) {
	dir := t.TempDir()
	for i := range 60 {
		if err := os.WriteFile(filepath.Join(dir, fmt.Sprintf("%02d", i)), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, tt := range []struct {
		g    globber
		last string
		want string
	}{
		{globber{names: 80, matches: 60}, "*", ""},
		{globber{names: 80, matches: 59}, "*", "more than 59 files match"},
		{globber{names: 50, matches: 60}, "*", "more than 100000 names in directories"},
		{globber{names: 50, matches: 60}, "none*", "more than 100000 names in directories"},
		{globber{names: 110, matches: 60}, "*/x", "more than 100000 names in directories"}, // each is looked for
	} {
		if found, err := tt.g.find(filepath.Join(dir, tt.last)); (err != nil) != (tt.want != "") || err != nil && !strings.HasPrefix(err.Error(), tt.want) || err == nil && len(found) != 60 {
			t.Errorf("%+v: %q, %v", tt, found, err)
		}
	}
}

func TestTwoStarsAreAnyNumberOfDirectories(t *testing.T) {
	dir := t.TempDir()
	for _, name := range []string{
		"out/a.xml", "out/m1/b.xml", "out/m1/target/c.xml", "out/m1/target/c.txt", "out/.hidden/d.xml", "out/x/x/y", "out/x/y", "out/x.xml/e",
	} {
		if err := os.MkdirAll(filepath.Join(dir, filepath.Dir(name)), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for link, target := range map[string]string{"out/m1/round": "..", "out/link.xml": "m1/b.xml", "out/gone.xml": "none"} {
		if err := os.Symlink(target, filepath.Join(dir, link)); err != nil {
			t.Skip(err)
		}
	}
	t.Chdir(dir)
	for _, tt := range []struct{ pattern, want string }{
		{"out/**/*.xml", "out/.hidden/d.xml out/a.xml out/gone.xml out/link.xml out/m1/b.xml out/m1/target/c.xml"},
		{"out//**/**/*.xml", "out/.hidden/d.xml out/a.xml out/gone.xml out/link.xml out/m1/b.xml out/m1/target/c.xml"},
		{"**/c.*", "out/m1/target/c.txt out/m1/target/c.xml"},
		{"out/m1/**", "out/m1/b.xml out/m1/target/c.txt out/m1/target/c.xml"},
		{"out/m1/**/*", "out/m1/b.xml out/m1/target/c.txt out/m1/target/c.xml"},
		{"o*/**/target/**", "out/m1/target/c.txt out/m1/target/c.xml"},
		{"out/**/x/**/y", "out/x/x/y out/x/y"},
		{"out/**/target", ""},
		{"out/m1/round/m?/**/b.xml", "out/m1/round/m1/b.xml"}, // a link that is named
		{dir + "/out/x/**", dir + "/out/x/x/y " + dir + "/out/x/y"},
		{"none/**", ""}, {"out/a.xml/**", ""}, {"out/**/", ""}, {"out/**/../a.xml", ""},
	} {
		got, err := glob(filepath.FromSlash(tt.pattern))
		if want := strings.Fields(filepath.FromSlash(tt.want)); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v, want %q", tt.pattern, got, err, want)
		}
	}
	for _, pattern := range []string{"out/**.xml", "out/a**b/*", "out/***", "**x"} {
		if got, err := glob(pattern); err == nil || !strings.Contains(err.Error(), "** means any number of directories only where it is alone between slashes") {
			t.Errorf("%s: %q, %v", pattern, got, err)
		}
	}
	for _, pattern := range []string{"out/[**]", "out/*[*]*"} {
		if got, err := glob(pattern); err != nil || got != nil {
			t.Errorf("%s: %q, %v", pattern, got, err)
		}
	}
	for _, g := range []globber{{names: 5, matches: 100}, {names: 100, matches: 3}} {
		if got, err := g.find("out/**"); err == nil {
			t.Errorf("%+v: %q", g, got)
		}
	}
}
