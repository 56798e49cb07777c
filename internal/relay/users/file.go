package users

import (
	"context"
	"crypto/sha256"
	"encoding/binary"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"strings"

	"github.com/smtpsend/smtpsend/internal/charset"
	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// Limits of a file.
const (
	maxFile    = 1 << 20 // octets
	maxEntries = 5000
)

// MaxName is the length of a name in characters that all devices take; a longer one is
// warned of.
const MaxName = 16

// longestName is the length of a name that is possible: it may look like an address.
const longestName = 64

// Entry is a line with a name.
type Entry struct {
	Name string
	Line int    // from 1
	Kind string // "argon2id" or "bcrypt"

	hash hash
}

// Problem is what is wrong in a line. Text has no password and no hash.
type Problem struct {
	Line int // from 1; 0 for the whole file
	Text string
}

// String is "line 3: ...".
func (p Problem) String() string {
	if p.Line == 0 {
		return p.Text
	}
	return fmt.Sprintf("line %d: %s", p.Line, p.Text)
}

// Problems are all that is wrong with a file, which is not used then.
type Problems struct {
	Path string
	All  []Problem // at least one, by line
}

// Error has all problems, a line each.
func (p *Problems) Error() string {
	lines := []string{p.Path + " cannot be used:"}
	for _, one := range p.All {
		lines = append(lines, one.String())
	}
	return strings.Join(lines, "\n")
}

// file is what a users file says. It does not change.
type file struct {
	lines    []string
	entries  []Entry
	byName   map[string]*Entry // in lower case
	warnings []Problem
}

// read reads a file that root or this user wrote.
func read(ctx context.Context, path string) (*file, error) {
	data, err := ownfile.ReadTrusted(ctx, path, maxFile)
	if errors.Is(err, fs.ErrNotExist) {
		err = fmt.Errorf("there is no users file yet, add the first user with \"smtpsend relay user add NAME\": %w", err)
	}
	if err != nil {
		return nil, err
	}
	f, problems := parse(data)
	if len(problems) > 0 {
		return nil, &Problems{path, problems}
	}
	if info, err := os.Stat(path); err == nil && exposed(info) {
		f.warnings = append(f.warnings, Problem{0, "everyone can read the file, and try passwords against its hashes: chmod o-r it"})
	}
	return f, nil
}

// exposed reports a file that everyone can read. Windows has no such bit.
func exposed(info os.FileInfo) bool { return os.PathSeparator == '/' && info.Mode().Perm()&0o004 != 0 }

func parse(data []byte) (*file, []Problem) {
	text, err := charset.Strict(data)
	if err != nil {
		return nil, []Problem{{0, "the file " + err.Error()}}
	}
	f := &file{byName: map[string]*Entry{}}
	if text != "" {
		f.lines = strings.Split(strings.TrimSuffix(text, "\n"), "\n")
	}
	var problems []Problem
	for i, line := range f.lines {
		line = strings.TrimSpace(line)
		if line == "" || line[0] == '#' {
			continue
		}
		if err := f.add(i+1, line); err != nil {
			problems = append(problems, Problem{i + 1, err.Error()})
		}
	}
	for i := range f.entries {
		f.byName[strings.ToLower(f.entries[i].Name)] = &f.entries[i]
	}
	return f, problems
}

// add reads a line with a name.
func (f *file) add(number int, line string) error {
	name, text, ok := strings.Cut(line, ":")
	if !ok {
		return errors.New("is not NAME:HASH")
	}
	if err := CheckName(name); err != nil {
		return fmt.Errorf("the name %w", err)
	}
	if first := f.byName[strings.ToLower(name)]; first != nil {
		return fmt.Errorf("the name %s is in line %d too; case does not matter", name, first.Line)
	}
	h, err := parseHash(text)
	if err != nil {
		return fmt.Errorf("the hash of %s %w", name, err)
	}
	if len(f.entries) >= maxEntries {
		return fmt.Errorf("there are more than %d names", maxEntries)
	}
	entry := Entry{Name: name, Line: number, Kind: h.kind(), hash: h}
	f.entries = append(f.entries, entry)
	f.byName[strings.ToLower(name)] = &entry
	if text := NameWarning(name); text != "" {
		f.warnings = append(f.warnings, Problem{number, text})
	}
	if b, ok := h.(bcrypted); ok && b.weak() {
		f.warnings = append(f.warnings, Problem{number, fmt.Sprintf("the hash of %s has a cost below %d: make a new one", name, minBcrypt)})
	}
	return nil
}

// CheckName reports why a name cannot be one, as a predicate of it; nil when it can.
func CheckName(name string) error {
	switch {
	case name == "":
		return errors.New("is missing")
	case len(name) > longestName:
		return fmt.Errorf("has more than %d characters", longestName)
	case strings.ContainsFunc(name, isForeign):
		return errors.New("has other characters than letters, digits and . _ - @ +")
	}
	return nil
}

func isForeign(r rune) bool {
	letter := r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
	digit := r >= '0' && r <= '9'
	return !letter && !digit && !strings.ContainsRune("._-@+", r)
}

// NameWarning is why a name may not do on a device, "" when it does.
func NameWarning(name string) string {
	if len(name) <= MaxName {
		return ""
	}
	return fmt.Sprintf("the name %s has more than %d characters: many devices cut it", name, MaxName)
}

// find is the entry of a name, nil when there is none.
func (f *file) find(name string) *Entry { return f.byName[strings.ToLower(name)] }

// standIn is the entry that an unknown name is looked at with, so that it costs as much
// as a known one: always the same for a key.
func (f *file) standIn(key [sha256.Size]byte) *Entry {
	if len(f.entries) == 0 {
		return &Entry{hash: &argon{memory: newMemory, passes: newPasses, lanes: newLanes, salt: key[:newSalt], sum: key[:newSum]}}
	}
	return &f.entries[binary.BigEndian.Uint64(key[:8])%uint64(len(f.entries))]
}
