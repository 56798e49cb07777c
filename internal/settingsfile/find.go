// Package settingsfile finds and reads the file with the settings of a program: the one
// that was asked for, or that of a profile, else the one in the user's or the system's
// configuration directory. The working directory is never searched. A file that others
// could have written is refused.
package settingsfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Places say where a file is looked for.
type Places struct {
	File     string   // asked for by whoever runs the program
	Profile  string   // asked for: PROFILE.env in the directories
	None     bool     // no other file is looked for
	Variable string   // asked for in the environment
	Dirs     []string // configuration directories, that of highest precedence first; "" is left out
	Program  string   // its directory in each of Dirs, and the name of its file there without .env
}

// Found is a file that was found, and is to be read.
type Found struct {
	Name   string   // "" for none
	Asked  bool     // someone asked for it, so that it must be there
	Looked []string // the places, when no file was asked for and there is none
}

// Find finds the file to read. Its error, a sentence, says that what was asked for cannot
// be.
func (p Places) Find() (Found, error) {
	switch {
	case p.File != "" && p.Profile != "":
		return Found{}, errors.New("an env file and a profile are both given: give only one")
	case p.File != "":
		return asked(p.File), nil
	case p.Profile != "":
		return p.findProfile()
	case p.None:
		return Found{}, nil
	case p.Variable != "":
		return asked(p.Variable), nil
	}
	name, looked := p.search(p.Program + ".env")
	return Found{Name: name, Looked: looked}, nil
}

// asked is a file that someone named. The null device is how people say that there is
// none.
func asked(name string) Found {
	if name == os.DevNull {
		return Found{Asked: true}
	}
	return Found{Name: name, Asked: true}
}

func (p Places) findProfile() (Found, error) {
	if strings.ContainsAny(p.Profile, "/\\:\x00") || p.Profile == "." || p.Profile == ".." {
		return Found{}, errors.New("the profile's name is not a plain file name")
	}
	name, looked := p.search(p.Profile + ".env")
	if name == "" {
		return Found{}, fmt.Errorf("profile %q was not found: looked for %s", p.Profile, strings.Join(looked, " and "))
	}
	return asked(name), nil
}

// search looks in the directories. A file that is there but may not be examined counts
// as found, so that it is reported; a home that is not a directory, such as /dev/null,
// has none.
func (p Places) search(base string) (name string, looked []string) {
	for _, dir := range p.Dirs {
		if dir == "" {
			continue
		}
		name := filepath.Join(dir, p.Program, base)
		_, err := os.Stat(name)
		if !errors.Is(err, fs.ErrNotExist) && !errors.Is(err, syscall.ENOTDIR) {
			return name, nil
		}
		looked = append(looked, name)
	}
	return "", looked
}
