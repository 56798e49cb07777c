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

// listed are the notices that may go the road now.
func (f *fixture) listed(road notice.Road) []notice.Notice {
	f.t.Helper()
	list, err := f.Notices(f.ctx, road, 10)
	if err != nil {
		f.t.Fatal(err)
	}
	return list
}

// ok ends the test when something went wrong.
func (f *fixture) ok(err error) {
	f.t.Helper()
	if err != nil {
		f.t.Fatal(err)
	}
}

// A notice goes each road by itself, and is kept until it has.
func TestANoticeGoesEachRoad(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		f.put(mail())
		f.lock()
		c := f.claim()
		f.finish(c, refused(c))
		list := f.listed(notice.RoadCommand)
		if len(list) != 1 || list[0].Kind != notice.Held || !list[0].Since.Equal(f.clock.Now()) || list[0].Next.Sub(f.clock.Now()) != 30*time.Minute || list[0].Wide {
			t.Fatalf("%+v", list)
		}
		for _, want := range []time.Duration{time.Minute, 2 * time.Minute, 4 * time.Minute} {
			f.ok(f.NoticesLater(f.ctx, notice.RoadCommand, f.listed(notice.RoadCommand)))
			f.clock.add(want - time.Second)
			if len(f.listed(notice.RoadCommand)) != 0 {
				t.Errorf("listed again before %v", want)
			}
			f.clock.add(time.Second)
			if len(f.listed(notice.RoadCommand)) != 1 {
				t.Errorf("not listed again after %v", want)
			}
		}
		f.ok(f.NoticesDone(f.ctx, notice.RoadMail, f.listed(notice.RoadMail)))
		if len(f.listed(notice.RoadMail)) != 0 || len(f.listed(notice.RoadCommand)) != 1 {
			t.Error("one road's end is not the other's")
		}
		f.ok(f.NoticesDone(f.ctx, notice.RoadCommand, f.listed(notice.RoadCommand)))
		if len(f.listed(notice.RoadCommand)) != 0 {
			t.Error("listed after it was done")
		}
	})
}

// A notice is not lost with the message that carries it: it is done when that is
// accepted, and looks for another mailbox when its own cannot submit.
func TestANoticeOutlivesWhatCarriesIt(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		f.lock()
		dead := mail()
		f.put(dead)
		c := f.allowed()
		f.finish(c, failed(c, smtp.Permanent, diagnosis.ClassPermanent, smtp.StageContent, unknown))
		carrier := mail()
		carrier.Notice, carrier.Priority = true, spool.Urgent
		carry := func() queueid.ID {
			t.Helper()
			q := f.put(carrier)
			f.ok(f.NoticesCarried(f.ctx, q, f.listed(notice.RoadMail)))
			if len(f.listed(notice.RoadMail)) != 0 {
				t.Error("listed while it is on its way")
			}
			return q
		}

		q := carry() // and meets a refused sign-in itself
		c = f.claim()
		if s := f.finish(c, refused(c)); c.QID != q || s.State != outbox.Cancelled || s.Pause != "" || f.mailbox().Pause != "" {
			t.Errorf("a notice stopped its mailbox: %+v", s)
		}
		if len(f.listed(notice.RoadMail)) != 1 {
			t.Error("the notice is lost")
		}

		q = carry() // and waits when the mailbox is held
		f.put(mail())
		f.clock.add(time.Second)
		first := f.claim()
		other := f.claim()
		if first.QID != q {
			t.Fatalf("%s before the notice", first.QID)
		}
		f.finish(first, outbox.Result{})
		f.finish(other, refused(other))
		if d := f.show(q); d.State != outbox.Cancelled || len(f.listed(notice.RoadMail)) != 2 {
			t.Errorf("%s, %d notices", d.State, len(f.listed(notice.RoadMail)))
		}

		f.ok(f.ReleaseMailbox(f.ctx, box))
		q = carry()
		c = f.allowed()
		f.finish(c, all(c, smtp.Accepted))
		f.clock.add(time.Hour)
		list := f.listed(notice.RoadMail)
		if c.QID != q || len(list) != 1 || list[0].Kind != notice.Resumed {
			t.Errorf("after the mail was accepted: %+v", list)
		}
	})
}

// Which mailbox is a road for a notice.
func TestRecords(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		f.lock()
		for _, name := range []string{"a@contoso.example", "b@contoso.example", "c@contoso.example"} {
			m := mail()
			m.Mailbox = name
			f.put(m)
			c, err := f.sender.Claim(f.ctx, name)
			f.ok(err)
			f.ok(f.sender.AllowData(f.ctx, c))
			f.finish(c, all(c, smtp.Accepted))
			f.clock.add(time.Minute)
		}
		f.ok(f.HoldMailbox(f.ctx, "c@contoso.example", "x"))
		list, err := f.Records(f.ctx)
		f.ok(err)
		if len(list) != 3 || list[0].Mailbox != "c@contoso.example" || list[0].Works || list[1].Mailbox != "b@contoso.example" || !list[1].Works ||
			list[1].Accepted.Sub(list[2].Accepted) != time.Minute {
			t.Errorf("%+v", list)
		}
	})
}

// A mailbox whose pause is over has to show first that it works, unless that was
// long ago.
func TestAMailboxAfterAPauseIsNoRoadYet(t *testing.T) {
	conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
		f.put(mail())
		f.lock()
		c := f.claim()
		f.finish(c, unusable(c))
		for _, tt := range []struct {
			after time.Duration
			works bool
		}{{0, false}, {time.Hour, false}, {4 * time.Hour, true}} {
			f.clock.add(tt.after)
			list, err := f.Records(f.ctx)
			f.ok(err)
			if list[0].Works != tt.works {
				t.Errorf("%v later: %+v", tt.after, list)
			}
		}
	})
}

// A clock that is set loses no notice, keeps none waiting for the hour to come
// again, and lets none stay longer than it would have.
func TestAClockThatIsSetLosesNoNotice(t *testing.T) {
	const years = 10 * 365 * day
	for name, story := range map[string]struct{ before, after time.Duration }{
		"it happens while the clock is behind":               {-years, 0},
		"it happens while the clock is behind, and is right": {-years, years},
		"it happens while the clock is ahead":                {years, 0},
		"it happens while the clock is ahead, and is right":  {years, -years},
	} {
		t.Run(name, func(t *testing.T) {
			conform(t, outbox.Options{}, func(t *testing.T, f *fixture) {
				f.lock()
				f.clock.set(story.before)
				f.put(mail())
				c := f.claim()
				f.finish(c, unusable(c))
				f.clock.add(time.Minute)
				c = f.claim()
				f.finish(c, refused(c))
				f.ok(f.NoticesLater(f.ctx, notice.RoadCommand, f.listed(notice.RoadCommand)))
				f.clock.set(story.after)
				_, err := f.sender.Purge(f.ctx)
				f.ok(err)
				f.clock.add(2 * time.Minute)
				list := f.listed(notice.RoadCommand)
				if len(list) != 1 || story.after < 0 && (list[0].Since.After(f.clock.Now()) || list[0].Next.Sub(f.clock.Now()) > time.Hour) {
					t.Fatalf("at %v: %+v", f.clock.Now(), list)
				}
				for range 31 {
					f.clock.add(day)
					_, err := f.sender.Purge(f.ctx)
					f.ok(err)
				}
				if list := f.listed(notice.RoadCommand); len(list) != 0 {
					t.Errorf("after a month: %+v", list)
				}
			})
		})
	}
}
