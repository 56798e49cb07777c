package store

import (
	"context"
	"database/sql"
	"fmt"
	"io/fs"
	"strconv"
)

// Migrate takes those steps of from, files schema/*.sql, that the database has not
// seen, all in one transaction. The error is a *SchemaError when it has seen more.
func (db *DB) Migrate(ctx context.Context, from fs.FS) error {
	// Mostly nothing is missing: then no writer is waited for.
	have, steps, err := db.version(db.View(ctx), from)
	if err == nil && have == len(steps) {
		return nil
	}
	if err != nil {
		return err
	}
	return db.Write(ctx, func(t *Tx) error {
		have, steps, err := db.version(t, from)
		if err != nil {
			return err
		}
		for _, step := range steps[have:] {
			if err := t.apply(from, step); err != nil {
				return fmt.Errorf("applying %s: %w", step, err)
			}
		}
		if have < len(steps) {
			if err := t.SetMeta("schema", strconv.Itoa(len(steps))); err != nil {
				return err
			}
		}
		if err := t.Look(0); err != nil {
			return err
		}
		if have > 0 || db.schema.Begin == nil {
			return nil
		}
		return db.schema.Begin(t)
	})
}

// version is the number of steps that the database has seen, and the steps that we
// know. To have seen more than those is a *SchemaError.
func (db *DB) version(r Reader, from fs.FS) (have int, know []string, err error) {
	if know, err = fs.Glob(from, "schema/*.sql"); err != nil {
		return 0, nil, err
	}
	if have, err = db.seen(r); err != nil {
		return 0, nil, fmt.Errorf("reading schema version: %w", err)
	}
	if have > len(know) {
		return have, know, &SchemaError{have, len(know)}
	}
	return have, know, nil
}

func (db *DB) seen(r Reader) (have int, err error) {
	err = Each(r, func(rows *sql.Rows) error { return rows.Scan(&have) }, db.dialect.tableExists, "meta")
	if err != nil || have == 0 {
		return 0, err
	}
	text, err := Meta(r, "schema")
	if err != nil {
		return 0, err
	}
	return strconv.Atoi(text)
}

// apply runs a file of several statements, which cannot be prepared as one.
func (t *Tx) apply(from fs.FS, name string) error {
	text, err := fs.ReadFile(from, name)
	if err != nil {
		return err
	}
	_, err = t.db.writer.ExecContext(t.ctx, t.db.dialect.types.Replace(string(text)))
	return err
}

// Meta reads one of the values that a database keeps about itself, "" when it was
// never set.
func Meta(r Reader, name string) (value string, err error) {
	err = Each(r, func(rows *sql.Rows) error { return rows.Scan(&value) }, "SELECT value FROM meta WHERE name = ?1", name)
	return value, err
}

// SetMeta writes one of the values that a database keeps about itself.
func (t *Tx) SetMeta(name, value string) error {
	_, err := t.Exec("INSERT INTO meta (name, value) VALUES (?1, ?2) ON CONFLICT (name) DO UPDATE SET value = excluded.value", name, value)
	return err
}
