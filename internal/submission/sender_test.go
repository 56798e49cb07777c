package submission_test

import (
	"context"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/bearer"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/submission"
)

// submitAll submits n messages with a Sender, each told of the next.
func submitAll(t *testing.T, s *submission.Sender, n int) []*submission.Receipt {
	t.Helper()
	var mails []*mailobject.Mail
	for range n {
		mails = append(mails, compose(t, "a@contoso.example"))
	}
	var receipts []*submission.Receipt
	policy := func(*mailobject.Mail) submission.Policy { return submission.Policy{FirstWait: time.Millisecond} }
	for m, r := range s.SubmitAll(t.Context(), slices.Values(mails), policy) {
		if m != mails[len(receipts)] {
			t.Errorf("message %d is not that of its receipt", len(receipts))
		}
		receipts = append(receipts, r)
	}
	return receipts
}

// A mail that was announced to the server and will not come leaves nothing there.
func TestSubmitAllThatIsStoppedSubmitsNoMore(t *testing.T) {
	s := &server{}
	sender := submission.NewSender(setup(t, s))
	defer sender.Close()
	taken := 0
	mails := func(yield func(*mailobject.Mail) bool) {
		for range 3 {
			taken++
			if !yield(compose(t, "a@contoso.example")) {
				return
			}
		}
	}
	for _, r := range sender.SubmitAll(t.Context(), mails, nil) {
		allAccepted(t, []*submission.Receipt{r})
		break
	}
	if taken != 2 || len(s.stored()) != 1 {
		t.Errorf("%d mails taken, %d stored, want 2 and 1", taken, len(s.stored()))
	}
	allAccepted(t, submitAll(t, sender, 1))
	if s.conns != 2 || len(s.stored()) != 2 {
		t.Errorf("%d connections, %d stored, want 2 and 2", s.conns, len(s.stored()))
	}
}

func allAccepted(t *testing.T, receipts []*submission.Receipt) {
	t.Helper()
	for i, r := range receipts {
		if !r.AllAccepted() {
			t.Errorf("message %d: %+v, err %v", i, r.Recipients, r.Err())
		}
	}
}

func TestSenderUsesOneSessionAndOneTurnAMessage(t *testing.T) {
	s := &server{}
	sender := submission.NewSender(setup(t, s))
	defer sender.Close()
	allAccepted(t, submitAll(t, sender, 20))
	if s.conns != 1 || s.turns > 28 || len(s.stored()) != 20 {
		t.Errorf("%d connections, %d turns, %d stored", s.conns, s.turns, len(s.stored()))
	}
}

func TestSenderGoesOnAfterASessionThatEnds(t *testing.T) {
	old := session.Timeouts{Session: time.Nanosecond}
	expired := &tokens{list: []bearer.Token{{Access: secret.New(accessToken), Expires: time.Now().Add(time.Second)}}}
	for name, tt := range map[string]struct {
		server *server
		change func(*session.Options)
		conns  int
		stored int
	}{
		"ten minutes old":    {&server{}, func(o *session.Options) { o.Timeouts = old }, 3, 3},
		"token at its end":   {&server{}, func(o *session.Options) { o.Tokens = expired }, 3, 3},
		"421 to MAIL":        {&server{sayOnce: map[string][]string{"mail": {"250 ok", "421 4.4.1 Session too long"}}}, nil, 2, 3},
		"421 to the dot":     {&server{sayOnce: map[string][]string{"dot": {"421 4.3.2 going away"}}}, nil, 2, 3},
		"refused in between": {&server{sayOnce: map[string][]string{"dot": {"250 ok", "554 5.6.0 bad"}}}, nil, 1, 2},
	} {
		t.Run(name, func(t *testing.T) {
			o := setup(t, tt.server)
			if tt.change != nil {
				tt.change(&o)
			}
			sender := submission.NewSender(o)
			defer sender.Close()
			receipts := submitAll(t, sender, 3)
			if tt.stored == 3 {
				allAccepted(t, receipts)
			}
			if tt.server.conns != tt.conns || len(tt.server.stored()) != tt.stored {
				t.Errorf("%d connections, %d stored, want %d and %d", tt.server.conns, len(tt.server.stored()), tt.conns, tt.stored)
			}
		})
	}
}

func TestSenderTakesANewSessionForOneThatWasCutWhileIdle(t *testing.T) {
	s := &server{}
	sender := submission.NewSender(setup(t, s))
	defer sender.Close()
	allAccepted(t, submitAll(t, sender, 1))
	s.mu.Lock()
	for _, c := range s.raw {
		c.Close()
	}
	s.mu.Unlock()
	receipts := submitAll(t, sender, 1)
	allAccepted(t, receipts)
	if s.conns != 2 || len(receipts[0].Attempts) != 1 {
		t.Errorf("%d connections, %d attempts, want 2 and 1", s.conns, len(receipts[0].Attempts))
	}
}

func TestSenderEndsAnIdleSession(t *testing.T) {
	quit := make(chan struct{})
	s := &server{onLine: func(line string) {
		if strings.HasPrefix(line, "QUIT") {
			close(quit)
		}
	}}
	o := setup(t, s)
	o.Timeouts.Idle = time.Millisecond
	sender := submission.NewSender(o)
	defer sender.Close()
	allAccepted(t, submitAll(t, sender, 1))
	<-quit
	if s.conns != 1 {
		t.Errorf("%d connections", s.conns)
	}
}

func TestContentGoesOutOnlyWhenAllowed(t *testing.T) {
	no := errors.New("a limit is reached")
	s := &server{}
	sender := submission.NewSender(setup(t, s))
	defer sender.Close()
	calls := 0
	policy := submission.Policy{Attempts: 1, BeforeContent: func(context.Context) error {
		calls++
		if calls == 1 {
			return no
		}
		return nil
	}}
	r := sender.Submit(t.Context(), compose(t, "a@contoso.example"), policy)
	if !errors.Is(r.Err(), no) || r.Err().Stage != smtp.StageData || r.Count(smtp.NotAttempted) != 1 || len(s.stored()) != 0 {
		t.Errorf("err %v, recipients %+v, %d stored", r.Err(), r.Recipients, len(s.stored()))
	}
	allAccepted(t, []*submission.Receipt{sender.Submit(t.Context(), compose(t, "a@contoso.example"), policy)})
	if calls != 2 || len(s.stored()) != 1 {
		t.Errorf("asked %d times, %d stored", calls, len(s.stored()))
	}
}
