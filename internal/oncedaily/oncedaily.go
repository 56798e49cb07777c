// Package oncedaily remembers in a directory which warnings were given today, so that a
// program that is called every minute gives each of them once a day.
//
// What cannot be remembered is said again: a warning is never lost, nor is a mail for its
// sake. Processes that start at the same time may say it once each.
package oncedaily

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"path/filepath"
	"time"

	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// Recurring is an error that is true for days.
type Recurring interface {
	error
	// Topic is the same each day for what has to be said once a day.
	Topic() string
}

// maxFile is the size of a file at most, in octets.
const maxFile = 64

// Said reports that err is Recurring and was said on now's day, by what dir remembers. If
// not, it is remembered from now on. Without a directory nothing is.
func Said(ctx context.Context, dir string, err error, now time.Time) bool {
	of, isRecurring := errors.AsType[Recurring](err)
	if !isRecurring || dir == "" {
		return false
	}
	hash := sha256.Sum256([]byte(of.Topic()))
	name := filepath.Join(dir, "said-"+hex.EncodeToString(hash[:8]))
	today := now.Format(time.DateOnly)
	if last, err := ownfile.ReadAll(ctx, name, maxFile); err == nil && string(last) == today {
		return true
	}
	if ownfile.MakeDir(dir) == nil {
		_ = ownfile.Replace(name, []byte(today), 0o600)
	}
	return false
}
