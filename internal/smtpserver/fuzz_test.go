package smtpserver_test

import (
	"bytes"
	"errors"
	"io"
	"net"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/smtpserver"
)

// states lead a connection to where the fuzzed octets begin.
var states = []string{
	"",
	"EHLO me\r\n",
	"EHLO me\r\nMAIL FROM:<a@b>\r\n",
	"EHLO me\r\nMAIL FROM:<a@b> BODY=8BITMIME SMTPUTF8\r\nRCPT TO:<c@d>\r\n",
	"EHLO me\r\nMAIL FROM:<a@b>\r\nRCPT TO:<c@d>\r\nDATA\r\n",
	"EHLO me\r\nMAIL FROM:<a@b> BODY=BINARYMIME\r\nRCPT TO:<c@d>\r\nBDAT 3\r\nabc",
	"EHLO me\r\nAUTH TEST\r\n",
	"EHLO me\r\nAUTH TEST c2VjcmV0\r\n",
}

// FuzzDialogue throws octets at the server in each state. Whatever they are, it
// speaks SMTP, ends when the client does, and stores no more messages than the
// octets can have ended, with paths that fit into a command again.
func FuzzDialogue(f *testing.F) {
	for state := range states {
		for _, ending := range endings {
			f.Add(byte(state), []byte("x"+ending+smuggled+"\r\n.\r\nQUIT\r\n"))
		}
		f.Add(byte(state), []byte("BDAT 2 LAST\r\nhiNOOP\r\nRSET\r\nVRFY x\r\nHELP\r\n"))
		f.Add(byte(state), []byte("STARTTLS\r\nEHLO x\r\nAUTH TEST *\r\nAUTH TEST\r\n*\r\n"))
		f.Add(byte(state), []byte("MAIL FROM:<\"a b\\\"\"@c> SIZE=1 RET=FULL ENVID=x AUTH=<>\r\nRCPT TO:<@h:x@y> NOTIFY=NEVER ORCPT=rfc822;x\r\n"))
	}
	strict := serve(f, smtpserver.Options{MaxMessageBytes: 1 << 20, IdleTimeout: 10 * time.Second}, nil)
	tolerant := serve(f, smtpserver.Options{MaxMessageBytes: 1 << 20, IdleTimeout: 10 * time.Second, Tolerant: true, MaxCommands: 50}, nil)
	f.Add(byte(0x82), []byte("RCPT TO: a@b\r\nMAIL FROM:< c@d > SIZE= 5\r\nHELO\r\nAUTH LOGIN eA\r\n"))
	f.Fuzz(func(t *testing.T, state byte, in []byte) {
		h := strict
		if state&0x80 != 0 {
			h, state = tolerant, state&0x7f
		}
		before := len(h.box.all())
		sent := append([]byte(states[int(state)%len(states)]), in...)
		readReplies(t, h.dial(t), sent)
		stored := h.box.all()[before:]
		ends := bytes.Count(sent, []byte("\n.\r\n")) + bytes.Count(bytes.ToUpper(sent), []byte("LAST"))
		if len(stored) > ends {
			t.Errorf("stored %d messages of at most %d", len(stored), ends)
		}
		for _, m := range stored {
			for _, path := range append(m.to, m.from) {
				if strings.ContainsAny(path, "\r\n\x00") {
					t.Errorf("path %q", path)
				}
			}
		}
	})
}

// readReplies writes sent, half-closes, and reads replies to the end.
func readReplies(t *testing.T, c *client, sent []byte) {
	go func() {
		_, _ = c.conn.Write(sent) // the server may close before it has read all
		_ = c.conn.(*net.TCPConn).CloseWrite()
	}()
	for {
		_, err := smtp.Read(c.r)
		var syntax *smtp.SyntaxError
		switch {
		case errors.As(err, &syntax), errors.Is(err, smtp.ErrTooLong), errors.Is(err, io.ErrUnexpectedEOF):
			t.Fatalf("server said no SMTP: %v", err)
		case err != nil:
			var timeout net.Error
			if errors.As(err, &timeout) && timeout.Timeout() {
				t.Fatal("server hangs")
			}
			_ = c.conn.Close()
			return
		}
	}
}

// FuzzContent holds the reader of content against the same rules written as one
// pass over octets, however the octets are cut into writes.
func FuzzContent(f *testing.F) {
	for _, ending := range endings {
		f.Add([]byte("x"+ending+"y\r\n.\r\n"), byte(1))
	}
	f.Add([]byte(".\r\n"), byte(3))
	f.Add([]byte("..\r\n...\r\n.x\r\n\r\n.\r\n"), byte(2))
	f.Add([]byte(strings.Repeat("x", 5000)+"\r\n.\r\n"), byte(200))
	h := serve(f, smtpserver.Options{}, nil)
	f.Fuzz(func(t *testing.T, in []byte, cut byte) {
		want, length, ended := specContent(in)
		before := len(h.box.all())
		c := h.dial(t)
		c.dialogue(opening + envelope + "C: DATA\nS: 354 go")
		if !ended {
			return
		}
		for piece := range slices.Chunk(in[:length], max(1, int(cut))) {
			c.write(string(piece))
		}
		if line, err := c.r.ReadString('\n'); err != nil || !strings.HasPrefix(line, "250 ") {
			t.Fatalf("got %q, %v", line, err)
		}
		if got := h.box.all()[before].content; got != want {
			t.Errorf("got %q; want %q", got, want)
		}
		_ = c.conn.Close()
	})
}

// specContent is RFC 5321 4.5.2 with the stricter line end: it returns the
// content and how many octets of in it took, when it ends there at all.
func specContent(in []byte) (content string, length int, ended bool) {
	var out []byte
	lineStart := true
	for i := 0; i < len(in); i++ {
		if lineStart && in[i] == '.' {
			if bytes.HasPrefix(in[i:], []byte(".\r\n")) {
				return string(out), i + 3, true
			}
			lineStart = false
			continue
		}
		out = append(out, in[i])
		lineStart = bytes.HasSuffix(out, []byte("\r\n")) && !bytes.HasSuffix(out, []byte("\r\r\n"))
	}
	return "", 0, false
}

// FuzzPath: what is accepted as a path can be written into a command again and
// is read as the same path.
func FuzzPath(f *testing.F) {
	for _, path := range []string{"a@b", "root", `"a b"@c`, `"a\"b"@c`, "@x,@y:a@b", "jörg@b", "", ">", "a@[192.0.2.1]", "a..b@c", "a>b"} {
		f.Add(path)
	}
	h := serve(f, smtpserver.Options{MaxErrors: 1 << 30}, nil)
	f.Fuzz(func(t *testing.T, path string) {
		if strings.ContainsAny(path, "\r\n") {
			return
		}
		c := h.dial(t)
		c.dialogue(opening)
		defer c.conn.Close()
		code, first := mailFrom(c, path)
		if code != 250 {
			return
		}
		c.dialogue("C: RSET\nS: 250 2.0.0 Resetting")
		if code, second := mailFrom(c, first); code != 250 || second != first {
			t.Errorf("%q was read as %q and then as %d %q", path, first, code, second)
		}
	})
}

// mailFrom returns the path as the server read it.
func mailFrom(c *client, path string) (int, string) {
	c.write("MAIL FROM:<" + path + "> SMTPUTF8\r\n")
	r, err := smtp.Read(c.r)
	if err != nil {
		c.t.Fatal(err)
	}
	return r.Code, strings.TrimSuffix(strings.TrimPrefix(r.Lines[0], "2.1.0 from <"), ">")
}
