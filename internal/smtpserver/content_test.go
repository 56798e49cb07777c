package smtpserver_test

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"net"
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/smtpserver"
)

// endings resemble the end of content and are not. The first ten are those that
// real servers have been fooled by.
var endings = []string{
	"\n.\n", "\n.\r\n", "\r\n.\n", "\r.\r", "\r\n.\r", "\r.\r\n", "\n.\r", "\r\n\x00.\r\n", "\r\n.\x00\r\n", "\r\r\n.\r\n",
	"\r\n.\r\r\n", "\r\n..\r\n", "\r\n. \r\n", "\r.\n",
}

const smuggled = "MAIL FROM:<ceo@contoso.example>\r\nRCPT TO:<victim@contoso.example>\r\nDATA\r\nSubject: smuggled\r\n"

func TestNothingIsSmuggled(t *testing.T) {
	for _, policy := range []smtpserver.LineEnds{smtpserver.KeepBare, smtpserver.RefuseBare, smtpserver.ConvertBare} {
		for _, ending := range endings {
			t.Run(fmt.Sprintf("%d %q", policy, ending), func(t *testing.T) {
				t.Parallel()
				h := serve(t, smtpserver.Options{LineEnds: policy}, nil)
				c := h.dial(t)
				c.dialogue(opening + envelope + "C: DATA\nS: 354 go")
				c.write("x" + ending + smuggled + "\r\n.\r\nQUIT\r\n")
				replies, err := io.ReadAll(c.r)
				if err != nil {
					t.Fatal(err)
				}
				if n := bytes.Count(replies, []byte("\r\n")); n != 2 {
					t.Errorf("got %d replies, %q; want one to the content and one to QUIT", n, replies)
				}
				for _, m := range h.box.all() {
					if m.from != "a@contoso.example" || fmt.Sprint(m.to) != "[b@contoso.example]" || !strings.Contains(m.content, smuggled) {
						t.Errorf("stored %+v", m)
					}
				}
			})
		}
	}
}

func TestLoneLineEnds(t *testing.T) {
	const sent, converted = "a\nb\rc\r\r\nd\r\n.\r\n", "a\r\nb c\r\nd\r\n"
	tests := map[string]struct {
		policy smtpserver.LineEnds
		reply  string
		stored string
	}{
		"kept":      {smtpserver.KeepBare, "250 2.0.0 took 11 octets", "a\nb\rc\r\r\nd\r\n"},
		"refused":   {smtpserver.RefuseBare, "550 5.6.11 Invalid characters: a line end must be CRLF", ""},
		"converted": {smtpserver.ConvertBare, "250 2.0.0 took 11 octets", converted},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := serve(t, smtpserver.Options{LineEnds: tt.policy}, nil)
			c := h.dial(t)
			c.dialogue(opening + envelope + "C: DATA\nS: 354 go")
			c.write(sent)
			c.want(tt.reply)
			c.dialogue("C: NOOP\nS: 250 2.0.0 OK")
			var stored string
			for _, m := range h.box.all() {
				stored += m.content
			}
			if stored != tt.stored {
				t.Errorf("stored %q; want %q", stored, tt.stored)
			}
		})
	}
}

func TestLoneLineFeedInCommand(t *testing.T) {
	for policy, want := range map[smtpserver.LineEnds]string{
		smtpserver.KeepBare: "500 5.5.2 Line must end with CRLF", smtpserver.ConvertBare: "250 2.0.0 OK",
	} {
		c := serve(t, smtpserver.Options{LineEnds: policy}, nil).dial(t)
		c.want("220 test ready")
		c.write("NOOP\n")
		c.want(want)
	}
}

// A body that stalls must not be read on as commands.
func TestStalledContentEndsTheConnection(t *testing.T) {
	t.Parallel()
	h := serve(t, smtpserver.Options{IdleTimeout: 2 * time.Second}, nil)
	c := h.dial(t)
	c.dialogue(opening + envelope + "C: DATA\nS: 354 go")
	c.write("Subject: stalled\r\n\r\nbody\r\n")
	c.want("421 4.4.1 Connection timed out")
	_, _ = io.WriteString(c.conn, smuggled+"\r\n.\r\n") // the server may be gone
	if rest, _ := io.ReadAll(c.r); len(rest) > 0 {
		t.Errorf("got %q after the 421", rest)
	}
	if got := h.box.all(); len(got) != 0 {
		t.Errorf("stored %+v", got)
	}
}

