package outbox

import (
	"context"
	"fmt"
	"strconv"
	"time"
)

// The outbox has a time of its own, in milliseconds. It goes on with the machine,
// whatever somebody sets the clock to: what was submitted counts in the limits,
// and what is over is remembered, for a length of this time. What people see or
// ask for, such as Message.ReadyAt, is by the clock.
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
func (s *store) reckoned(r reader, now int64) (last, present reckoning, err error) {
	era, at := s.steady()
	text, err := meta(r, "time")
	if err != nil {
		return last, present, err
	}
	if _, err := fmt.Sscan(text, &last.own, &last.wall, &last.high, &last.at, &last.era); err != nil {
		old, err := meta(r, "clock") // of schema 2
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

// own is the outbox's own time of the transaction.
func (t *tx) own() (int64, error) {
	_, present, err := t.s.reckoned(t, t.now)
	return present.own, err
}

// own is the outbox's own time now.
func (v view) own() (int64, error) {
	_, present, err := v.s.reckoned(v, v.s.now())
	return present.own, err
}

// settled is how far back a clock may step without being said to be set back:
// time services slew by less.
const settled = 2000 // ms

// look writes the reckoning. It notices that the clock went back since seen, or
// since the last look, which may be before a restart. Then pauses and due times
// that were written in the future end as if the clock had gone on, so that nothing
// waits for the hour to come again. Times that somebody asked for (Message.ReadyAt,
// ExpiresAt) stay.
func (t *tx) look(seen int64) error {
	last, present, err := t.s.reckoned(t, t.now)
	if err != nil {
		return err
	}
	if err := t.setMeta("time", present.String()); err != nil {
		return err
	}
	by := max(last.wall, seen) - t.now
	if by <= settled {
		return nil
	}
	for table, columns := range map[string][]string{
		"mailbox": {"next_at", "paused_until", "probe_at", "since", "accepted_at"},
		"notice":  {"mail_at", "command_at", "since", "next_at"},
	} {
		for _, column := range columns {
			if _, err := t.exec("UPDATE "+table+" SET "+column+" = CASE WHEN "+column+" - ?2 > ?1 THEN "+column+" - ?2 ELSE ?1 END WHERE "+column+" > ?1", t.now, by); err != nil {
				return err
			}
		}
	}
	_, err = t.exec(`UPDATE mail SET ready_at = CASE WHEN ready_at - ?2 > ?1 THEN ready_at - ?2 ELSE ?1 END
		WHERE state = 'ready' AND ready_at > ?1 AND (attempts > 0 OR ready_at <= created_at)`, t.now, by)
	return err
}

// lookEvery is how often a sender that has nothing to do looks.
const lookEvery = time.Hour

// watchClock looks when the clock was set back, and now and then. What is missed
// then, because the disk is full, say, the next look makes up for.
func (s *Sender) watchClock(ctx context.Context) error {
	now := s.ob.now()
	last := s.seen.Swap(now)
	isBack := last-now > settled
	if looked := s.looked.Load(); !isBack && now >= looked && now-looked < lookEvery.Milliseconds() {
		return nil
	}
	s.looked.Store(now)
	if err := s.ob.write(ctx, func(t *tx) error { return t.look(last) }); isBack {
		return err
	}
	return nil
}
