//go:build unix

package faultmatrix_test

import (
	"crypto/tls"
	"errors"
	"io"
	"net"
	"strings"
	"time"
)

// Replies of 1 MB.
var (
	long     = strings.Repeat("250-"+strings.Repeat("x", 120)+"\r\n", 1<<20/126) + "250 end\r\n"
	longHTTP = "HTTP/1.1 200 OK\r\nX: " + strings.Repeat("x", 1<<20) + "\r\n\r\n"
)

// strike does the cell's fault; reply is the reply in whose place it strikes,
// "" when none is due. It reports whether the dialogue goes on.
func (c *conn) strike(reply string) bool {
	c.struck = true
	if c.onStrike != nil {
		c.onStrike()
	}
	if text, ok := c.words(reply); ok {
		c.put(text)
		c.refused = c.reading && c.cell.fault.refusing()
		c.garbled = c.asked && (c.reading || c.cell.stage == data) && !c.refused && c.cell.fault != stray
		return true
	}
	if c.cell.fault != slow && c.bw.Flush() != nil {
		return false
	}
	switch c.cell.fault {
	case closing:
		c.put(c.replyOf(closing))
		c.hangUp()
	case leaving:
		c.put(c.replyOf(closing))
		_ = c.bw.Flush()
		c.hold()
	case halfLine:
		c.put("25")
		_ = c.bw.Flush()
		c.hold()
	case silence:
		c.hold()
	case slow:
		return c.slowly(reply + "\r\n")
	case drip:
		for c.slowly("250-slow\r\n") {
		}
	case reset:
		_ = c.raw.SetLinger(0)
		_ = c.raw.Close()
	case fin:
		c.hangUp()
	case alert:
		c.alert()
	case truncated:
		_, _ = c.raw.Write([]byte{23, 3, 3, 1, 0, 'h', 'a', 'l', 'f'})
		_ = c.raw.CloseWrite()
		c.hold()
	}
	return false
}

// words is the text of a fault after which the dialogue goes on.
func (c *conn) words(reply string) (string, bool) {
	rest := ""
	if reply != "" && c.cell.fault == stray {
		rest = reply + "\r\n"
	}
	switch c.cell.fault {
	case transient, permanent, garbage, megabyte, mixed, stray:
		return c.replyOf(c.cell.fault) + rest, true
	}
	return "", false
}

// replyOf is the fault in the words of SMTP, or of HTTP at the proxy.
func (c *conn) replyOf(f fault) string {
	if c.cell.stage == dial && c.cell.place != after {
		return map[fault]string{
			transient: "HTTP/1.1 407 Proxy Authentication Required\r\nContent-Length: 0\r\n\r\n",
			permanent: "HTTP/1.1 502 Bad Gateway\r\nContent-Length: 0\r\n\r\n",
			closing:   "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n",
			garbage:   "\x00\x1a\xff garbage\r\n",
			megabyte:  longHTTP,
			mixed:     "HTTP/1.1 200 OK\r\nno header field\r\n\r\n",
			stray:     "250 2.0.0 stray\r\n",
		}[f]
	}
	return map[fault]string{
		transient: "451 4.3.0 come back later\r\n",
		permanent: "554 5.0.0 never\r\n",
		closing:   "421 4.3.2 closing\r\n",
		garbage:   "\x00\x1a\xff garbage\r\n",
		megabyte:  long,
		mixed:     "250-yes\r\n554 no\r\n",
		stray:     "250 2.0.0 stray\r\n",
	}[f]
}

// hold says nothing and waits until the client leaves.
func (c *conn) hold() { _, _ = io.Copy(io.Discard, c.raw) }

// hangUp ends our side as a server should, and waits for the client's end, so
// that what was said can be read.
func (c *conn) hangUp() {
	_ = c.bw.Flush()
	if c.tls != nil {
		_ = c.tls.CloseWrite()
	}
	_ = c.raw.CloseWrite()
	c.hold()
}

// slowly writes an octet at a time; false when the client has left.
func (c *conn) slowly(text string) bool {
	tick := time.NewTicker(100 * time.Microsecond)
	defer tick.Stop()
	for i := range len(text) {
		<-tick.C
		c.put(text[i : i+1])
		if c.bw.Flush() != nil {
			return false
		}
	}
	return true
}