// Whatever octet the connection is lost after, nothing is stored before the
// last.
func TestContentCutAnywhere(t *testing.T) {
	const body = "Subject: x\r\n\r\n..a\r\n.\r\n"
	for i := range len(body) {
		h := serve(t, smtpserver.Options{}, nil)
		c := h.dial(t)
		c.dialogue(opening + envelope + "C: DATA\nS: 354 go")
		c.write(body[:i])
		_ = c.conn.(*net.TCPConn).CloseWrite()
		c.wantClosed()
		if got := h.box.all(); len(got) != 0 {
			t.Errorf("after %d octets stored %+v", i, got)
		}
	}
}

func TestContentOverTheLimit(t *testing.T) {
	tests := map[string]struct {
		script string
		size   int
		want   []string
	}{
		"at the limit":     {"DATA\r\n", 98, []string{"354 go", "250 2.0.0 took 100 octets"}},
		"one octet over":   {"DATA\r\n", 99, []string{"354 go", "552 5.3.4 Message size exceeds fixed maximum message size"}},
		"more than double": {"DATA\r\n", 5000, []string{"354 go", "552 5.3.4 Message size exceeds fixed maximum message size"}},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := serve(t, smtpserver.Options{MaxMessageBytes: 100}, nil)
			c := h.dial(t)
			c.dialogue(opening + envelope)
			c.write(tt.script + strings.Repeat("x", tt.size) + "\r\n.\r\nNOOP\r\n")
			c.want(tt.want...)
			if name == "more than double" {
				c.wantClosed()
			} else {
				c.want("250 2.0.0 OK")
			}
		})
	}
}

func TestRefusalBeforeTheEndIsSaidAfterIt(t *testing.T) {
	h := serve(t, smtpserver.Options{}, map[string]smtpserver.Reply{"unread": smtpserver.Say(554, "5.7.1 no")})
	c := h.dial(t)
	c.dialogue(opening + envelope + "C: DATA\nS: 354 go")
	c.write(strings.Repeat("x\r\n", 50_000) + ".\r\nNOOP\r\n")
	c.want("554 5.7.1 no", "250 2.0.0 OK")
}

// A session that answers early has not heard the end: its yes is no acceptance.
func TestEarlyAcceptanceIsNotSaidWhenTheContentFails(t *testing.T) {
	t.Parallel()
	o := smtpserver.Options{IdleTimeout: 2 * time.Second}
	c := serve(t, o, map[string]smtpserver.Reply{"unread": smtpserver.Say(250, "too early")}).dial(t)
	c.dialogue(opening + envelope + "C: DATA\nS: 354 go\nC: x")
	c.want("421 4.4.1 Connection timed out")
	c.wantClosed()
}

