package submission_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/mailobject"
	mail "github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/submission"
)

// withChunking offers CHUNKING as Exchange does.
var withChunking = append([]string{"CHUNKING"}, replaceExt(exchangeExt, "STARTTLS", "AUTH LOGIN XOAUTH2")...)

// chunking is a server that offers CHUNKING and otherwise is s.
func chunking(s *server) *server {
	s.extTLS = withChunking
	return s
}

// verbs are the first words of the commands of all connections from MAIL on.
func verbs(s *server) string {
	var list []string
	for _, line := range s.commands() {
		verb, _, _ := strings.Cut(line, " ")
		switch strings.ToUpper(verb) {
		case "MAIL", "RCPT", "DATA", "BDAT", "RSET":
			list = append(list, verb)
		}
	}
	return strings.Join(list, " ")
}

func TestOneMessageTakesSevenTurns(t *testing.T) {
	s := chunking(&server{})
	m := compose(t, "a@contoso.example", "b@contoso.example")
	r := submission.Submit(t.Context(), setup(t, s), m, submission.Policy{})
	want := fmt.Sprintf("BDAT %d LAST", m.Content.Size())
	if got := s.commands(); !slices.Contains(got, want) || slices.Contains(got, "DATA") {
		t.Errorf("dialogue %q lacks %q, or has DATA", got, want)
	}
	if s.turns != 7 { // connect, EHLO, STARTTLS, TLS, EHLO, AUTH, MAIL+RCPT+BDAT
		t.Errorf("%d turns, want 7", s.turns)
	}
	if stored := s.stored(); len(stored) != 1 || stored[0].content != contentOf(t, m) || len(stored[0].to) != 2 {
		t.Errorf("stored %+v", stored)
	}
	if !r.AllAccepted() || r.QueueID != "<0@lab>" || r.Reply.Code != 250 {
		t.Errorf("receipt %+v", r)
	}
}

func TestManyMessagesByChunksCostOneTurnEach(t *testing.T) {
	s := chunking(&server{})
	sender := submission.NewSender(setup(t, s))
	defer sender.Close()
	allAccepted(t, submitAll(t, sender, 20))
	if s.conns != 1 || s.turns != 6+20 || len(s.stored()) != 20 {
		t.Errorf("%d connections, %d turns, %d stored", s.conns, s.turns, len(s.stored()))
	}
}

// A large message and a small one: the small one's MAIL does not go with the dot of
// the large one, because its content goes with it.
func TestChunkAfterAFinalDotIsATurnOfItsOwn(t *testing.T) {
	s := chunking(&server{})
	sender := submission.NewSender(setup(t, s))
	defer sender.Close()
	mails := []*mailobject.Mail{
		composeDraft(t, mail.Draft{Text: strings.Repeat("large. ", 20000)}, "a@contoso.example"), compose(t, "b@contoso.example"),
		composeDraft(t, mail.Draft{Text: strings.Repeat("large. ", 20000)}, "c@contoso.example"),
	}
	for _, r := range sender.SubmitAll(t.Context(), slices.Values(mails), nil) {
		allAccepted(t, []*submission.Receipt{r})
	}
	if got, want := verbs(s), "MAIL RCPT DATA MAIL RCPT BDAT MAIL RCPT DATA"; got != want {
		t.Errorf("dialogue %q, want %q", got, want)
	}
	for i, m := range mails {
		if s.stored()[i].content != contentOf(t, m) {
			t.Errorf("message %d differs", i)
		}
	}
}

