package doctor

import (
	"context"
	"fmt"
	"net/http"
	"time"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// Clocks that differ by less are good enough: Entra and Exchange allow five
// minutes.
const maxSkew = 5 * time.Minute

// clock is the token endpoint's clock beside this machine's.
type clock struct {
	date  time.Time     // the endpoint's, by its last answer
	at    time.Time     // ours when it came
	ahead time.Duration // ours, after compare
}

// keep keeps the Date of an answer.
func (k *clock) keep(h http.Header) {
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		k.date, k.at = date, time.Now()
	}
}

// compare finds how far this machine's clock is ahead. Date is cut to seconds.
func (k *clock) compare() {
	k.ahead = k.at.Sub(k.date.Add(500 * time.Millisecond)).Round(time.Second)
}

func (k *clock) skewed() bool { return k.ahead.Abs() > maxSkew }

// compareClocks compares this machine's clock with the endpoint's.
func (e *endpoint) compareClocks(context.Context) {
	if e.clock.date.IsZero() && e.record.blocked(nameClock, nameTLSToken) {
		return
	}
	c := Check{Name: nameClock, Status: OK}
	if e.clock.date.IsZero() {
		c.Status, c.Seen = Skipped, "the token endpoint sent no date"
		e.record.add(c)
		return
	}
	e.clock.compare()
	switch diff := e.clock.ahead.Abs(); {
	case diff <= 2*time.Second:
		c.Seen = "agrees with " + e.host
	default:
		c.Seen = fmt.Sprintf("this machine is %s %s %s", diff, aheadOrBehind(e.clock.ahead), e.host)
	}
	if e.clock.skewed() {
		c = e.record.warned(c, diagnosis.Symptom{Stage: smtp.StageToken, Fault: smtp.FaultClockSkew})
	}
	e.record.add(c)
}

func aheadOrBehind(d time.Duration) string {
	if d > 0 {
		return "ahead of"
	}
	return "behind"
}
