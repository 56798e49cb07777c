package attach

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// globber finds the files of a pattern. It finds what filepath.Glob does, which
// looks at all of a disk for "/*/*/*/*/*/*x", and knows "**".
type globber struct {
	names   int // in directories, that may still be looked at
	matches int // that may be found

	passed string // the first link to a directory that "**" did not enter, "" for none
}

// anyDirectories is the element of a pattern that means any number of
// directories, none included, as in bash (globstar), git and @actions/glob. A
// link to a directory is not one of them: it may lead back to where it is.
const anyDirectories = "**"

func newGlobber() *globber { return &globber{names: limits.GlobNames, matches: limits.GlobMatches} }

// find is filepath.Glob within limits, and with "**". A pattern with "**" finds
// files, sorted and each once; it does not find directories.
func (g *globber) find(pattern string) ([]string, error) {
	if _, err := filepath.Match(pattern, ""); err != nil {
		return nil, err
	}
	top, elements := elementsOf(pattern)
	deep := slices.Contains(elements, anyDirectories)
	if i := slices.IndexFunc(elements, twoStars); i >= 0 {
		return nil, fmt.Errorf("** means any number of directories only where it is alone between slashes, as in **/%s",
			strings.ReplaceAll(elements[i], "**", "*"))
	}
	if deep && elements[len(elements)-1] == anyDirectories {
		elements = append(elements, "*") // all files below
	}
	found := []string{top}
	matched := false // an element before was a pattern
	for i, element := range elements {
		unlisted := element == "" || element == "." || element == ".."
		if matched && unlisted { // no directory has these among its names
			return nil, nil
		}
		matched = matched || isPattern(element)
		next, err := g.step(found, element, deep && i == len(elements)-1)
		if err != nil {
			return nil, err
		}
		if i == len(elements)-1 && len(next) > g.matches {
			return nil, fmt.Errorf("more than %d files match", g.matches)
		}
		found = next
	}
	if deep {
		slices.Sort(found)
	}
	return found, nil
}

// elementsOf takes a pattern apart: the directory where it begins, and what
// is between its slashes.
func elementsOf(pattern string) (top string, elements []string) {
	volume := filepath.VolumeName(pattern)
	rest := pattern[len(volume):]
	top = volume + "."
	if rest != "" && os.IsPathSeparator(rest[0]) {
		top = volume + string(filepath.Separator)
	}
	elements = strings.FieldsFunc(rest, func(r rune) bool { return r < 0x80 && os.IsPathSeparator(byte(r)) })
	if last := len(rest) - 1; last > 0 && os.IsPathSeparator(rest[last]) {
		elements = append(elements, "")
	}
	return filepath.Clean(top), elements
}

// twoStars reports an element such as "**.xml", which programs read in different
// ways: most as "*.xml", and who writes it means all directories.
func twoStars(element string) bool {
	class := false
	for i := 0; i+1 < len(element); i++ {
		switch {
		case element[i] == '\\' && runtime.GOOS != "windows":
			i++
		case element[i] == '[':
			class = true
		case element[i] == ']':
			class = false
		case !class && element[i:i+2] == "**":
			return element != anyDirectories
		}
	}
	return false
}

// step goes from the directories found so far to what one element finds in them,
// each once. Only files are wanted of a last element after "**".
func (g *globber) step(found []string, element string, files bool) (next []string, err error) {
	seen := map[string]bool{}
	for _, dir := range found {
		if element == anyDirectories {
			if next, err = g.below(dir, seen, next); err != nil {
				return nil, err
			}
			continue
		}
		names, err := g.in(dir, element)
		if err != nil {
			return nil, err
		}
		for _, name := range names {
			path := filepath.Join(dir, name)
			if files {
				if isDir(path) {
					continue
				}
			}
			next = append(next, path)
		}
	}
	return next, nil
}

// below appends dir and all directories below it that were not seen before.
func (g *globber) below(dir string, seen map[string]bool, all []string) ([]string, error) {
	if !isDir(dir) {
		return all, nil
	}
	for waiting := []string{dir}; len(waiting) > 0; {
		last := len(waiting) - 1
		dir, waiting = waiting[last], waiting[:last]
		if seen[dir] {
			continue
		}
		seen[dir] = true
		all = append(all, dir)
		err := g.list(dir, func(entry fs.DirEntry) {
			path := filepath.Join(dir, entry.Name())
			if entry.IsDir() {
				waiting = append(waiting, path)
			} else if g.passed == "" && entry.Type()&fs.ModeSymlink != 0 && isDir(path) {
				g.passed = path
			}
		})
		if err != nil {
			return nil, err
		}
	}
	return all, nil
}

func isDir(path string) bool {
	info, err := os.Stat(path)
	return err == nil && info.IsDir()
}

// in returns the names in dir that match one element of a pattern, sorted.
func (g *globber) in(dir, element string) ([]string, error) {
	escapes := runtime.GOOS != "windows" && strings.Contains(element, `\`)
	if !isPattern(element) && !escapes {
		if g.names--; g.names < 0 {
			return nil, errTooManyNames
		}
		if _, err := os.Lstat(filepath.Join(dir, element)); err != nil {
			return nil, nil
		}
		return []string{element}, nil
	}
	if !isDir(dir) { // to open a pipe would wait
		return nil, nil
	}
	var names []string
	err := g.list(dir, func(entry fs.DirEntry) {
		if ok, _ := filepath.Match(element, entry.Name()); ok { // find has checked the pattern
			names = append(names, entry.Name())
		}
	})
	slices.Sort(names)
	return names, err
}

// list calls f for what is in a directory. One that exists and cannot be read may
// hold what was asked for: that is an error, where filepath.Glob says nothing.
func (g *globber) list(dir string, f func(fs.DirEntry)) error {
	d, err := ownfile.Open(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return &badinput.FileError{Path: dir, Err: err}
	}
	defer d.Close()
	for {
		some, err := d.ReadDir(1000)
		if g.names -= len(some) + 1; g.names < 0 {
			return errTooManyNames
		}
		for _, entry := range some {
			f(entry)
		}
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return &badinput.FileError{Path: dir, Err: err}
		}
	}
}

var errTooManyNames = fmt.Errorf("more than %d names in directories would have to be looked at", limits.GlobNames)