func TestContentWaitsForDATA(t *testing.T) {
	for name, tt := range map[string]struct {
		server *server
		change func(*session.Options)
		draft  mail.Draft
	}{
		"not offered":           {&server{}, nil, mail.Draft{}},
		"not wanted":            {chunking(&server{}), func(o *session.Options) { o.NoChunking = true }, mail.Draft{}},
		"one command at a time": {chunking(&server{}), func(o *session.Options) { o.NoPipelining = true }, mail.Draft{}},
		"no PIPELINING":         {&server{extTLS: replaceExt(withChunking, "PIPELINING", "")}, nil, mail.Draft{}},
		"all or none":           {chunking(&server{}), func(o *session.Options) { o.AllOrNone = true }, mail.Draft{}},
		"large":                 {chunking(&server{}), nil, mail.Draft{Text: strings.Repeat("x", 64<<10)}},
		"silent for too long":   {chunking(&server{}), func(o *session.Options) { o.Timeouts.Fresh = time.Nanosecond }, mail.Draft{}},
		"reads as commands":     {chunking(&server{}), nil, mail.Draft{Text: "Then type\n  data\nand the text.\n"}},
	} {
		t.Run(name, func(t *testing.T) {
			o := setup(t, tt.server)
			if tt.change != nil {
				tt.change(&o)
			}
			m := composeDraft(t, tt.draft, "a@contoso.example")
			r := submission.Submit(t.Context(), o, m, once)
			if got := verbs(tt.server); !r.AllAccepted() || got != "MAIL RCPT DATA" || tt.server.stored()[0].content != contentOf(t, m) {
				t.Errorf("dialogue %q, recipients %+v, err %v", got, r.Recipients, r.Err())
			}
		})
	}
}

