package submission_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/bearer"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	mail "github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/submission"
	"github.com/smtpsend/smtpsend/internal/transaction"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

const (
	mailbox     = "noreply@contoso.example"
	accessToken = "eyJ0eXAiOiJKV1QifQ.S3CRET-T0KEN.c2ln"
)

// tokens is a TokenSource of fixed tokens.
type tokens struct {
	list        []bearer.Token // one a call, the last for ever
	err         error
	called      int
	invalidated []bearer.Token
	before      func(ctx context.Context) error
}

func (s *tokens) Token(ctx context.Context) (bearer.Token, error) {
	if s.before != nil {
		if err := s.before(ctx); err != nil {
			return bearer.Token{}, err
		}
	}
	if s.err != nil {
		return bearer.Token{}, s.err
	}
	t := s.list[min(s.called, len(s.list)-1)]
	s.called++
	return t, nil
}

func (s *tokens) Invalidate(t bearer.Token) { s.invalidated = append(s.invalidated, t) }

func oneToken() *tokens {
	return &tokens{list: []bearer.Token{{Access: secret.New(accessToken)}}}
}

// setup starts s and returns options that lead to it.
func setup(t *testing.T, s *server) session.Options {
	t.Helper()
	host, port, roots := s.start(t)
	return session.Options{Host: host, Port: port, RootCAs: roots, Mailbox: mailbox, Tokens: oneToken(), EHLOName: "client.example"}
}

func compose(t *testing.T, to ...string) *mailobject.Mail {
	t.Helper()
	return composeDraft(t, mail.Draft{Subject: "hi", Text: "first\n.dot at the start\n..two\nlast\n"}, to...)
}

func composeDraft(t *testing.T, d mail.Draft, to ...string) *mailobject.Mail {
	t.Helper()
	var err error
	if d.From, err = address.Parse("From", mailbox); err != nil {
		t.Fatal(err)
	}
	for _, a := range to {
		parsed, err := address.Parse("To", a)
		if err != nil {
			t.Fatal(err)
		}
		d.To = append(d.To, parsed)
	}
	m, err := mail.Compose(t.Context(), d)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { m.Close() })
	return m.Mail
}

