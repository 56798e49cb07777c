package outbox

import (
	"context"
	"crypto/rand"
	"database/sql"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"time"

	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/until"
)

// some is how many messages one transaction handles: others write in between.
const some = 500

// Purge ends what has expired in mailboxes that submit nothing just now (Claim
// sees to the others), removes what was finished longer ago than
// Options.Retention and contents that broke off, and gives space back. It
// returns how many messages were removed. Call it now and then.
func (s *Sender) Purge(ctx context.Context) (removed int, err error) {
	if err = s.ob.write(ctx, func(t *tx) error { return t.look(0) }); err == nil {
		_, err = s.ob.inPieces(ctx, s.ob.expireSome)
	}
	if err == nil {
		err = s.ob.sweep(ctx)
	}
	if err == nil {
		removed, err = s.ob.inPieces(ctx, s.ob.purgeSome)
	}
	if err == nil {
		_, err = s.ob.inPieces(ctx, s.ob.forgetSome)
	}
	if err == nil && s.ob.dialect.vacuum != "" {
		err = s.ob.write(ctx, func(t *tx) error {
			_, err := t.s.writer.ExecContext(t.ctx, t.s.dialect.vacuum)
			return err
		})
	}
	if err != nil {
		return removed, fmt.Errorf("purging outbox: %w", err)
	}
	return removed, nil
}

// inPieces calls do in one transaction after another until it handles less than
// some rows, and returns how many all handled.
func (ob *Outbox) inPieces(ctx context.Context, do func(*tx) (int, error)) (sum int, err error) {
	for n := some; n == some && err == nil; sum += n {
		err = ob.write(ctx, func(t *tx) (err error) {
			n, err = do(t)
			return err
		})
	}
	return sum, err
}

func (ob *Outbox) expireSome(t *tx) (int, error) {
	ids, err := t.ids("SELECT id FROM mail WHERE expires_at > 0 AND expires_at <= ?1 AND (state = 'ready' OR state = 'held') LIMIT 500", t.now)
	for _, id := range ids {
		if err == nil {
			err = ob.expire(t, id)
		}
	}
	return len(ids), err
}

// ids reads a column of ids.
func (t *tx) ids(query string, args ...any) (ids []int64, err error) {
	err = each(t, func(rows *sql.Rows) error {
		var id int64
		err := rows.Scan(&id)
		ids = append(ids, id)
		return err
	}, query, args...)
	return ids, err
}

// sweep deletes contents of which a crash left pieces: of large messages that
// were sent, and of those that never came in whole.
func (ob *Outbox) sweep(ctx context.Context) error {
	var done, broken []int64
	err := ob.write(ctx, func(t *tx) (err error) {
		if done, err = t.ids("SELECT id FROM mail WHERE body_left = 1"); err != nil {
			return err
		}
		broken, err = t.ids("SELECT id FROM mail WHERE state = 'receiving' AND lease_until < ?1", t.now)
		return err
	})
	for _, id := range done {
		if err == nil {
			err = ob.dropBody(ctx, id)
		}
	}
	for _, id := range broken {
		if err == nil {
			err = ob.remove(ctx, id)
		}
	}
	return err
}

// purgeSome removes up to 500 old messages; recipients, events and contents go
// with them.
func (ob *Outbox) purgeSome(t *tx) (int, error) {
	const chosen = "id IN (SELECT id FROM mail WHERE finished_own IS NOT NULL AND finished_own < ?1 ORDER BY finished_own LIMIT 500)"
	now, err := t.own()
	if err != nil {
		return 0, err
	}
	old := now - ob.o.Retention.Milliseconds()
	if err := t.remember(chosen, old); err != nil {
		return 0, err
	}
	n, err := t.exec("DELETE FROM mail WHERE "+chosen, old)
	if err == nil && n < some {
		_, err = t.exec("DELETE FROM notice WHERE at_own < ?1", old) // that no road took
	}
	if err == nil && n < some {
		_, err = t.exec("DELETE FROM usage WHERE span = ?1 AND bucket < ?2", ob.daySpan(), now/ob.daySpan()-2*dayBuckets)
	}
	return int(n), err
}

// Backup writes a copy of the outbox to a file that must not exist, mode 0600,
// while everything goes on. Where there is room beside the outbox, a copy is made
// there first, which leaves out what is empty: SQLite opens a file by its name, and
// in another directory that could be somebody else's by then.
func (ob *Outbox) Backup(ctx context.Context, name string) error {
	if err := ob.backup(ctx, name); err != nil {
		return fmt.Errorf("backing up outbox: %w", named(err))
	}
	return nil
}

func (ob *Outbox) backup(ctx context.Context, name string) (err error) {
	to, err := ownfile.Create(name)
	if err != nil {
		return err
	}
	defer func() {
		if err = errors.Join(err, to.Close()); err != nil {
			_ = os.Remove(name)
		}
	}()
	if err := ob.copyTo(ctx, to); err != nil {
		return err
	}
	if err := to.Sync(); err != nil {
		return err
	}
	info, err := to.Stat()
	if err != nil {
		return err
	}
	if now, err := os.Lstat(name); err != nil || !os.SameFile(now, info) {
		return fmt.Errorf("%s was replaced meanwhile by another file", name)
	}
	return ownfile.SyncDir(filepath.Dir(name))
}

// copyTo writes the whole outbox to a file. Where there is no room for a copy beside
// it, or nothing can be written, what goes out is the file as it is.
func (ob *Outbox) copyTo(ctx context.Context, to io.Writer) error {
	if ob.pool == nil {
		return ob.copyPages(ctx, to)
	}
	ob.sweepCopies()
	copied := filepath.Join(ob.dir, copyPrefix+rand.Text()) // 26 letters
	from, err := ownfile.Create(copied)
	if err == nil {
		defer func() { _ = errors.Join(from.Close(), os.Remove(copied)) }()
		// VACUUM INTO takes an empty file, whose mode stays.
		_, err = ob.pool.ExecContext(ctx, "VACUUM INTO ?1", copied)
	}
	if isFull(named(err)) || isReadOnly(err) {
		return ob.copyPages(ctx, to)
	}
	if err == nil {
		_, err = io.Copy(to, until.Between(ctx, from))
	}
	return err
}

// copyPrefix begins the name of a copy that is being made, which copyPattern is.
const (
	copyPrefix  = ".smtpsend-copy-"
	copyPattern = copyPrefix + "??????????????????????????"
)

// sweepCopies removes copies of processes that were killed.
func (ob *Outbox) sweepCopies() {
	names, _ := filepath.Glob(filepath.Join(ob.dir, copyPattern)) // an error is for a pattern in the directory's name
	for _, name := range names {
		if info, err := os.Lstat(name); err == nil && time.Since(info.ModTime()) > 24*time.Hour {
			_ = os.Remove(name)
		}
	}
}
