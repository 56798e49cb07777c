package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// globber finds the files of a pattern. It finds what filepath.Glob does, which
// looks at all of a disk for "/*/*/*/*/*/*x".
type globber struct {
	names   int // in directories, that may still be looked at
	matches int // that may be found
}

// glob is filepath.Glob within limits.
func glob(pattern string) ([]string, error) {
	return (&globber{names: limits.GlobNames, matches: limits.GlobMatches}).find(pattern)
}

func (g *globber) find(pattern string) ([]string, error) {
	if _, err := filepath.Match(pattern, ""); err != nil {
		return nil, err
	}
	volume := filepath.VolumeName(pattern)
	rest := pattern[len(volume):]
	top := volume + "."
	if rest != "" && os.IsPathSeparator(rest[0]) {
		top = volume + string(filepath.Separator)
	}
	found := []string{filepath.Clean(top)}
	elements := strings.FieldsFunc(rest, func(r rune) bool { return r < 0x80 && os.IsPathSeparator(byte(r)) })
	if last := len(rest) - 1; last > 0 && os.IsPathSeparator(rest[last]) {
		elements = append(elements, "")
	}
	matched := false // an element before was a pattern
	for i, element := range elements {
		var next []string
		if matched && (element == "" || element == "." || element == "..") { // no directory lists these
			return nil, nil
		}
		matched = matched || isPattern(element)
		for _, dir := range found {
			names, err := g.in(dir, element)
			if err != nil {
				return nil, err
			}
			for _, name := range names {
				next = append(next, filepath.Join(dir, name))
			}
			if i == len(elements)-1 && len(next) > g.matches {
				return nil, fmt.Errorf("more than %d files match", g.matches)
			}
		}
		found = next
	}
	return found, nil
}

// in returns the names in dir that match one element of a pattern, sorted. What
// cannot be read has none, as for filepath.Glob.
func (g *globber) in(dir, element string) ([]string, error) {
	if !isPattern(element) && (runtime.GOOS == "windows" || !strings.Contains(element, `\`)) {
		if g.names--; g.names < 0 {
			return nil, errTooManyNames
		}
		if _, err := os.Lstat(filepath.Join(dir, element)); err != nil {
			return nil, nil
		}
		return []string{element}, nil
	}
	if info, err := os.Stat(dir); err != nil || !info.IsDir() { // to open a pipe would wait
		return nil, nil
	}
	d, err := ownfile.Open(dir)
	if err != nil {
		return nil, nil
	}
	defer d.Close()
	var names []string
	for {
		some, err := d.Readdirnames(1000)
		if g.names -= len(some) + 1; g.names < 0 {
			return nil, errTooManyNames
		}
		for _, name := range some {
			if ok, _ := filepath.Match(element, name); ok { // find has checked the pattern
				names = append(names, name)
			}
		}
		if err != nil || len(some) == 0 {
			if !errors.Is(err, io.EOF) {
				return nil, nil
			}
			slices.Sort(names)
			return names, nil
		}
	}
}

var errTooManyNames = fmt.Errorf("more than %d names in directories would have to be looked at", limits.GlobNames)