func contentOf(t *testing.T, m *mailobject.Mail) string {
	t.Helper()
	var b strings.Builder
	if _, err := m.Content.WriteTo(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

// outcomes maps forward-paths to outcomes.
func outcomes(list []smtp.Recipient) map[string]smtp.Outcome {
	m := make(map[string]smtp.Outcome)
	for _, r := range list {
		m[r.ForwardPath] = r.Outcome
	}
	return m
}

var once = submission.Policy{Attempts: 1}

func TestSubmitSpeaksThisDialogueInEightTurns(t *testing.T) {
	s := &server{}
	o := setup(t, s)
	m := compose(t, "a@contoso.example", "b@contoso.example")
	r := submission.Submit(t.Context(), o, m, once)

	want := []string{
		"EHLO client.example", "STARTTLS", "EHLO client.example",
		"AUTH XOAUTH2 dXNlcj1ub3JlcGx5QGNvbnRvc28uZXhhbXBsZQFhdXRoPUJlYXJlciBleUowZVhBaU9pSktWMVFpZlEuUzNDUkVULVQwS0VOLmMybG4BAQ==",
		fmt.Sprintf("MAIL FROM:<%s> SIZE=%d", mailbox, m.Content.Size()),
		"RCPT TO:<a@contoso.example>", "RCPT TO:<b@contoso.example>", "DATA",
	}
	if got := slices.DeleteFunc(s.commands(), func(l string) bool { return l == "QUIT" }); !reflect.DeepEqual(got, want) {
		t.Errorf("commands:\n%s\nwant:\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	if !r.AllAccepted() || r.Err() != nil {
		t.Fatalf("receipt: %+v, err %v", r.Recipients, r.Err())
	}
	stored := s.stored()
	if len(stored) != 1 || stored[0].content != contentOf(t, m) || int64(len(stored[0].content)) != m.Content.Size() {
		t.Errorf("stored %q, want %q", stored, contentOf(t, m))
	}
	if s.turns != 8 {
		t.Errorf("%d turns, want 8", s.turns)
	}
	if r.QueueID != "<0@lab>" || r.Hostname != "LAB.prod.outlook.com" || r.MessageID != m.MessageID {
		t.Errorf("receipt names %q, %q, %q", r.QueueID, r.Hostname, r.MessageID)
	}
}

func TestNoPipeliningSendsOneCommandAtATime(t *testing.T) {
	s := &server{rcpt: map[string]string{"b@contoso.example": "550 5.1.1 unknown"}}
	o := setup(t, s)
	o.NoPipelining = true
	r := submission.Submit(t.Context(), o, compose(t, "a@contoso.example", "b@contoso.example", "c@contoso.example"), once)
	want := map[string]smtp.Outcome{
		"a@contoso.example": smtp.Accepted, "b@contoso.example": smtp.Permanent, "c@contoso.example": smtp.Accepted,
	}
	if got := outcomes(r.Recipients); !reflect.DeepEqual(got, want) {
		t.Errorf("outcomes %v, want %v", got, want)
	}
	if s.turns != 6+5+1 { // set-up; MAIL, three RCPT, DATA; content
		t.Errorf("%d turns, want 12", s.turns)
	}
}

func TestSomeRecipientsRefused(t *testing.T) {
	s := &server{rcpt: map[string]string{"b@contoso.example": "550 5.1.1 unknown", "c@contoso.example": "451 4.3.0 later"}}
	r := submission.Submit(t.Context(), setup(t, s), compose(t, "a@contoso.example", "b@contoso.example", "c@contoso.example"), once)
	want := map[string]smtp.Outcome{
		"a@contoso.example": smtp.Accepted, "b@contoso.example": smtp.Permanent, "c@contoso.example": smtp.Transient,
	}
	if got := outcomes(r.Recipients); !reflect.DeepEqual(got, want) {
		t.Errorf("outcomes %v, want %v", got, want)
	}
	if got := s.stored(); len(got) != 1 || !reflect.DeepEqual(got[0].to, []string{"a@contoso.example"}) {
		t.Errorf("stored %+v", got)
	}
}

func TestDeferredRecipientIsTriedAgainAlone(t *testing.T) {
	s := &server{sayOnce: map[string][]string{"rcpt": {"250 2.1.5 ok", "451 4.3.0 later"}}}
	r := submission.Submit(t.Context(), setup(t, s), compose(t, "a@contoso.example", "b@contoso.example"),
		submission.Policy{FirstWait: time.Millisecond})
	if !r.AllAccepted() || len(r.Attempts) != 2 {
		t.Fatalf("receipt %+v after %d attempts", r.Recipients, len(r.Attempts))
	}
	got := s.stored()
	if len(got) != 2 || !reflect.DeepEqual(got[1].to, []string{"b@contoso.example"}) || got[0].content != got[1].content {
		t.Errorf("stored %+v", got)
	}
}

func TestAllRefusedEndsWithoutContent(t *testing.T) {
	for name, data := range map[string]string{"DATA refused": "", "DATA taken": "354 go on"} {
		t.Run(name, func(t *testing.T) {
			s := &server{rcpt: map[string]string{"a@contoso.example": "550 5.1.1 unknown"}, say: map[string]string{}}
			if data != "" {
				s.say["data"] = data
			}
			r := submission.Submit(t.Context(), setup(t, s), compose(t, "a@contoso.example"), once)
			if r.Count(smtp.Permanent) != 1 || r.Err() == nil || r.Err().Stage != smtp.StageRcpt || r.Err().Reply.Code != 550 {
				t.Errorf("recipients %+v, err %v", r.Recipients, r.Err())
			}
			for _, m := range s.stored() {
				if m.content != "" {
					t.Errorf("server has content %q", m.content)
				}
			}
			if (len(r.Notes) == 1) != (data != "") {
				t.Errorf("notes %q", r.Notes)
			}
		})
	}
}

func TestConnectionLostAfterARefusalDoesNotHideIt(t *testing.T) {
	s := &server{rcpt: map[string]string{"a@contoso.example": "550 5.1.1 unknown"}, closeAt: "data"}
	r := submission.Submit(t.Context(), setup(t, s), compose(t, "a@contoso.example"), once)
	if e := r.Err(); r.Count(smtp.Permanent) != 1 || e == nil || e.Stage != smtp.StageRcpt || e.Reply.Code != 550 {
		t.Errorf("recipients %+v, err %v", r.Recipients, e)
	}
}

func TestAllOrNone(t *testing.T) {
	s := &server{rcpt: map[string]string{"b@contoso.example": "550 5.1.1 unknown"}}
	o := setup(t, s)
	o.AllOrNone = true
	r := submission.Submit(t.Context(), o, compose(t, "a@contoso.example", "b@contoso.example"), once)
	want := map[string]smtp.Outcome{"a@contoso.example": smtp.NotAttempted, "b@contoso.example": smtp.Permanent}
	if got := outcomes(r.Recipients); !reflect.DeepEqual(got, want) || len(s.stored()) != 0 {
		t.Errorf("outcomes %v, want %v; stored %d", got, want, len(s.stored()))
	}
	if !errors.Is(r.Err(), transaction.ErrNotAll) {
		t.Errorf("err %v, want ErrNotAll", r.Err())
	}
	ok := submission.Submit(t.Context(), o, compose(t, "a@contoso.example"), once)
	if !ok.AllAccepted() {
		t.Errorf("with good recipients only: %+v", ok.Recipients)
	}
}

func TestContentThatFailsIsNeverEnded(t *testing.T) {
	s := &server{}
	o := setup(t, s)
	file := filepath.Join(t.TempDir(), "a.bin")
	if err := os.WriteFile(file, make([]byte, 1<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	m := composeDraft(t, mail.Draft{Subject: "x", Text: "x", Attachments: []mail.Attachment{{Path: file}}}, mailbox)
	if err := os.Truncate(file, 1000); err != nil {
		t.Fatal(err)
	}
	r := submission.Submit(t.Context(), o, m, once)
	var fileError *badinput.FileError
	if !errors.As(r.Err(), &fileError) || r.Err().Stage != smtp.StageContent || r.Count(smtp.NotAttempted) != 1 {
		t.Errorf("err %v, recipients %+v", r.Err(), r.Recipients)
	}
	if got := s.stored(); len(got) != 0 {
		t.Errorf("server accepted %d octets of a truncated message", len(got[0].content))
	}
}

func TestSilenceAfterTheDotIsDoubtAndNotTriedAgain(t *testing.T) {
	for name, s := range map[string]*server{
		"closed":   {closeAt: "dot"},
		"garbage":  {say: map[string]string{"dot": "oops"}},
		"mixed":    {say: map[string]string{"dot": "250-a\r\n550 b"}},
		"silent":   {silentAt: "dot"},
		"3yz":      {say: map[string]string{"dot": "354 more"}},
		"too long": {say: map[string]string{"dot": "250 " + strings.Repeat("x", 1<<20)}},
	} {
		t.Run(name, func(t *testing.T) {
			o := setup(t, s)
			o.Timeouts.Dot = 50 * time.Millisecond
			r := submission.Submit(t.Context(), o, compose(t, "a@contoso.example"), submission.Policy{FirstWait: time.Millisecond})
			if r.Count(smtp.InDoubt) != 1 || len(r.Attempts) != 1 || r.Err().Stage != smtp.StageContent {
				t.Errorf("recipients %+v after %d attempts, err %v", r.Recipients, len(r.Attempts), r.Err())
			}
		})
	}
}

func TestInterruptedAtTheDotIsDoubt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	s := &server{silentAt: "dot"}
	o := setup(t, s)
	o.Trace = func(line string) {
		if line == "C: ." {
			cancel()
		}
	}
	r := submission.Submit(ctx, o, compose(t, "a@contoso.example"), once)
	// The dot may or may not have left before the cut; what must not be is a
	// definite outcome that the server does not know of.
	if o := r.Recipients[0].Outcome; o != smtp.InDoubt && o != smtp.NotAttempted {
		t.Errorf("outcome %v", o)
	}
	if r.Err() == nil || !r.Err().Interrupted() {
		t.Errorf("err %v, want interrupted", r.Err())
	}
}

// within calls try with deadlines that are ever later, until the final dot was
// reached before one: how long that takes depends on the machine.
func within(t *testing.T, try func(d time.Duration) (reached bool)) {
	t.Helper()
	for d := 250 * time.Millisecond; !try(d); d *= 4 {
		if d > time.Minute {
			t.Fatalf("the final dot was not reached in %v", d)
		}
	}
}

func TestDeadlineDoesNotCutTheWaitForTheFinalReply(t *testing.T) {
	t.Parallel()
	within(t, func(d time.Duration) bool {
		var reached atomic.Bool
		deadline := time.Now().Add(d)
		passed, cancel := context.WithDeadline(t.Context(), deadline)
		defer cancel()
		s := &server{beforeDot: func() { reached.Store(passed.Err() == nil); <-passed.Done() }}
		r := submission.Submit(t.Context(), setup(t, s), compose(t, "a@contoso.example"), submission.Policy{Attempts: 1, Deadline: deadline})
		if reached.Load() && !r.AllAccepted() {
			t.Errorf("recipients %+v, err %v", r.Recipients, r.Err())
		}
		return reached.Load()
	})
}

func TestTransientReplyToTheDotIsTriedAgainWithTheSameMessageID(t *testing.T) {
	s := &server{sayOnce: map[string][]string{"dot": {"432 4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending for more information. [Hostname=X]"}}}
	var waits []string
	r := submission.Submit(t.Context(), setup(t, s), compose(t, "a@contoso.example"), submission.Policy{
		FirstWait: time.Millisecond, Waiting: func(_ time.Duration, f diagnosis.Finding) { waits = append(waits, f.Code) },
	})
	if !r.AllAccepted() || len(r.Attempts) != 2 || r.Attempts[0].Err.Reply.Code != 432 {
		t.Fatalf("recipients %+v, attempts %+v", r.Recipients, r.Attempts)
	}
	if !reflect.DeepEqual(waits, []string{"concurrent-connections"}) {
		t.Errorf("waited because of %v", waits)
	}
	if got := s.stored(); len(got) != 1 || !strings.Contains(got[0].content, r.MessageID) {
		t.Errorf("stored %+v", got)
	}
}

// TestTimeLimitDoesNotHideWhyItWasTriedAgain: a further attempt that our time
// limit cuts, wherever it is, leaves the words that made it needed.
func TestTimeLimitDoesNotHideWhyItWasTriedAgain(t *testing.T) {
	for _, stop := range []string{"EHLO", "MAIL", "DATA"} {
		t.Run(stop, func(t *testing.T) {
			t.Parallel()
			ended := make(chan struct{})
			var seen atomic.Int32
			s := &server{say: map[string]string{"dot": "451 4.7.1 greylisted"}, onLine: func(line string) {
				if strings.HasPrefix(line, "EHLO") {
					seen.Add(1)
				}
				if seen.Load() > 2 && strings.HasPrefix(line, stop) { // the second connection
					<-ended
				}
			}}
			o := setup(t, s)
			t.Cleanup(func() { close(ended) })
			r := submission.Submit(t.Context(), o, compose(t, "a@contoso.example"), submission.Policy{
				FirstWait: time.Millisecond, Deadline: time.Now().Add(4 * time.Second),
			})
			if len(r.Attempts) != 2 || r.Err() == nil || r.Err().Reply.Code != 451 || r.Err().Stage != smtp.StageContent {
				t.Errorf("%d attempts, err %v", len(r.Attempts), r.Err())
			}
			if got := r.Recipients[0]; got.Outcome != smtp.Transient || got.Reply.Code != 451 {
				t.Errorf("recipient %+v", got)
			}
		})
	}
}

// TestStaleTokenIsNoRefusal: only what is said to a fresh token is believed, so
// no time for one leaves nothing but that.
func TestStaleTokenIsNoRefusal(t *testing.T) {
	t.Parallel()
	ended := make(chan struct{})
	var seen atomic.Int32
	s := &server{say: map[string]string{"auth": "535 5.7.3 Authentication unsuccessful"}, onLine: func(line string) {
		if strings.HasPrefix(line, "EHLO") {
			seen.Add(1)
		}
		if seen.Load() > 2 { // the second connection
			<-ended
		}
	}}
	o := setup(t, s)
	o.Tokens = &tokens{list: []bearer.Token{{Access: secret.New("stale"), FromCache: true}, {Access: secret.New("fresh")}}}
	t.Cleanup(func() { close(ended) })
	e := submission.Submit(t.Context(), o, compose(t, "a@contoso.example"), submission.Policy{Deadline: time.Now().Add(3 * time.Second)}).Err()
	if e == nil || !e.Reply.IsZero() || e.Stage != smtp.StageEHLO || e.Fault != smtp.FaultConnectionTimeout {
		t.Errorf("err %v", e)
	}
}

func TestPermanentRefusalIsNotTriedAgain(t *testing.T) {
	for stage, s := range map[smtp.Stage]*server{
		smtp.StageMail:    {say: map[string]string{"mail": "550 5.1.8 Access denied, bad outbound sender"}},
		smtp.StageData:    {say: map[string]string{"data": "554 5.5.1 no"}},
		smtp.StageContent: {say: map[string]string{"dot": "554 5.2.252 SendAsDenied; a not allowed to send as b"}},
		smtp.StageAuth:    {say: map[string]string{"auth": "535 5.7.3 Authentication unsuccessful"}},
	} {
		t.Run(string(stage), func(t *testing.T) {
			r := submission.Submit(t.Context(), setup(t, s), compose(t, "a@contoso.example"), submission.Policy{FirstWait: time.Millisecond})
			if len(r.Attempts) != 1 || r.Err() == nil || r.Err().Stage != stage || len(s.stored()) != 0 {
				t.Errorf("%d attempts, err %v", len(r.Attempts), r.Err())
			}
		})
	}
}

func TestManyMessagesOnOneSessionCostOneTurnEach(t *testing.T) {
	s := &server{}
	conn, err := session.Connect(t.Context(), setup(t, s), time.Time{})
	if err != nil {
		t.Fatal(err)
	}
	pipeline := transaction.NewPipeline(conn)
	defer pipeline.Close()
	var mails []*mailobject.Mail
	for range 20 {
		mails = append(mails, compose(t, "a@contoso.example"))
	}
	for i, m := range mails {
		res := pipeline.Transact(t.Context(), time.Time{}, m, func() *mailobject.Mail {
			if i+1 < len(mails) {
				return mails[i+1]
			}
			return nil
		})
		if res.Err != nil || res.Recipients[0].Outcome != smtp.Accepted {
			t.Fatalf("message %d: %+v", i, res)
		}
	}
	stored := s.stored()
	for i, m := range mails {
		if stored[i].content != contentOf(t, m) {
			t.Errorf("message %d differs", i)
		}
	}
	if s.turns > 28 {
		t.Errorf("%d turns for 20 messages, want at most 28", s.turns)
	}
}

func TestManyRecipientsAreSplitOverTransactions(t *testing.T) {
	var to []string
	for i := range 1100 {
		to = append(to, fmt.Sprintf("r%d@contoso.example", i))
	}
	s := &server{}
	r := submission.Submit(t.Context(), setup(t, s), compose(t, to...), once)
	if !r.AllAccepted() || len(s.stored()) != 3 {
		t.Errorf("%d of %d accepted in %d transactions", r.Count(smtp.Accepted), len(to), len(s.stored()))
	}
	var got []string
	for _, m := range s.stored() {
		got = append(got, m.to...)
	}
	if !reflect.DeepEqual(got, to) {
		t.Errorf("recipients in the transactions differ: %d", len(got))
	}
}

func TestTooManyRecipientsGoIntoTheNextTransaction(t *testing.T) {
	s := &server{maxRcpt: 2}
	r := submission.Submit(t.Context(), setup(t, s), compose(t, "a@x.example", "b@x.example", "c@x.example", "d@x.example", "e@x.example"), once)
	if !r.AllAccepted() || len(s.stored()) != 3 || len(r.Attempts) != 1 {
		t.Errorf("recipients %+v in %d transactions", r.Recipients, len(s.stored()))
	}
}

func TestInterruptedWhileWaitingForAnotherAttempt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s := &server{say: map[string]string{"dot": "451 4.3.0 later"}}
	p := submission.Policy{FirstWait: time.Hour, Waiting: func(time.Duration, diagnosis.Finding) { cancel() }}
	o := setup(t, s)
	r := submission.Submit(ctx, o, compose(t, "a@contoso.example"), p)
	if !r.Interrupted() || len(r.Attempts) != 1 || r.Count(smtp.Transient) != 1 {
		t.Errorf("interrupted %v, %d attempts, recipients %+v", r.Interrupted(), len(r.Attempts), r.Recipients)
	}
	r = submission.Submit(t.Context(), o, compose(t, "a@contoso.example"), once)
	if r.Interrupted() {
		t.Error("nobody interrupted it")
	}
}
