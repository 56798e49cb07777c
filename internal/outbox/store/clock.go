package store

import (
	"fmt"
	"strconv"
	"time"
)

// The database has a time of its own, in milliseconds. It goes on with the machine,
// whatever the clock is set to: lengths of time that must not be cut short are
// measured by it. What people see or ask for is by the clock.
//
// While the machine runs its own counter says how much time has gone by. Only
// what lies between two runnings of the machine is judged by the clock.

// longestGap is the most own time that goes by between two looks of which nothing
// but the clock says how long it was: a weekly run, which may be late, counts
// wholly. A clock that was years behind when the machine was switched off and right
// when it was switched on costs no more.
const longestGap = 8 * 24 * time.Hour

// reckoning is the own time at a look. It is stored at each.
type reckoning struct {
	own  int64  // ms
	wall int64  // the clock then, ms since 1970
	high int64  // the latest that the clock ever said
	era  string // the running of the machine
	at   int64  // ms since the start of the era
}

// noEra is a running of the machine of which nothing is known.
const noEra = "-"

// String is what is stored.
func (k reckoning) String() string {
	return fmt.Sprintf("%d %d %d %d %s", k.own, k.wall, k.high, k.at, k.era)
}

// next is the reckoning at a later look.
func (k reckoning) next(wall int64, era string, at int64) reckoning {
	gone := wall - k.wall
	switch {
	case era != noEra && era == k.era && at >= k.at:
		gone = at - k.at
	case gone > longestGap.Milliseconds() && wall <= k.high:
		gone = 0 // the clock comes back to where it was: after a start without a battery, say
	case gone > longestGap.Milliseconds():
		gone = longestGap.Milliseconds()
	}
	return reckoning{own: k.own + max(gone, 0), wall: wall, high: max(wall, k.high), era: era, at: at}
}

// reckoned reads the reckoning of the last look, and makes the present one. An
// outbox that has none yet begins with the clock.
func (db *DB) reckoned(r Reader, now int64) (last, present reckoning, err error) {
	era, at := db.o.Steady()
	text, err := Meta(r, "time")
	if err != nil {
		return last, present, err
	}
	if _, err := fmt.Sscan(text, &last.own, &last.wall, &last.high, &last.at, &last.era); err != nil {
		old, err := Meta(r, "clock") // of schema 2
		if err != nil {
			return last, present, err
		}
		start, err := strconv.ParseInt(old, 10, 64)
		if err != nil {
			start = now
		}
		last = reckoning{own: start, wall: start, high: start, era: noEra}
	}
	return last, last.next(now, era, at.Milliseconds()), nil
}

// Own is the database's own time of the transaction, ms.
func (t *Tx) Own() (int64, error) {
	_, present, err := t.db.reckoned(t, t.Now)
	return present.own, err
}

// Own is the database's own time now, ms.
func (v View) Own() (int64, error) {
	_, present, err := v.db.reckoned(v, v.db.Now())
	return present.own, err
}

// slew is how far back a clock may step without being said to be set back: time
// services move it by less.
const slew = 2000 // ms

// IsBack reports that the clock stepped back from before to now, both in ms, by more
// than a time service does.
func IsBack(before, now int64) bool { return before-now > slew }

// Look writes the reckoning. It notices that the clock went back since seen, in ms,
// or since the last look, which may be before a restart: then Schema.SetBack moves
// what was written in the future, as if the clock had gone on.
func (t *Tx) Look(seen int64) error {
	last, present, err := t.db.reckoned(t, t.Now)
	if err != nil {
		return err
	}
	if err := t.SetMeta("time", present.String()); err != nil {
		return err
	}
	before := max(last.wall, seen)
	if !IsBack(before, t.Now) || t.db.schema.SetBack == nil {
		return nil
	}
	return t.db.schema.SetBack(t, before-t.Now)
}
