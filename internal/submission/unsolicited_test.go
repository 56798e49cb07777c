package submission_test

import (
	"bytes"
	"context"
	"io"
	"net"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/mailobject"
	mail "github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/submission"
	"github.com/smtpsend/smtpsend/internal/transaction"
)

func TestWordsBeforeTheFinalDotAreNotItsReply(t *testing.T) {
	for name, tt := range map[string]struct {
		words string
		want  smtp.Outcome
	}{
		"acceptance": {"250 2.0.0 OK", smtp.NotAttempted},
		"deferral":   {"451 4.3.0 stray", smtp.Transient},
		"refusal":    {"552 5.3.4 too big", smtp.Permanent},
		"garbage":    {"hello", smtp.NotAttempted},
	} {
		t.Run(name, func(t *testing.T) {
			s := &server{say: map[string]string{"data": "354 go on\r\n" + tt.words}}
			r := submission.Submit(t.Context(), setup(t, s), compose(t, "a@contoso.example"), once)
			if got := r.Recipients[0].Outcome; got != tt.want || r.Err() == nil || r.Err().Stage != smtp.StageContent {
				t.Errorf("outcome %s, want %s; err %v", got, tt.want, r.Err())
			}
			if n := len(s.stored()); n != 0 {
				t.Errorf("%d messages are stored", n)
			}
		})
	}
}

// TestWordsBehindThe354InARecordOfTheirOwn are read by crypto/tls together with
// the 354, so that neither the socket nor our buffer has them.
func TestWordsBehindThe354InARecordOfTheirOwn(t *testing.T) {
	for _, noPipelining := range []bool{false, true} {
		held := &atomic.Bool{}
		long := "354 " + strings.Repeat("x", 4096-len("354 \r\n")) // fills the server's buffer, which is one record then
		s := &server{say: map[string]string{"data": long + "\r\n250 2.0.0 OK"}}
		s.wrap = func(c net.Conn) net.Conn { return &twoInOne{Conn: c, held: held} }
		s.onLine = func(line string) { held.Store(line == "DATA") }
		o := setup(t, s)
		o.NoPipelining = noPipelining
		r := submission.Submit(t.Context(), o, compose(t, "a@contoso.example"), once)
		if got := r.Recipients[0].Outcome; got != smtp.NotAttempted || len(s.stored()) != 0 {
			t.Errorf("outcome %s, %d stored, err %v", got, len(s.stored()), r.Err())
		}
	}
}

// twoInOne writes two writes at once when told to hold the first.
type twoInOne struct {
	net.Conn
	held  *atomic.Bool
	first []byte
}

func (c *twoInOne) Write(p []byte) (int, error) {
	if c.held.Load() && c.first == nil {
		c.first = bytes.Clone(p)
		return len(p), nil
	}
	_, err := c.Conn.Write(append(c.first, p...))
	c.first = nil
	c.held.Store(false)
	return len(p), err
}

// TestServerThatRefusesContentAndReadsNoMore: nothing more can be written then,
// and the refusal counts, not that there was no time.
func TestServerThatRefusesContentAndReadsNoMore(t *testing.T) {
	for words, want := range map[string]smtp.Outcome{
		"552 5.3.4 too big": smtp.Permanent, "452 4.3.1 full": smtp.Transient, "250 2.0.0 OK": smtp.NotAttempted,
	} {
		t.Run(words, func(t *testing.T) {
			t.Parallel()
			ended := make(chan struct{})
			s := &server{deaf: words, beforeDot: func() { <-ended }}
			o := setup(t, s)
			t.Cleanup(func() { close(ended) })
			m := composeDraft(t, mail.Draft{Subject: "big", Text: strings.Repeat("sixteen octets.\n", 2<<20)}, mailbox)
			r := submission.Submit(t.Context(), o, m, submission.Policy{Attempts: 1, Deadline: time.Now().Add(20 * time.Second)})
			if e := r.Err(); e == nil || e.Reply.String() != words || r.Recipients[0].Outcome != want {
				t.Errorf("recipients %+v, err %v", r.Recipients, e)
			}
		})
	}
}

func TestEndlessAnswerOfAProxyIsCut(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	wrote := make(chan int64, 1)
	go func() {
		conn, err := l.Accept()
		if err != nil {
			return
		}
		defer conn.Close()
		n, _ := io.Copy(conn, io.MultiReader(strings.NewReader("HTTP/1.1 200 OK\r\nX: "), io.LimitReader(endless{}, 1<<30)))
		wrote <- n
	}()
	defer l.Close()
	o := session.Options{Host: "127.0.0.1", Port: 25, Mailbox: mailbox, Tokens: oneToken(),
		Proxy: &url.URL{Scheme: "http", Host: l.Addr().String()}}
	e := submission.Submit(t.Context(), o, compose(t, "a@contoso.example"), once).Err()
	if e == nil || e.Stage != smtp.StageDial {
		t.Errorf("err %v, want one of the dial", e)
	}
	if n := <-wrote; n >= 1<<30 {
		t.Errorf("%d octets of the answer were taken", n)
	}
}

type endless struct{}

func (endless) Read(p []byte) (int, error) {
	for i := range p {
		p[i] = 'x'
	}
	return len(p), nil
}

func TestDeadlineThatPassesAtTheDotMakesNoDoubt(t *testing.T) {
	t.Parallel()
	within(t, func(d time.Duration) (reached bool) {
		s := &server{}
		conn, err := session.Connect(t.Context(), setup(t, s), time.Time{})
		if err != nil {
			t.Fatal(err)
		}
		pipeline := transaction.NewPipeline(conn)
		defer pipeline.Close()
		deadline := time.Now().Add(d)
		passed, cancel := context.WithDeadline(t.Context(), deadline.Add(100*time.Millisecond))
		defer cancel()
		// next is asked just before the final dot.
		res := pipeline.Transact(t.Context(), deadline, compose(t, "a@contoso.example"), func() *mailobject.Mail {
			reached = time.Now().Before(deadline)
			<-passed.Done()
			return nil
		})
		if reached && (res.Recipients[0].Outcome != smtp.Accepted || len(s.stored()) != 1) {
			t.Errorf("recipients %+v, err %v, %d stored", res.Recipients, res.Err, len(s.stored()))
		}
		return reached
	})
}
