package outbox

import "strconv"

// settled is how far back a clock may step without being said to be set back:
// time services slew by less.
const settled = 2000 // ms

// setBack notices that the clock went back since seen, or since the last
// transaction that called it, which may be before a restart, and moves what was written in the future to
// the present, or as far back as the clock went:
//
//   - What was submitted counts as submitted now: nothing goes out too fast.
//   - Pauses, limits and due times end as if the clock had gone on, so that
//     nothing waits for the hour to come again. Times that somebody asked for
//     (Message.ReadyAt, ExpiresAt) stay.
func (ob *Outbox) setBack(t *tx, seen int64) error {
	text, err := meta(t, "clock")
	if err != nil {
		return err
	}
	last, _ := strconv.ParseInt(text, 10, 64) // a clock that cannot be read is none
	if err := t.setMeta("clock", strconv.FormatInt(t.now, 10)); err != nil {
		return err
	}
	by := max(last, seen) - t.now
	if by <= settled {
		return nil
	}
	for _, span := range []int64{ob.minuteSpan(), ob.daySpan()} {
		if err := t.gather(span); err != nil {
			return err
		}
	}
	for _, column := range []string{"next_at", "paused_until", "probe_at", "since", "accepted_at"} {
		if _, err := t.exec("UPDATE mailbox SET "+column+" = CASE WHEN "+column+" - ?2 > ?1 THEN "+column+" - ?2 ELSE ?1 END WHERE "+column+" > ?1", t.now, by); err != nil {
			return err
		}
	}
	_, err = t.exec(`UPDATE mail SET ready_at = CASE WHEN ready_at - ?2 > ?1 THEN ready_at - ?2 ELSE ?1 END
		WHERE state = 'ready' AND ready_at > ?1 AND (attempts > 0 OR ready_at <= created_at)`, t.now, by)
	return err
}

// gather puts the counts of later buckets into the present one.
func (t *tx) gather(span int64) error {
	present := t.now / span
	_, err := t.exec(`INSERT INTO usage (mailbox, span, bucket, msgs, rcpts)
		SELECT mailbox, span, CAST(?2 AS BIGINT), sum(msgs), sum(rcpts) FROM usage WHERE span = ?1 AND bucket > ?2 GROUP BY mailbox, span
		ON CONFLICT (mailbox, span, bucket) DO UPDATE SET msgs = usage.msgs + excluded.msgs, rcpts = usage.rcpts + excluded.rcpts`, span, present)
	if err == nil {
		_, err = t.exec("DELETE FROM usage WHERE span = ?1 AND bucket > ?2", span, present)
	}
	return err
}
