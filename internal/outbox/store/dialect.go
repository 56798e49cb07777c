package store

import "strings"

// dialect is all that differs between databases in the text of statements. Those are
// written once, with ?1 placeholders; ON CONFLICT, RETURNING, partial and
// expression indexes mean the same on SQLite and PostgreSQL.
type dialect struct {
	// types puts the database's words for the column types into a schema file.
	types *strings.Replacer
	// statement rewrites placeholders and the FOR UPDATE mark.
	statement func(string) string
	// begin opens a transaction that will write. SQLite has one writer, so the
	// lock is taken at the start, where busy_timeout waits for it.
	begin string
	// lockWait, with a number of ms, says how long begin waits for another program's lock.
	lockWait string
	// tableExists finds the table named ?1.
	tableExists string
	// vacuum gives some pages back to the file system, "" when the database does so itself.
	vacuum string
}

// LockRow marks a SELECT whose row stays as it is until the commit. It goes at
// the end of the statement; SQLite, with its one writer, does without it.
const LockRow = " /* for update */"

func sqliteDialect() dialect {
	return dialect{
		types: strings.NewReplacer(
			"IDENTITY", "INTEGER PRIMARY KEY AUTOINCREMENT", // never the id of a deleted row again
			"BIGINT", "INTEGER",
			") CLUSTERED", ") WITHOUT ROWID", // rows in the order of the primary key
		),
		statement:   func(s string) string { return s },
		begin:       "BEGIN IMMEDIATE",
		lockWait:    "PRAGMA busy_timeout = ",
		tableExists: "SELECT 1 FROM sqlite_master WHERE type = 'table' AND name = ?1",
		vacuum:      "PRAGMA incremental_vacuum(1000)",
	}
}
