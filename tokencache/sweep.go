package tokencache

import (
	"os"
	"path/filepath"
	"time"

	"github.com/smtpsend/smtpsend/internal/lazyregexp"
)

const (
	// recordAge: a record that old is of a credential or scope that is not
	// used any more. Tokens live a day at most.
	recordAge = 7 * 24 * time.Hour
	// strayAge: writing takes milliseconds; what is left after an hour is of a
	// process that was killed.
	strayAge = time.Hour
)

var (
	recordName = lazyregexp.New(`^[0-9a-f]{32}\.token$`)
	strayName  = lazyregexp.New(`^\.[0-9a-f]{32}\.token\.tmp[0-9]+$`)
)

// sweep removes what no one will read, when something new is written. Locks
// stay: one that is removed while it is held would be no lock for the next. No
// error matters, the next Save tries again.
func (s *FileStore) sweep() {
	entries, err := os.ReadDir(s.dir)
	if err != nil {
		return
	}
	for _, e := range entries {
		limit := time.Duration(0)
		switch {
		case recordName.Get().MatchString(e.Name()):
			limit = recordAge
		case strayName.Get().MatchString(e.Name()):
			limit = strayAge
		default:
			continue
		}
		if info, err := e.Info(); err == nil && time.Since(info.ModTime()) > limit {
			_ = os.Remove(filepath.Join(s.dir, e.Name()))
		}
	}
}
