package settingsfile_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/envfile"
	"github.com/smtpsend/smtpsend/internal/settingsfile"
)

func TestFilesAreFoundInTheirOrder(t *testing.T) {
	dir := t.TempDir()
	user, system := filepath.Join(dir, "user"), filepath.Join(dir, "system")
	for _, name := range []string{filepath.Join(user, "prog", "test.env"), filepath.Join(system, "prog", "prog.env"), filepath.Join(system, "prog", "test.env")} {
		if err := os.MkdirAll(filepath.Dir(name), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(name, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	own := func(p settingsfile.Places) settingsfile.Places {
		p.Dirs, p.Program = []string{"", user, system}, "prog"
		return p
	}
	for _, c := range []struct {
		places settingsfile.Places
		name   string
		asked  bool
		err    string
	}{
		{settingsfile.Places{}, filepath.Join(system, "prog", "prog.env"), false, ""},
		{settingsfile.Places{None: true}, "", false, ""},
		{settingsfile.Places{None: true, Profile: "test"}, filepath.Join(user, "prog", "test.env"), true, ""},
		{settingsfile.Places{None: true, File: "x"}, "x", true, ""},
		{settingsfile.Places{None: true, Variable: "x"}, "", false, ""},
		{settingsfile.Places{File: "x", Variable: "y"}, "x", true, ""},
		{settingsfile.Places{Variable: "y"}, "y", true, ""},
		{settingsfile.Places{Variable: os.DevNull}, "", true, ""},
		{settingsfile.Places{File: "x", Profile: "test"}, "", false, "an env file and a profile are both given: give only one"},
		{settingsfile.Places{Profile: "../test"}, "", false, "the profile's name is not a plain file name"},
		{settingsfile.Places{Profile: "none"}, "", false, `profile "none" was not found: looked for ` + filepath.Join(user, "prog", "none.env") + " and " + filepath.Join(system, "prog", "none.env")},
	} {
		found, err := own(c.places).Find()
		text := ""
		if err != nil {
			text = err.Error()
		}
		if found.Name != c.name || found.Asked != c.asked || text != c.err {
			t.Errorf("%+v: %+v, %v, want %q, %v, %q", c.places, found, err, c.name, c.asked, c.err)
		}
	}
}

func TestWhatCanBeReadIsReadAllTheSame(t *testing.T) {
	name := filepath.Join(t.TempDir(), "x.env")
	if err := os.WriteFile(name, []byte("A=1\nB='\nC=3\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	file, err := settingsfile.Read(name)
	var lines *envfile.Error
	if !errors.As(err, &lines) || len(lines.Lines) != 1 || lines.Lines[0].Line != 2 || len(file.Assignments) != 2 {
		t.Errorf("%v, %v", file, err)
	}
	var unread *settingsfile.Error
	if _, err := settingsfile.Read(name + "x"); !errors.As(err, &unread) || !unread.Unopened || !strings.HasPrefix(unread.Reason, "cannot be opened: ") || strings.Contains(unread.Reason, name) {
		t.Errorf("%v", err)
	}
	if _, err := settingsfile.Read(filepath.Dir(name)); !errors.As(err, &unread) || unread.Unopened {
		t.Errorf("%+v", err)
	}
}
