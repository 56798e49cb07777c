package submission_test

import (
	"reflect"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/submission"
	"github.com/smtpsend/smtpsend/internal/transaction"
)

func TestMessageAfterARefusedResetIsNotSubmittedOnThatSession(t *testing.T) {
	for name, noPipelining := range map[string]bool{"group": false, "stepwise": true} {
		t.Run(name, func(t *testing.T) {
			// The server keeps a's transaction, and would add b to it.
			s := &server{sayOnce: map[string][]string{"data": {"451 4.3.0 later"}}, say: map[string]string{"rset": "502 5.5.1 no"}}
			o := setup(t, s)
			o.NoPipelining = noPipelining
			conn, err := session.Connect(t.Context(), o, time.Time{})
			if err != nil {
				t.Fatal(err)
			}
			pipeline := transaction.NewPipeline(conn)
			defer pipeline.Close()
			first := pipeline.Transact(t.Context(), time.Time{}, compose(t, "a@contoso.example"), nil)
			second := pipeline.Transact(t.Context(), time.Time{}, compose(t, "b@contoso.example"), nil)
			if first.Recipients[0].Outcome != smtp.Transient || second.Recipients[0].Outcome != smtp.NotAttempted {
				t.Errorf("first %+v, second %+v", first.Recipients, second.Recipients)
			}
			if pipeline.Usable() || second.Err == nil || second.Err.Reply.Code != 502 || len(s.stored()) != 0 {
				t.Errorf("usable %v, err %v, stored %+v", pipeline.Usable(), second.Err, s.stored())
			}
		})
	}
}

func TestSenderTakesANewSessionWhenTheOldOneIsSpent(t *testing.T) {
	for name, s := range map[string]*server{
		"RSET refused": {sayOnce: map[string][]string{"data": {"554 5.5.0 not this one"}}, say: map[string]string{"rset": "502 5.5.1 no"}},
		"stray reply":  {sayOnce: map[string][]string{"dot": {"250 2.0.0 OK\r\n554 5.0.0 stray"}}},
		"421 to MAIL":  {sayOnce: map[string][]string{"mail": {"250 ok", "421 4.4.2 idle too long"}}},
	} {
		t.Run(name, func(t *testing.T) {
			sender := submission.NewSender(setup(t, s))
			defer sender.Close()
			sender.Submit(t.Context(), compose(t, "a@contoso.example"), once)
			r := sender.Submit(t.Context(), compose(t, "b@contoso.example"), once)
			if !r.AllAccepted() || s.conns != 2 {
				t.Errorf("%+v after %d connections, err %v", r.Recipients, s.conns, r.Err())
			}
		})
	}
}

func TestOneReplyTooManyLeavesNobodyRefused(t *testing.T) {
	// The second reply to MAIL is a's, and a's would be b's.
	s := &server{say: map[string]string{"mail": "250 2.1.0 ok\r\n550 5.1.1 stray"}}
	r := submission.Submit(t.Context(), setup(t, s), compose(t, "a@contoso.example", "b@contoso.example"), once)
	if r.Count(smtp.NotAttempted) != 2 || r.Err() == nil || len(s.stored()) != 0 {
		t.Errorf("recipients %+v, err %v", r.Recipients, r.Err())
	}
}

func TestAcceptanceBehindARefusedMailEndsTheSession(t *testing.T) {
	s := &server{sayOnce: map[string][]string{"mail": {"451 4.3.0 later\r\n250 2.1.0 stray"}}}
	conn, err := session.Connect(t.Context(), setup(t, s), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	pipeline := transaction.NewPipeline(conn)
	defer pipeline.Close()
	res := pipeline.Transact(t.Context(), time.Time{}, compose(t, "a@contoso.example"), nil)
	if res.Recipients[0].Outcome != smtp.Transient || pipeline.Usable() {
		t.Errorf("recipients %+v, usable %v", res.Recipients, pipeline.Usable())
	}
}

func TestDeferredRecipientBehindARefusedOneIsTriedAgain(t *testing.T) {
	s := &server{rcpt: map[string]string{"a@contoso.example": "550 5.1.1 unknown"}, sayOnce: map[string][]string{"rcpt": {"550 5.1.1 unknown", "451 4.3.0 later"}}}
	r := submission.Submit(t.Context(), setup(t, s), compose(t, "a@contoso.example", "b@contoso.example"),
		submission.Policy{FirstWait: time.Millisecond})
	want := map[string]smtp.Outcome{"a@contoso.example": smtp.Permanent, "b@contoso.example": smtp.Accepted}
	if got := outcomes(r.Recipients); !reflect.DeepEqual(got, want) || len(r.Attempts) != 2 {
		t.Errorf("outcomes %v after %d attempts, want %v", got, len(r.Attempts), want)
	}
}

func TestRecipientsTooManyGoBeforeTheNextMessage(t *testing.T) {
	s := &server{maxRcpt: 2}
	conn, err := session.Connect(t.Context(), setup(t, s), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	pipeline := transaction.NewPipeline(conn)
	defer pipeline.Close()
	second := compose(t, "z@contoso.example")
	res := pipeline.Transact(t.Context(), time.Time{}, compose(t, "a@contoso.example", "b@contoso.example", "c@contoso.example"), func() *mailobject.Mail { return second })
	if res.Err != nil || res.Recipients[len(res.Recipients)-1].Outcome != smtp.Accepted {
		t.Errorf("first message: %+v, err %v", res.Recipients, res.Err)
	}
	if res := pipeline.Transact(t.Context(), time.Time{}, second, nil); res.Err != nil {
		t.Errorf("second message: %v", res.Err)
	}
	if got := len(s.stored()); got != 3 {
		t.Errorf("%d transactions are stored, want 3", got)
	}
}