// What a reply means for each recipient, in one attempt.
func TestOutcomesWithBDAT(t *testing.T) {
	const a, b = "a@contoso.example", "b@contoso.example"
	type outcome = map[string]smtp.Outcome
	both := func(o smtp.Outcome) outcome { return outcome{a: o, b: o} }
	for name, tt := range map[string]struct {
		server *server
		want   outcome
		stored int
		stage  smtp.Stage // of the error, "" when there is none
	}{
		"accepted":                      {&server{}, both(smtp.Accepted), 1, ""},
		"MAIL refused":                  {&server{say: map[string]string{"mail": "550 5.7.60 no", "rcpt": "503 5.5.2 no", "bdat": "503 5.5.2 no"}}, both(smtp.Permanent), 0, smtp.StageMail},
		"MAIL deferred":                 {&server{say: map[string]string{"mail": "451 4.3.0 later", "rcpt": "503 5.5.2 no", "bdat": "503 5.5.2 no"}}, both(smtp.Transient), 0, smtp.StageMail},
		"MAIL refused and then closed":  {&server{say: map[string]string{"mail": "550 5.7.60 no"}, closeAt: "rcpt"}, both(smtp.Permanent), 0, smtp.StageMail},
		"MAIL refused, RCPT accepted":   {&server{say: map[string]string{"mail": "451 4.3.0 later\r\n250 2.1.0 stray"}}, both(smtp.InDoubt), 1, smtp.StageMail},
		"421 to MAIL":                   {&server{say: map[string]string{"mail": "421 4.3.2 leaving"}}, both(smtp.Transient), 0, smtp.StageMail},
		"one refused":                   {&server{rcpt: map[string]string{a: "550 5.1.1 unknown"}}, outcome{a: smtp.Permanent, b: smtp.Accepted}, 1, ""},
		"one refused, content too":      {&server{rcpt: map[string]string{a: "550 5.1.1 unknown"}, say: map[string]string{"bdat": "451 4.3.0 later"}}, outcome{a: smtp.Permanent, b: smtp.Transient}, 0, smtp.StageContent},
		"one refused, then silence":     {&server{rcpt: map[string]string{a: "550 5.1.1 unknown"}, closeAt: "bdat"}, outcome{a: smtp.Permanent, b: smtp.InDoubt}, 0, smtp.StageContent},
		"all refused":                   {&server{rcpt: map[string]string{a: "550 5.1.1 unknown", b: "550 5.1.1 unknown"}}, both(smtp.Permanent), 0, smtp.StageRcpt},
		"all refused, content accepted": {&server{rcpt: map[string]string{a: "550 5.1.1 unknown", b: "550 5.1.1 unknown"}, say: map[string]string{"bdat": "250 2.0.0 OK"}}, both(smtp.InDoubt), 0, smtp.StageContent},
		"all refused, then closed":      {&server{rcpt: map[string]string{a: "550 5.1.1 unknown", b: "451 4.3.0 later"}, closeAt: "bdat"}, outcome{a: smtp.Permanent, b: smtp.Transient}, 0, smtp.StageRcpt},
		"421 to RCPT":                   {&server{rcpt: map[string]string{a: "421 4.3.2 leaving"}}, outcome{a: smtp.Transient, b: smtp.NotAttempted}, 0, smtp.StageRcpt},
		"3yz to RCPT":                   {&server{rcpt: map[string]string{a: "354 what"}}, both(smtp.InDoubt), 1, smtp.StageRcpt},
		"deferred":                      {&server{say: map[string]string{"bdat": "451 4.3.0 later"}}, both(smtp.Transient), 0, smtp.StageContent},
		"refused":                       {&server{say: map[string]string{"bdat": "554 5.2.252 SendAsDenied"}}, both(smtp.Permanent), 0, smtp.StageContent},
		"too large for the mailbox":     {&server{say: map[string]string{"bdat": "552 5.2.2 quota"}}, both(smtp.Permanent), 0, smtp.StageContent},
		"421 to the content":            {&server{say: map[string]string{"bdat": "421 4.3.2 leaving"}}, both(smtp.Transient), 0, smtp.StageContent},
		"354 to the content":            {&server{say: map[string]string{"bdat": "354 go on"}}, both(smtp.InDoubt), 0, smtp.StageContent},
		"a reply too many before":       {&server{say: map[string]string{"mail": "250 2.1.0 ok\r\n250 2.1.0 stray"}}, both(smtp.InDoubt), 1, smtp.StageContent},
		"accepted, then 421":            {&server{say: map[string]string{"bdat": "250 2.0.0 OK\r\n421 4.3.2 leaving"}}, both(smtp.InDoubt), 1, smtp.StageContent},
		"refusal too many, then 421":    {&server{say: map[string]string{"rcpt": "250 ok"}, sayOnce: map[string][]string{"mail": {"250 ok\r\n550 no"}, "bdat": {"421 leaving"}}}, both(smtp.InDoubt), 0, smtp.StageContent},
		"the reply to an address":       {&server{say: map[string]string{"bdat": "250 2.1.5 Recipient OK"}}, both(smtp.InDoubt), 1, smtp.StageContent},
		"a refusal too many before":     {&server{sayOnce: map[string][]string{"mail": {"250 2.1.0 ok\r\n550 5.1.1 stray"}}}, both(smtp.InDoubt), 1, smtp.StageContent},
		"closed without a word":         {&server{closeAt: "mail"}, both(smtp.InDoubt), 0, smtp.StageMail},
		"closed at RCPT":                {&server{closeAt: "rcpt"}, both(smtp.InDoubt), 0, smtp.StageRcpt},
		"half a reply":                  {&server{halfAt: "bdat"}, both(smtp.InDoubt), 0, smtp.StageContent},
		"reply lost":                    {&server{closeAt: "bdat"}, both(smtp.InDoubt), 0, smtp.StageContent},
	} {
		t.Run(name, func(t *testing.T) {
			s := chunking(tt.server)
			r := submission.Submit(t.Context(), setup(t, s), compose(t, a, b), once)
			if got := outcomes(r.Recipients); !reflect.DeepEqual(got, tt.want) {
				t.Errorf("outcomes %v, want %v; err %v", got, tt.want, r.Err())
			}
			if len(s.stored()) != tt.stored {
				t.Errorf("%d stored, want %d", len(s.stored()), tt.stored)
			}
			e := r.Err()
			if (e == nil) != (tt.stage == "") || (e != nil && e.Stage != tt.stage) {
				t.Errorf("err %v, want stage %q", e, tt.stage)
			}
			doubt := r.Count(smtp.InDoubt) > 0
			if e != nil && e.InDoubt != doubt {
				t.Errorf("the error says in doubt: %v, the recipients: %v", e.InDoubt, doubt)
			}
			if strings.Contains(verbs(s), "DATA") {
				t.Errorf("dialogue %q", verbs(s))
			}
		})
	}
}

