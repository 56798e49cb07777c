//go:build unix

package faultmatrix_test

import (
	"context"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/submission"
)

// TestOddButRight: servers that are strange and within the standard.
func TestOddButRight(t *testing.T) {
	noLeak(t)
	eightKB := "250-" + strings.Repeat("x", 8<<10) + "\r\n250 2.0.0 end"
	long := "250-" + strings.Repeat("x", 64<<10) + "\r\n250 2.0.0 " + strings.Repeat("y", 64<<10)
	for name, say := range map[string]map[stage]string{
		"251 to RCPT":             {rcptTo: "251 2.1.5 will forward"},
		"252 to RCPT":             {rcptTo: "252 2.1.5 will try"},
		"354 of several lines":    {data: "354-go on\r\n354-and on\r\n354 end with a dot"},
		"354 without text":        {data: "354"},
		"replies of 8 KB":         {mailFrom: eightKB, rcptTo: eightKB, dot: eightKB},
		"2yz but 250 to the dot":  {dot: "200 kept"},
		"bare 250 to the dot":     {dot: "250"},
		"greeting of many lines":  {greeting: strings.Repeat("220-authorised use only\r\n", 100) + "220 ready"},
		"STARTTLS also after TLS": {ehloTLS: "250-LAB\r\n250-STARTTLS\r\n250-PIPELINING\r\n250 AUTH XOAUTH2"},
		"nothing but AUTH":        {ehloTLS: "250-LAB\r\n250 AUTH XOAUTH2"},
		"replies of 64 KB lines":  {mailFrom: long, rcptTo: long, data: strings.ReplaceAll(long, "250", "354"), dot: long},
		"5,000 keywords":          {ehloTLS: "250-LAB\r\n" + strings.Repeat("250-X-KEYWORD parameter\r\n", 5000) + "250-PIPELINING\r\n250 AUTH XOAUTH2"},
		"221 to QUIT of 60 KB":    {quit: strings.Repeat("221-"+strings.Repeat("x", 1000)+"\r\n", 60) + "221 bye"},
	} {
		for _, pipelining := range []bool{true, false} {
			t.Run(name+pick(pipelining, "", " stepwise"), func(t *testing.T) {
				s := mustServe(t, &server{cell: cell{healthy: true, pipelining: pipelining}, say: say})
				r, text := submitOne(t, s, s.options())
				if !r.AllAccepted() {
					t.Errorf("recipients %+v, err %v", r.Recipients, r.Err())
				}
				for _, wrong := range s.judgeReceipt(r, text) {
					t.Error(wrong)
				}
			})
		}
	}
}

// submitOne submits a message in one attempt and waits for the server's end.
func submitOne(t *testing.T, s *server, o session.Options) (*submission.Receipt, string) {
	t.Helper()
	m, text := mustCompose(t, "a@contoso.example")
	r := submission.Submit(context.Background(), o, m, submission.Policy{Attempts: 1, Deadline: time.Now().Add(time.Minute)})
	if err := s.close(); err != nil {
		t.Error(err)
	}
	return r, text
}

// TestRepliesBeforeTheirCommands: a server that says everything at once, up to
// the acceptance of a message that it has not got.
func TestRepliesBeforeTheirCommands(t *testing.T) {
	noLeak(t)
	for _, pipelining := range []bool{true, false} {
		s := mustServe(t, &server{cell: cell{healthy: true, pipelining: pipelining}, rush: true})
		r, text := submitOne(t, s, s.options())
		if r.Count(smtp.NotAttempted) != 1 || r.Err() == nil {
			t.Errorf("recipients %+v, err %v", r.Recipients, r.Err())
		}
		for _, wrong := range s.judgeReceipt(r, text) {
			t.Error(wrong)
		}
	}
}

func TestNobodyListens(t *testing.T) {
	noLeak(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	port := l.Addr().(*net.TCPAddr).Port
	l.Close()
	m, _ := mustCompose(t, "a@contoso.example")
	r := submission.Submit(context.Background(), session.Options{Host: "127.0.0.1", Port: port, Mailbox: mailbox, Tokens: oneToken{}}, m,
		submission.Policy{FirstWait: time.Millisecond})
	if e := r.Err(); e == nil || e.Stage != smtp.StageDial || e.Fault != smtp.FaultConnectionRefused || r.Count(smtp.NotAttempted) != 1 {
		t.Errorf("recipients %+v, err %v", r.Recipients, e)
	}
	if len(r.Attempts) < 2 {
		t.Errorf("%d attempts", len(r.Attempts))
	}
}
