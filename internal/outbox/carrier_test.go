package outbox_test

import (
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/notice"
	"github.com/smtpsend/smtpsend/internal/outbox/queueid"
	"github.com/smtpsend/smtpsend/internal/outbox/spool"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// A notice does not stay in a mailbox that was held while it was claimed there.
func TestANoticeLeavesAMailboxThatIsHeldMeanwhile(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		for name, end := range map[string]func(*outbox.Claim) outbox.Result{
			"given back":     func(*outbox.Claim) outbox.Result { return outbox.Result{} },
			"refused itself": refused,
		} {
			carried := carriedNotice(f)
			f.put(mail())
			f.clock.add(time.Second)
			carrier, other := f.claim(), f.claim()
			f.finish(other, refused(other))
			f.finish(carrier, end(carrier))
			if d := f.show(carried); d.State != outbox.Cancelled {
				t.Errorf("%s: %s in a mailbox that is held", name, d.State)
			}
			f.clock.add(time.Hour)
			list := f.listed(notice.RoadMail)
			if len(list) != 2 || list[0].Kind != notice.Dead || list[1].Kind != notice.Held {
				t.Errorf("%s: %+v", name, list)
			}
			f.ok(f.NoticesDone(f.ctx, notice.RoadMail, list))
			f.ok(f.ReleaseMailbox(f.ctx, box))
			c := f.allowed()
			f.finish(c, all(c, smtp.Accepted)) // what was refused
			f.ok(f.NoticesDone(f.ctx, notice.RoadMail, f.listed(notice.RoadMail)))
		}
	})
}

// carriedNotice is a message that carries a notice about another one.
func carriedNotice(f *fixture) queueid.ID {
	f.t.Helper()
	q := noticeMail(f)
	f.ok(f.NoticesCarried(f.ctx, q, f.listed(notice.RoadMail)))
	return q
}

// noticeMail is a message for a notice about another one, which it does not carry yet.
func noticeMail(f *fixture) queueid.ID {
	f.t.Helper()
	if f.sender == nil {
		f.lock()
	}
	f.put(mail())
	c := f.allowed()
	f.finish(c, failed(c, smtp.Permanent, diagnosis.ClassPermanent, smtp.StageContent, unknown))
	m := mail()
	m.Notice, m.Priority = true, spool.Urgent
	return f.put(m)
}

// What became of the message before it was said what it carries decides all the same.
func TestAMessageThatIsOverBeforeItCarriesANotice(t *testing.T) {
	for name, tt := range map[string]struct {
		end  func(*outbox.Claim) outbox.Result
		left int
	}{
		"accepted":  {func(c *outbox.Claim) outbox.Result { return all(c, smtp.Accepted) }, 0},
		"cancelled": {refused, 1},
	} {
		t.Run(name, func(t *testing.T) {
			conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
				q, list := noticeMail(f), f.listed(notice.RoadMail)
				c := f.allowed()
				f.finish(c, tt.end(c))
				f.ok(f.NoticesCarried(f.ctx, q, list))
				if n := len(f.listed(notice.RoadMail)); n != tt.left {
					t.Errorf("%d notices are left", n)
				}
				f.ok(f.NoticesDone(f.ctx, notice.RoadCommand, f.listed(notice.RoadCommand)))
				f.ok(f.NoticesDone(f.ctx, notice.RoadMail, f.listed(notice.RoadMail)))
				if n := len(f.listed(notice.RoadCommand)); n != 0 {
					t.Errorf("%d notices stay", n)
				}
			})
		})
	}
}

// The operator hears of a long pause also when a notice met it first.
func TestALongPauseThatANoticeMetFirstIsTold(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		carried := carriedNotice(f)
		f.put(mail())
		for n := range 7 {
			c := f.claim()
			if n != 5 && c.QID == carried {
				other := f.claim()
				f.finish(c, outbox.Result{})
				c = other
			}
			s := f.finish(c, failed(c, smtp.NotAttempted, diagnosis.ClassTransient, smtp.StageDial, smtp.Reply{}))
			f.clock.add(s.Until.Sub(f.clock.Now()))
		}
		if f.noticed() != "paused" {
			t.Errorf("notices %q", f.noticed())
		}
	})
}