// A server that offers CHUNKING and does not take BDAT may take the content for
// commands: it gets DATA on another connection, and nothing else any more.
func TestServerThatOffersChunkingAndDoesNotTakeBDAT(t *testing.T) {
	for name, tt := range map[string]*server{
		"content is taken for commands": {noBDAT: true},
		"502":                           {noBDAT: true, say: map[string]string{"bdat": "502 5.5.1 not implemented"}},
		"504":                           {noBDAT: true, say: map[string]string{"bdat": "504 5.5.4 not implemented"}},
		"501":                           {say: map[string]string{"bdat": "501 5.5.4 no"}},
		"503":                           {say: map[string]string{"bdat": "503 5.5.1 not now"}},
		"header size of 2019":           {say: map[string]string{"bdat": "552 5.3.4 Header size exceeds fixed maximum size"}},
		"one refused":                   {noBDAT: true, rcpt: map[string]string{"x@contoso.example": "550 5.1.1 unknown"}},
	} {
		t.Run(name, func(t *testing.T) {
			s := chunking(tt)
			sender := submission.NewSender(setup(t, s))
			defer sender.Close()
			to := []string{"a@contoso.example", "b@contoso.example"}
			if tt.rcpt != nil {
				to = append(to, "x@contoso.example")
			}
			first := compose(t, to...)
			r := sender.Submit(t.Context(), first, once)
			if r.Count(smtp.Accepted) != 2 || r.Count(smtp.Permanent) != len(to)-2 || len(r.Attempts) != 1 {
				t.Errorf("recipients %+v in %d attempts, err %v", r.Recipients, len(r.Attempts), r.Err())
			}
			if len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "CHUNKING") {
				t.Errorf("notes %q", r.Notes)
			}
			allAccepted(t, []*submission.Receipt{sender.Submit(t.Context(), compose(t, "c@contoso.example"), once)})
			if stored := s.stored(); len(stored) != 2 || stored[0].content != contentOf(t, first) || s.conns != 2 {
				t.Errorf("%d stored after %d connections", len(stored), s.conns)
			}
			if strings.Count(verbs(s), "BDAT") != 1 {
				t.Errorf("dialogue %q", verbs(s))
			}
		})
	}
}

// What one session learns of a server is known to those that share its options.
func TestLessonAboutBDATIsShared(t *testing.T) {
	s := chunking(&server{noBDAT: true})
	o := setup(t, s)
	o.Chunking = &session.Chunking{}
	for range 2 {
		allAccepted(t, []*submission.Receipt{submission.Submit(t.Context(), o, compose(t, "a@contoso.example"), once)})
	}
	if strings.Count(verbs(s), "BDAT") != 1 || s.conns != 3 {
		t.Errorf("dialogue %q on %d connections", verbs(s), s.conns)
	}
}

// The first refusal leaves the transaction open; content must not go with RSET,
// because a server that refuses RSET would add the old recipients.
func TestNoChunkGoesWithRSET(t *testing.T) {
	s := chunking(&server{sayOnce: map[string][]string{"bdat": {"451 4.3.0 later"}}})
	sender := submission.NewSender(setup(t, s))
	defer sender.Close()
	sender.Submit(t.Context(), compose(t, "a@contoso.example"), once)
	for range 2 {
		allAccepted(t, []*submission.Receipt{sender.Submit(t.Context(), compose(t, "b@contoso.example"), once)})
	}
	if got, want := verbs(s), "MAIL RCPT BDAT RSET MAIL RCPT DATA MAIL RCPT BDAT"; got != want || s.conns != 1 {
		t.Errorf("dialogue %q on %d connections, want %q on one", got, s.conns, want)
	}
}

