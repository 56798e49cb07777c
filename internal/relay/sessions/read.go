package sessions

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path/filepath"
	"slices"
	"time"

	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// Filter says which records are read. The zero value is all of the week.
type Filter struct {
	Refused bool      // refusals and broken sessions alone
	Since   time.Time // zero: a week ago
	From    Place
	Limit   int // the last ones alone; 0: all
}

// Read returns the records in a Log's directory, the oldest first, and more when Limit
// left some out. There are none when there is no such directory. It may be called while
// another process writes.
func Read(ctx context.Context, dir string, f Filter, now time.Time) (list []Record, more bool, err error) {
	if oldest := now.Add(-week); f.Since.Before(oldest) {
		f.Since = oldest
	}
	prefixes := []string{prefixRefusals, prefixVisits}
	if f.Refused {
		prefixes = prefixes[:1]
	}
	for _, prefix := range prefixes {
		names, err := segmentNames(dir, prefix)
		if errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			return nil, false, fmt.Errorf("reading the relay's sessions: %w", err)
		}
		for _, name := range names {
			if ctx.Err() != nil {
				return nil, false, context.Cause(ctx)
			}
			some, err := readSegment(filepath.Join(dir, name), f)
			if err != nil {
				return nil, false, fmt.Errorf("reading the relay's sessions: %w", err)
			}
			list = append(list, some...)
		}
	}
	slices.SortStableFunc(list, func(a, b Record) int { return a.Time.Compare(b.Time) })
	if f.Limit > 0 && len(list) > f.Limit {
		return list[len(list)-f.Limit:], true, nil
	}
	return list, false, nil
}

// readSegment reads the lines of a file. Those that are not whole are skipped, and so is
// a file that was removed in the meantime.
func readSegment(name string, f Filter) (list []Record, err error) {
	file, err := ownfile.OpenPrivate(name)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	defer file.Close()
	in := bufio.NewScanner(io.LimitReader(file, 2*maxSegment))
	in.Buffer(nil, maxSegment)
	for in.Scan() {
		var r Record
		if json.Unmarshal(in.Bytes(), &r) != nil || r.Kind == "" || r.Time.Before(f.Since) || !r.IsFrom(f.From) {
			continue
		}
		list = append(list, r)
	}
	if errors.Is(in.Err(), bufio.ErrTooLong) { // damaged from there on
		return list, nil
	}
	return list, in.Err()
}