// alert sends a fatal alert: a genuine, encrypted one under TLS, which our own
// TLS makes when it is given a broken record.
func (c *conn) alert() {
	if c.tls == nil {
		_, _ = c.raw.Write([]byte{21, 3, 3, 0, 2, 2, 80})
		c.hangUp()
		return
	}
	c.in.broken = []byte{23, 3, 3, 0, 32}
	c.in.broken = append(c.in.broken, make([]byte, 32)...)
	_, _ = io.Copy(io.Discard, c.tls)
	_ = c.raw.CloseWrite()
	c.hold()
}

// proxy is a CONNECT proxy whose tunnel leads to ourselves.
func (c *conn) proxy() bool {
	c.next = dial
	for first := true; ; first = false {
		if !first {
			c.next = greeting // not struck again
		}
		l, ok := c.line()
		if !ok {
			return false
		}
		if l == "" {
			break
		}
	}
	if c.here(dial, within) {
		c.put("HTTP/1.1 2")
		return c.strike("00 Connected\r\n") && c.bw.Flush() == nil
	}
	if c.here(dial, before) {
		return c.strike("HTTP/1.1 200 Connected\r\n") && c.bw.Flush() == nil
	}
	c.put("HTTP/1.1 200 Connected\r\n\r\n")
	return (!c.here(dial, after) || c.strike("")) && c.bw.Flush() == nil
}

// startTLS answers STARTTLS and makes the handshake, with its faults.
func (c *conn) startTLS() bool {
	if taken, on := c.answer(starttls, "220 2.0.0 SMTP server ready"); !taken || !on {
		return on
	}
	if c.bw.Flush() != nil || (c.here(handshake, early) && !c.strikeAndHold("")) {
		return false
	}
	if c.here(handshake, line) || c.here(handshake, before) && c.cell.fault != slow {
		if !c.hello1() || !c.strikeAndHold("") {
			return false
		}
	}
	conn := tls.Server(c.in, certificate().config)
	if conn.Handshake() != nil {
		return false
	}
	c.tls, c.next = conn, ehloTLS
	c.use(conn)
	return !c.here(handshake, after) || c.strike("")
}

// strikeAndHold is strike for a place where no dialogue can go on.
func (c *conn) strikeAndHold(reply string) bool {
	if c.strike(reply) {
		c.hangUp()
	}
	return false
}

// hello1 reads the beginning or the whole of the client's first TLS record.
func (c *conn) hello1() bool {
	head := make([]byte, 5)
	if _, err := io.ReadFull(c.br, head); err != nil {
		return false
	}
	if c.cell.place == line {
		return true
	}
	_, err := io.CopyN(io.Discard, c.br, int64(head[3])<<8|int64(head[4]))
	return err == nil
}

// hooked is the TCP connection under TLS.
type hooked struct {
	net.Conn
	conn   *conn
	octets int64
	broken []byte // is read in the place of what the client sends
}

var errStruck = errors.New("struck")

func (h *hooked) Read(p []byte) (int, error) {
	if len(h.broken) > 0 {
		n := copy(p, h.broken)
		h.broken = h.broken[n:]
		return n, nil
	}
	n, err := h.Conn.Read(p)
	h.octets += int64(n)
	if h.conn.onRead != nil && n > 0 {
		h.conn.onRead(h.conn.n, h.octets)
	}
	return n, err
}

// Write strikes within the server's first flight of the handshake.
func (h *hooked) Write(p []byte) (int, error) {
	c := h.conn
	slowly := c.cell.fault == slow && (c.here(handshake, before) || c.here(handshake, within))
	if c.tls != nil || c.next != starttls || len(p) == 0 || p[0] != 22 || !(slowly || c.here(handshake, within)) {
		return h.Conn.Write(p)
	}
	if slowly {
		c.struck = true
		tick := time.NewTicker(100 * time.Microsecond)
		defer tick.Stop()
		for i := range p {
			<-tick.C
			if _, err := h.Conn.Write(p[i : i+1]); err != nil {
				return i, err
			}
		}
		return len(p), nil
	}
	if _, err := h.Conn.Write(p[:len(p)/2]); err != nil {
		return 0, err
	}
	c.strikeAndHold("")
	return 0, errStruck
}