func TestSilenceAfterBDATIsDoubtAndLaterMailGoesByDATA(t *testing.T) {
	s := chunking(&server{silentAt: "bdat"})
	o := setup(t, s)
	o.Timeouts.Dot = 50 * time.Millisecond
	sender := submission.NewSender(o)
	defer sender.Close()
	r := sender.Submit(t.Context(), compose(t, "a@contoso.example"), submission.Policy{FirstWait: time.Millisecond})
	if r.Count(smtp.InDoubt) != 1 || len(r.Attempts) != 1 || !r.Err().InDoubt || r.Err().Symptom().Fault != smtp.FaultInDoubt {
		t.Errorf("recipients %+v in %d attempts, err %v", r.Recipients, len(r.Attempts), r.Err())
	}
	allAccepted(t, []*submission.Receipt{sender.Submit(t.Context(), compose(t, "b@contoso.example"), once)})
	if got, want := verbs(s), "MAIL RCPT BDAT MAIL RCPT DATA"; got != want {
		t.Errorf("dialogue %q, want %q", got, want)
	}
}

// A server whose replies do not add up, or that says of content what others say of a
// recipient, would make doubt of every message.
func TestLostCountAfterBDATIsDoubtAndLaterMailGoesByDATA(t *testing.T) {
	for name, tt := range map[string]*server{
		"a reply too many":        {sayOnce: map[string][]string{"mail": {"250 2.1.0 ok\r\n250 2.1.0 stray"}}},
		"the reply to an address": {say: map[string]string{"bdat": "250 2.1.5 OK"}},
		"all refused and accepted": {
			rcpt: map[string]string{"a@contoso.example": "550 5.1.1 unknown"}, say: map[string]string{"bdat": "250 2.0.0 OK"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			s := chunking(tt)
			sender := submission.NewSender(setup(t, s))
			defer sender.Close()
			if r := sender.Submit(t.Context(), compose(t, "a@contoso.example"), once); r.Count(smtp.InDoubt) != 1 {
				t.Errorf("recipients %+v, err %v", r.Recipients, r.Err())
			}
			allAccepted(t, []*submission.Receipt{sender.Submit(t.Context(), compose(t, "b@contoso.example"), once)})
			if got, want := verbs(s), "MAIL RCPT BDAT MAIL RCPT DATA"; got != want {
				t.Errorf("dialogue %q, want %q", got, want)
			}
		})
	}
}

func TestInterruptedAfterBDATIsDoubt(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	s := chunking(&server{silentAt: "bdat", silent: cancel})
	r := submission.Submit(ctx, setup(t, s), compose(t, "a@contoso.example"), once)
	if r.Count(smtp.InDoubt) != 1 || !r.Interrupted() {
		t.Errorf("recipients %+v, err %v", r.Recipients, r.Err())
	}
}

// The caller's deadline ends with the write: what waits for the reply is the dot's
// own limit.
func TestDeadlineDoesNotCutTheWaitForTheReplyToBDAT(t *testing.T) {
	t.Parallel()
	within(t, func(d time.Duration) (reached bool) {
		deadline := time.Now().Add(d)
		s := chunking(&server{beforeDot: func() {
			reached = time.Now().Before(deadline)
			<-time.After(time.Until(deadline) + 50*time.Millisecond)
		}})
		r := submission.Submit(t.Context(), setup(t, s), compose(t, "a@contoso.example"), submission.Policy{Deadline: deadline, Attempts: 1})
		if reached && !r.AllAccepted() {
			t.Errorf("recipients %+v, err %v", r.Recipients, r.Err())
		}
		return reached
	})
}

func TestContentThatFailsLeavesNothingWithBDAT(t *testing.T) {
	s := chunking(&server{})
	m := compose(t, "a@contoso.example")
	broken := errors.New("disk on fire")
	m.Content = mailobject.Stored(1000, false, func() (io.ReadCloser, error) { return nil, broken })
	r := submission.Submit(t.Context(), setup(t, s), m, once)
	if !errors.Is(r.Err(), broken) || r.Err().Stage != smtp.StageContent || r.Count(smtp.NotAttempted) != 1 || verbs(s) != "" {
		t.Errorf("err %v, recipients %+v, dialogue %q", r.Err(), r.Recipients, verbs(s))
	}
}

