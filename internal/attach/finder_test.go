package attach_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/attach"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/exit/ending"
)

func TestAValueNamesFiles(t *testing.T) {
	dir := t.TempDir()
	t.Chdir(dir)
	if err := os.Mkdir("out", 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"a.pdf", "b=c.pdf", "out/1.txt", "out/2.txt"} {
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for value, want := range map[string]string{
		"a.pdf":           "{a.pdf  }",
		"Report=a.pdf":    "{a.pdf Report }",
		"b=c.pdf":         "{b=c.pdf  }", // a file that has the whole name
		"out/*.txt":       "{1.txt  out}{2.txt  out}",
		"x=out/[1].txt":   "{1.txt x out}",
		"x=out/*":         "-attach \"x=out/*\": one name for 2 files; leave NAME= out",
		"x=":              "-attach \"x=\": write NAME=FILE",
		"out/*.pdf":       "-attach: file \"out/*.pdf\": file does not exist: no file matches",
		"a.pdf,other.pdf": "-attach: file \"a.pdf,other.pdf\": file does not exist; each of several files needs an -attach of its own",
	} {
		f := attach.Finder{AttachBy: "-attach"}
		files, err := f.Find(t.Context(), value)
		var got strings.Builder
		for _, a := range files {
			fmt.Fprintf(&got, "{%s %s %s}", filepath.ToSlash(a.Path), a.Name, a.Dir)
			if !f.Found(filepath.Join(a.Dir, a.Path)) {
				t.Errorf("%s: %s is not known", value, a.Path)
			}
		}
		if err != nil {
			got.WriteString(err.Error())
		}
		if got.String() != want {
			t.Errorf("%s: %s, want %s", value, got.String(), want)
		}
	}
}

func TestStandardInputIsCopied(t *testing.T) {
	var warned []string
	asked := 0
	f := attach.Finder{
		Stdin: strings.NewReader("octets"), Reading: func() { asked++ }, AttachBy: "-attach", InlineBy: "-inline",
		Warn: func(format string, args ...any) { warned = append(warned, fmt.Sprintf(format, args...)) },
	}
	files, err := f.Find(t.Context(), "-")
	if err != nil || len(files) != 1 || files[0].Name != "attachment" || asked != 1 {
		t.Fatalf("%+v, %v, asked %d times", files, err, asked)
	}
	text, err := io.ReadAll(io.NewSectionReader(files[0].File, 0, 100))
	if err != nil || string(text) != "octets" {
		t.Errorf("%q, %v", text, err)
	}
	if len(warned) != 1 || warned[0] != "-attach - is sent under the name attachment; -attach NAME=- gives it another" {
		t.Errorf("%q", warned)
	}
	f.Close()
	if _, err := files[0].File.Stat(); !errors.Is(err, fs.ErrClosed) {
		t.Errorf("after Close: %v", err)
	}
	none := attach.Finder{AttachBy: "-attach", InlineBy: "-inline"}
	defer none.Close()
	if _, err := none.Inline(t.Context(), "logo=-"); err == nil || err.Error() != `-inline "-": standard input cannot be used here: name a file` || ending.Code(err) != exit.Usage {
		t.Errorf("without standard input: %v", err)
	}
}