func TestChunks(t *testing.T) {
	tests := map[string]struct {
		in     string
		want   []string
		stored string
	}{
		"one":                         {"BDAT 4 LAST\r\nhi\r\n", []string{"250 2.0.0 took 4 octets"}, "hi\r\n"},
		"two":                         {"BDAT 3\r\n.\r\nBDAT 2 last\r\n\r\n", []string{"250 2.6.0 CHUNK received OK, 3 octets", "250 2.0.0 took 5 octets"}, ".\r\n\r\n"},
		"empty last":                  {"BDAT 2\r\nhiBDAT 0 LAST\r\n", []string{"250 2.6.0 CHUNK received OK, 2 octets", "250 2.0.0 took 2 octets"}, "hi"},
		"NOOP between":                {"BDAT 2\r\nhiNOOP\r\nBDAT 0 LAST\r\n", []string{"250 2.6.0 CHUNK received OK, 2 octets", "250 2.0.0 OK", "250 2.0.0 took 2 octets"}, "hi"},
		"RSET between":                {"BDAT 2\r\nhiRSET\r\nBDAT 1 LAST\r\nxNOOP\r\n", []string{"250 2.6.0 CHUNK received OK, 2 octets", "250 2.0.0 Resetting", "503 5.5.2 Need mail command", "250 2.0.0 OK"}, ""},
		"QUIT between":                {"BDAT 2\r\nhiQUIT\r\n", []string{"250 2.6.0 CHUNK received OK, 2 octets", "221 2.0.0 bye"}, ""},
		"EHLO between":                {"BDAT 2\r\nhiHELO me\r\nDATA\r\n", []string{"250 2.6.0 CHUNK received OK, 2 octets", "250 test", "503 5.5.2 Need mail command"}, ""},
		"a control character between": {"BDAT 2\r\nhiEHLO a\x1b[2Jb\r\nBDAT 0 LAST\r\n", []string{"250 2.6.0 CHUNK received OK, 2 octets", "501 5.5.4 Invalid arguments", "250 2.0.0 took 2 octets"}, "hi"},
		"bad between":                 {"BDAT 2\r\nhiBDAT x\r\n", []string{"250 2.6.0 CHUNK received OK, 2 octets", "501 5.5.4 Invalid arguments"}, ""},
		"DATA between":                {"BDAT 2\r\nhiDATA\r\nBDAT 0 LAST\r\n", []string{"250 2.6.0 CHUNK received OK, 2 octets", "503 5.5.1 Bad sequence of commands", "250 2.0.0 took 2 octets"}, "hi"},
		"too large":                   {"BDAT 101 LAST\r\n" + strings.Repeat("x", 101) + "NOOP\r\n", []string{"552 5.3.4 Message size exceeds fixed maximum message size", "250 2.0.0 OK"}, ""},
		"absurdly huge":               {"BDAT 4611686018427387903 LAST\r\n" + strings.Repeat("x", 5000), []string{"552 5.3.4 Message size exceeds fixed maximum message size"}, ""},
		"no number":                   {"BDAT many LAST\r\nMAIL FROM:<x>\r\n", []string{"501 5.5.4 Invalid arguments"}, ""},
		"negative":                    {"BDAT -1 LAST\r\n", []string{"501 5.5.4 Invalid arguments"}, ""},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			h := serve(t, smtpserver.Options{MaxMessageBytes: 100}, nil)
			c := h.dial(t)
			c.dialogue(opening + envelope)
			c.write(tt.in)
			c.want(tt.want...)
			var stored string
			for _, m := range h.box.all() {
				stored += m.content
			}
			if stored != tt.stored {
				t.Errorf("stored %q; want %q", stored, tt.stored)
			}
		})
	}
}

func TestChunksWithoutRecipientsAreSkipped(t *testing.T) {
	h := serve(t, smtpserver.Options{}, nil)
	c := h.dial(t)
	c.dialogue(opening)
	c.write("BDAT 6 LAST\r\nQUIT\r\nNOOP\r\n")
	c.want("503 5.5.2 Need mail command", "250 2.0.0 OK")
}

func BenchmarkContent(b *testing.B) {
	s := smtpserver.New(smtpserver.Options{NewSession: func(context.Context, *smtpserver.Peer) smtpserver.Session { return &sink{} }})
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		b.Fatal(err)
	}
	go func() { _ = s.Serve(context.Background(), l) }()
	defer s.Close()
	h := &harness{addr: l.Addr().String()}
	c := h.dial(b)
	c.dialogue(opening)
	line := strings.Repeat("x", 76) + "\r\n"
	body := strings.Repeat(line, 10<<20/len(line)) + ".\r\n"
	b.SetBytes(int64(len(body)))
	for b.Loop() {
		c.dialogue(envelope + "C: DATA\nS: 354 go")
		c.write(body)
		c.want("250 ok")
	}
}

// sink throws content away.
type sink struct{ session }

func (s *sink) Hello(context.Context, string, bool) smtpserver.Reply {
	return smtpserver.Say(250, "test Hello me.example", "STARTTLS")
}

func (s *sink) Content(_ context.Context, r io.Reader) smtpserver.Reply {
	if _, err := io.Copy(io.Discard, r); err != nil {
		return smtpserver.Say(451, err.Error())
	}
	return smtpserver.Say(250, "ok")
}
