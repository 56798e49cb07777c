package outbox

import (
	"context"
	"crypto/rand"
	"database/sql"
	"embed"
	"fmt"
	"io/fs"
	"strconv"
)

//go:embed schema/*.sql
var schemaFiles embed.FS

// schemas are the numbered steps from an empty database to the present: 0001.sql
// is never changed once released, a change is a further file.
var schemas fs.FS = schemaFiles

// migrate takes the steps that are missing, all in one transaction, and reads
// the tag.
func (ob *Outbox) migrate(ctx context.Context, from fs.FS) error {
	steps, err := fs.Glob(from, "schema/*.sql")
	if err != nil {
		return err
	}
	// Mostly nothing is missing: then nobody who writes is waited for.
	v := view{ctx, ob.store}
	have, err := ob.version(v)
	if err != nil {
		return fmt.Errorf("reading schema version: %w", err)
	}
	if have == len(steps) {
		ob.tag, err = meta(v, "tag")
		return err
	}
	return ob.write(ctx, func(t *tx) error {
		have, err := ob.version(t)
		if err != nil {
			return fmt.Errorf("reading schema version: %w", err)
		}
		if have > len(steps) {
			return &SchemaError{have, len(steps)}
		}
		for _, step := range steps[have:] {
			if err := t.apply(from, step); err != nil {
				return fmt.Errorf("applying %s: %w", step, err)
			}
		}
		if have < len(steps) {
			if err := t.setMeta("schema", strconv.Itoa(len(steps))); err != nil {
				return err
			}
		}
		if err := t.look(0); err != nil {
			return err
		}
		if have == 0 {
			if err := t.setMeta("tag", newTag()); err != nil {
				return err
			}
		}
		ob.tag, err = meta(t, "tag")
		return err
	})
}

// version is the number of steps that the database has seen.
func (s *store) version(r reader) (have int, err error) {
	err = each(r, func(rows *sql.Rows) error { return rows.Scan(&have) }, s.dialect.tableExists, "meta")
	if err != nil || have == 0 {
		return 0, err
	}
	text, err := meta(r, "schema")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(text)
}

// apply runs a file of several statements, which cannot be prepared as one.
func (t *tx) apply(from fs.FS, name string) error {
	text, err := fs.ReadFile(from, name)
	if err != nil {
		return err
	}
	_, err = t.s.writer.ExecContext(t.ctx, t.s.dialect.types.Replace(string(text)))
	return err
}

// meta reads a value, "" when it was never set.
func meta(r reader, name string) (value string, err error) {
	err = each(r, func(rows *sql.Rows) error { return rows.Scan(&value) }, "SELECT value FROM meta WHERE name = ?1", name)
	return value, err
}

func (t *tx) setMeta(name, value string) error {
	_, err := t.exec("INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value", name, value)
	return err
}

// newTag tells the messages of one outbox from those of another, also in logs
// that outlive a deleted one.
func newTag() string {
	var b [3]byte
	_, _ = rand.Read(b[:]) // never fails
	for i := range b {
		b[i] = digits[b[i]%32]
	}
	return string(b[:])
}