func TestBDATIsNotWrittenUnlessAllowed(t *testing.T) {
	s := chunking(&server{})
	no := errors.New("a limit is reached")
	r := submission.Submit(t.Context(), setup(t, s), compose(t, "a@contoso.example"),
		submission.Policy{Attempts: 1, BeforeContent: func(context.Context) error { return no }})
	if !errors.Is(r.Err(), no) || r.Count(smtp.NotAttempted) != 1 || verbs(s) != "" {
		t.Errorf("err %v, recipients %+v, dialogue %q", r.Err(), r.Recipients, verbs(s))
	}
}

func TestDeadlineThatPassesBeforeBDATMakesNoDoubt(t *testing.T) {
	s := chunking(&server{})
	r := submission.Submit(t.Context(), setup(t, s), compose(t, "a@contoso.example"), submission.Policy{
		Attempts: 1, Deadline: time.Now().Add(time.Second),
		BeforeContent: func(ctx context.Context) error { <-ctx.Done(); return nil },
	})
	if r.Count(smtp.NotAttempted) != 1 || len(s.stored()) != 0 {
		t.Errorf("recipients %+v, err %v", r.Recipients, r.Err())
	}
}

// A write that fails has not brought the last octet: the server cannot have the
// chunk, and the message goes over another connection. The reset may also be seen
// after the write, in which case the message is in doubt.
func TestWriteThatFailsMakesNoDoubt(t *testing.T) {
	for range 50 {
		s := chunking(&server{})
		o := setup(t, s)
		o.Trace = func(line string) {
			if !strings.HasPrefix(line, "C: [content") { // which is said just before it is written
				return
			}
			s.mu.Lock()
			defer s.mu.Unlock()
			c := s.raw[len(s.raw)-1].(*net.TCPConn)
			if err := errors.Join(c.SetLinger(0), c.Close()); err != nil {
				t.Error(err)
			}
		}
		r := submission.Submit(t.Context(), o, compose(t, "a@contoso.example"), once)
		if len(s.stored()) != 0 || r.Err() == nil || r.Err().Fault != smtp.FaultConnectionClosed {
			t.Fatalf("recipients %+v, err %v", r.Recipients, r.Err())
		}
		if r.Count(smtp.NotAttempted) == 1 && !r.Err().InDoubt {
			return
		}
	}
	t.Error("no write failed without doubt")
}

// Asking the caller may take long, and the server may leave meanwhile: what is written
// then would be in doubt.
func TestServerThatLeftBeforeBDATMakesNoDoubt(t *testing.T) {
	for range 50 {
		s := chunking(&server{})
		leave := func(context.Context) error {
			s.mu.Lock()
			defer s.mu.Unlock()
			return s.raw[len(s.raw)-1].Close()
		}
		r := submission.Submit(t.Context(), setup(t, s), compose(t, "a@contoso.example"), submission.Policy{Attempts: 1, BeforeContent: leave})
		if r.Count(smtp.NotAttempted) == 1 && !r.Err().InDoubt && r.Err().Fault == smtp.FaultConnectionClosed {
			return
		}
	}
	t.Error("it was in doubt each time")
}

func TestManyRecipientsGoInSeveralChunks(t *testing.T) {
	s := chunking(&server{})
	var to []string
	for i := range 1001 {
		to = append(to, fmt.Sprintf("r%d@contoso.example", i))
	}
	allAccepted(t, []*submission.Receipt{submission.Submit(t.Context(), setup(t, s), compose(t, to...), once)})
	var sizes []int
	for _, m := range s.stored() {
		sizes = append(sizes, len(m.to))
	}
	if !reflect.DeepEqual(sizes, []int{500, 500, 1}) || strings.Count(verbs(s), "BDAT") != 3 {
		t.Errorf("transactions of %v recipients", sizes)
	}
}
