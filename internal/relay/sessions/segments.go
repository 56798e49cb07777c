package sessions

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// What is kept of one kind.
const (
	maxSegment  = 512 << 10 // octets of a file
	maxSegments = 8         // files
	maxAge      = 24 * time.Hour
	week        = 7 * 24 * time.Hour
)

// The beginnings of the names of files, whose rest is when they were begun.
const (
	prefixRefusals = "refusals-"
	prefixVisits   = "sessions-"
	suffix         = ".jsonl"
	nameTime       = "20060102T150405"
)

// segments are the files of one kind, the last of which is written.
type segments struct {
	dir, prefix string
	names       []string // the oldest first
	file        *os.File // nil: to be opened
	size        int64
	torn        bool // the file may end in half a line
}

// openSegments finds the files that are there.
func openSegments(dir, prefix string, now time.Time) (*segments, error) {
	names, err := segmentNames(dir, prefix)
	if err != nil {
		return nil, err
	}
	s := &segments{dir: dir, prefix: prefix, names: names}
	s.expire(now)
	return s, nil
}

func segmentNames(dir, prefix string) ([]string, error) {
	entries, err := os.ReadDir(dir) // sorted
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if _, ok := begunAt(prefix, e.Name()); ok {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// begunAt is when a file was begun, by its name.
func begunAt(prefix, name string) (time.Time, bool) {
	text, isOurs := strings.CutPrefix(name, prefix)
	text, ends := strings.CutSuffix(text, suffix)
	at, err := time.Parse(nameTime, text)
	return at, isOurs && ends && err == nil
}

// add writes a record at the end.
func (k *keeper) add(r *Record, now time.Time) error { return k.files.add(r, now) }

func (s *segments) add(r *Record, now time.Time) error {
	line, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encoding: %w", err)
	}
	line = append(line, '\n')
	if err := s.ready(int64(len(line)), now); err != nil {
		return err
	}
	if s.torn {
		line = append([]byte{'\n'}, line...)
	}
	n, err := s.file.Write(line)
	s.size += int64(n)
	s.torn = err != nil
	return err
}

// ready opens the file for a line, or begins another one.
func (s *segments) ready(size int64, now time.Time) error {
	last := len(s.names) - 1
	if s.file == nil && last >= 0 {
		if err := s.open(s.names[last]); err != nil {
			return err
		}
	}
	if s.file != nil {
		begun, _ := begunAt(s.prefix, s.names[last])
		if s.size+size <= maxSegment && now.Sub(begun) < maxAge {
			return nil
		}
		s.close()
	}
	at := now.UTC().Truncate(time.Second)
	if last >= 0 { // in order, also when a clock was set back
		if begun, _ := begunAt(s.prefix, s.names[last]); !at.After(begun) {
			at = begun.Add(time.Second)
		}
	}
	name := s.prefix + at.Format(nameTime) + suffix
	if err := s.open(name); err != nil {
		return err
	}
	s.names = append(s.names, name)
	s.expire(now)
	return nil
}

func (s *segments) open(name string) error {
	f, err := ownfile.Append(filepath.Join(s.dir, name))
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	s.file, s.size, s.torn = f, info.Size(), info.Size() > 0
	return nil
}

func (s *segments) close() {
	if s.file != nil {
		_ = s.file.Close() // what could not be written was told by Write
		s.file = nil
	}
}

// expire removes the files that are too many, or whose last line is more than a week old.
func (s *segments) expire(now time.Time) {
	var kept []string
	for i, name := range s.names {
		begun, _ := begunAt(s.prefix, name)
		isOld, isTooMany := now.Sub(begun) > week+maxAge, len(s.names)-i > maxSegments
		if !isOld && !isTooMany {
			kept = append(kept, name)
			continue
		}
		if i == len(s.names)-1 {
			s.close()
		}
		if err := os.Remove(filepath.Join(s.dir, name)); err != nil && !errors.Is(err, fs.ErrNotExist) {
			kept = append(kept, name)
		}
	}
	s.names = kept
}
