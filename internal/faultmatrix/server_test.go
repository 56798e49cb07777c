//go:build unix

package faultmatrix_test

import (
	"bufio"
	"crypto/tls"
	"encoding/base64"
	"fmt"
	"io"
	"net"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// server is an SMTP server with one fault, in its first connection, that knows
// exactly what it stored: a message is in its ledger from the moment when the
// final dot was read and the server decided to keep what it got, which is
// before it says so.
type server struct {
	cell cell
	rcpt map[string]string // forward-path -> reply in the place of 250
	// onRead, when set, is told how many octets have been read from a
	// connection, TLS included, before the server sees the last of them.
	onRead   func(conn int, octets int64)
	onKeep   func(stored)     // when set, is told of each message before the reply
	onStrike func()           // when set, is told when the fault comes
	say      map[stage]string // replies in the place of the usual ones
	rush     bool             // all replies up to that to the dot come with that to EHLO

	// A cell about a transaction strikes in the message of this number, counted
	// from 0, of those that one session is to bring.
	message, messages int

	listener *net.TCPListener
	wg       sync.WaitGroup

	mu     sync.Mutex // guards the following
	conns  []*conn
	ledger []stored
}

// stored is a message that the server took responsibility for.
type stored struct {
	conn    int
	to      []string
	content string
}

// serve starts a server for the cell.
func serve(s *server) (*server, error) {
	l, err := net.Listen("tcp4", "127.0.0.1:0")
	if err != nil {
		return nil, err
	}
	s.listener = l.(*net.TCPListener)
	s.wg.Go(s.accept)
	return s, nil
}

func (s *server) accept() {
	for {
		raw, err := s.listener.AcceptTCP()
		if err != nil {
			return
		}
		s.mu.Lock()
		c := &conn{server: s, n: len(s.conns), raw: raw}
		s.conns = append(s.conns, c)
		s.mu.Unlock()
		s.wg.Go(func() { defer raw.Close(); c.serve() })
	}
}

func (s *server) port() int { return s.listener.Addr().(*net.TCPAddr).Port }

// close ends the server when its clients have gone. A connection that is still
// there after them was forgotten by the client.
func (s *server) close() error {
	s.listener.Close()
	gone := make(chan struct{})
	go func() { s.wg.Wait(); close(gone) }()
	limit := time.NewTimer(time.Minute)
	defer limit.Stop()
	select {
	case <-gone:
		return nil
	case <-limit.C:
	}
	s.mu.Lock()
	for _, c := range s.conns {
		c.raw.Close()
	}
	s.mu.Unlock()
	<-gone
	return fmt.Errorf("the client left a connection open")
}

// kept returns the ledger.
func (s *server) kept() []stored {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]stored(nil), s.ledger...)
}

// connections returns how many there were.
func (s *server) connections() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return len(s.conns)
}

// conn is one connection.
type conn struct {
	*server
	n   int
	raw *net.TCPConn
	in  *hooked   // the TCP connection as TLS sees it
	tls *tls.Conn // nil before TLS
	br  *bufio.Reader
	bw  *bufio.Writer

	next    stage // of the line that is due
	sender  bool  // MAIL was accepted
	to      []string
	size    int  // SIZE= of MAIL
	done    int  // transactions ended by a final dot
	reading bool // content is being read
	refused bool // it was refused before its end
	garbled bool // what is no reply was said where the reply to the dot is due

	// What the verdict needs to know; read after the connection ended.
	struck   bool // the fault was done
	asked    bool // 354 was said
	dots     int  // final dots read
	definite bool // a whole 2yz, 4yz or 5yz was the answer to a dot
}

// here reports whether the fault strikes at this stage and place.
func (c *conn) here(s stage, p place) bool {
	if s >= mailFrom && s < quit && c.done != c.message {
		return false
	}
	return c.n == 0 && !c.cell.healthy && !c.struck && c.cell.stage == s && c.cell.place == p
}

func (c *conn) serve() {
	c.in = &hooked{Conn: c.raw, conn: c}
	c.use(c.in)
	if c.cell.stage == dial && !c.cell.healthy && !c.proxy() {
		return
	}
	banner := "220 LAB.outlook.office365.com Microsoft ESMTP MAIL Service ready"
	if c.cell.empty334 {
		banner = "220 mail.contoso.example ESMTP" // not Exchange, so long lines are not tried
	}
	if _, on := c.answer(greeting, banner); !on {
		return
	}
	c.next = ehlo
	for {
		line, ok := c.line()
		if !ok || !c.handle(line) {
			return
		}
	}
}

func (c *conn) use(rw io.ReadWriter) {
	c.br, c.bw = bufio.NewReaderSize(rw, 64<<10), bufio.NewWriterSize(rw, 64<<10)
}

// put buffers what goes with the next flush.
func (c *conn) put(text string) { _, _ = c.bw.WriteString(text) }

// wait flushes what the client waits for, when we have to wait for the client.
func (c *conn) wait() bool {
	return c.br.Buffered() > 0 || c.bw.Flush() == nil
}

// line reads a command or response, and strikes before or within it.
func (c *conn) line() (string, bool) {
	if c.here(c.next, early) && (c.bw.Flush() != nil || !c.strike("")) {
		return "", false
	}
	if !c.wait() {
		return "", false
	}
	var head string
	if c.here(c.next, line) {
		b := make([]byte, 3)
		if _, err := io.ReadFull(c.br, b[:2]); err != nil { // an empty response has no more
			return "", false
		}
		head = string(b[:2])
		if !c.strike("") {
			return "", false
		}
	}
	if strings.HasSuffix(head, "\n") {
		return "", true
	}
	rest, err := c.br.ReadString('\n')
	if err != nil || !strings.HasSuffix(head+rest, "\r\n") {
		return "", false
	}
	return strings.TrimSuffix(head+rest, "\r\n"), true
}

// answer gives the reply of a stage, or does the fault. taken reports whether
// the server goes on as if it had given the reply, on whether it goes on at all.
func (c *conn) answer(s stage, text string) (taken, on bool) {
	if other, ok := c.say[s]; ok {
		text = other
	}
	switch {
	case c.here(s, before):
		on = c.strike(text)
		return !c.cell.fault.refusing(), on
	case c.here(s, within):
		head := text[:3] + "-first line\r\n"
		if c.cell.fault == slow {
			head, text = text[:2], text[2:]
		}
		c.put(head)
		return true, c.strike(text)
	}
	c.put(text + "\r\n")
	if c.here(s, after) {
		return true, c.strike("")
	}
	return true, true
}

func (c *conn) handle(line string) bool {
	verb, arg, _ := strings.Cut(line, " ")
	switch verb {
	case "EHLO":
		return c.hello()
	case "STARTTLS":
		return c.startTLS()
	case "AUTH":
		return c.auth(arg)
	case "MAIL":
		return c.mail(arg)
	case "RCPT":
		return c.recipient(path(arg))
	case "DATA":
		return c.data()
	case "BDAT":
		return c.chunk(arg)
	case "RSET":
		c.sender, c.to = false, nil
		c.put("250 2.0.0 Resetting\r\n")
		return true
	case "QUIT":
		if _, on := c.answer(quit, "221 2.0.0 Bye"); on {
			_ = c.bw.Flush()
		}
		return false
	}
	c.put("500 5.3.3 Unrecognized command\r\n")
	return true
}

func path(arg string) string {
	_, rest, _ := strings.Cut(arg, "<")
	p, _, _ := strings.Cut(rest, ">")
	return p
}

func (c *conn) hello() bool {
	s, ext := ehlo, "STARTTLS"
	if c.tls != nil {
		s, ext = ehloTLS, "AUTH LOGIN XOAUTH2"
	}
	text := "250-LAB Hello\r\n250-SIZE 157286400\r\n"
	if c.cell.pipelining {
		text += "250-PIPELINING\r\n"
	}
	if c.cell.chunked {
		text += "250-CHUNKING\r\n"
	}
	_, on := c.answer(s, text+"250 "+ext)
	if c.rush && s == ehloTLS {
		c.put("235 2.7.0 ok\r\n250 2.1.0 ok\r\n250 2.1.5 ok\r\n354 go on\r\n250 2.0.0 OK\r\n")
		_ = c.bw.Flush()
		c.hold()
		return false
	}
	c.next = starttls
	if c.tls != nil {
		c.next = auth
	}
	return on
}

// auth takes the initial response in the line or after an empty 334. A cell
// about the response to a challenge, where there is no such 334, has an error
// challenge in its place, which ends with 535.
func (c *conn) auth(arg string) bool {
	_, initial, oneLine := strings.Cut(arg, " ")
	challenge := ""
	switch {
	case !oneLine:
	case c.cell.stage == response && c.n == 0:
		challenge = base64.StdEncoding.EncodeToString([]byte(`{"status":"401","schemes":"bearer","scope":"https://outlook.office365.com/"}`))
	default:
		return c.authenticated(auth, initial)
	}
	_, on := c.answer(auth, "334 "+challenge)
	if !on {
		return false
	}
	c.next = response
	line, ok := c.line()
	if !ok {
		return false
	}
	if challenge != "" {
		c.next = quit
		_, on := c.answer(response, "535 5.7.3 Authentication unsuccessful")
		return on
	}
	return c.authenticated(response, line)
}

func (c *conn) authenticated(s stage, initial string) bool {
	decoded, err := base64.StdEncoding.DecodeString(initial)
	if err != nil || !strings.Contains(string(decoded), accessToken) {
		c.put("535 5.7.3 Authentication unsuccessful\r\n")
		return true
	}
	_, on := c.answer(s, "235 2.7.0 Authentication successful")
	c.next = mailFrom
	return on
}

func (c *conn) mail(arg string) bool {
	if c.sender {
		c.put("503 5.5.1 Nested MAIL command\r\n")
		return true
	}
	_, size, _ := strings.Cut(arg, "SIZE=")
	size, _, _ = strings.Cut(size, " ")
	c.size, _ = strconv.Atoi(size)
	taken, on := c.answer(mailFrom, "250 2.1.0 Sender OK")
	c.sender, c.next = taken, rcptTo
	return on
}

func (c *conn) recipient(to string) bool {
	if !c.sender {
		c.put("503 5.5.1 Need MAIL first\r\n")
		return true
	}
	if refusal, ok := c.rcpt[to]; ok {
		c.put(refusal + "\r\n")
		return true
	}
	taken, on := c.answer(rcptTo, "250 2.1.5 Recipient OK")
	if taken {
		c.to = append(c.to, to)
	}
	c.next = data
	return on
}

func (c *conn) data() bool {
	if len(c.to) == 0 {
		c.put("503 5.5.1 Need RCPT first\r\n")
		return true
	}
	c.definite = false // what was said to the message before is not about this one
	c.asked = !c.here(data, before) && !c.here(data, within) || c.cell.fault == slow || c.cell.fault == stray
	taken, on := c.answer(data, "354 Start mail input; end with <CRLF>.<CRLF>")
	if !taken || !on {
		return on
	}
	c.reading = true
	text, ok := c.content()
	c.reading = false
	return ok && c.end(text)
}

// chunk takes the whole content by BDAT.
func (c *conn) chunk(arg string) bool {
	size, last, _ := strings.Cut(arg, " ")
	n, err := strconv.Atoi(size)
	if err != nil || last != "LAST" {
		c.put("501 5.5.4 Invalid arguments\r\n")
		return true
	}
	text := make([]byte, n)
	if _, err := io.ReadFull(c.br, text[:n/2]); err != nil || (c.here(content, line) && !c.strike("")) {
		return false
	}
	if _, err := io.ReadFull(c.br, text[n/2:]); err != nil {
		return false
	}
	if len(c.to) == 0 {
		c.put("503 5.5.1 Need RCPT first\r\n")
		return true
	}
	return c.end(string(text))
}

// content reads up to the final dot; false when it did not come.
func (c *conn) content() (string, bool) {
	if c.here(content, early) && (c.bw.Flush() != nil || !c.strike("")) {
		return "", false
	}
	var text strings.Builder
	for {
		if c.here(content, line) && text.Len() >= c.size/2 && !c.strike("") {
			return "", false
		}
		if text.Len() == c.size && c.here(content, before) && !c.strike("") {
			return "", false
		}
		if !c.wait() {
			return "", false
		}
		if text.Len() == c.size && c.here(dot, line) {
			if b, err := c.br.Peek(1); err != nil || b[0] != '.' || !c.strike("") {
				return "", false
			}
		}
		l, err := c.br.ReadString('\n')
		if err != nil {
			return "", false
		}
		if l == ".\r\n" {
			return text.String(), true
		}
		text.WriteString(strings.TrimPrefix(l, "."))
	}
}

// end decides about a message that came whole and answers.
func (c *conn) end(text string) bool {
	c.dots++
	to := c.to
	c.sender, c.to, c.next = false, nil, quit
	if c.done+1 < c.messages {
		c.next = mailFrom
	}
	defer func() { c.done++ }()
	if c.refused { // said already
		c.refused, c.definite = false, true
		return true
	}
	f := c.cell.fault
	refusal := c.here(dot, before) && f.refusing()
	drops := c.cell.drops && (c.here(dot, before) || c.here(dot, within))
	c.definite = !c.garbled && (!(c.here(dot, before) || c.here(dot, within)) || refusal || f == slow || f == stray)
	if !refusal && !drops {
		m := stored{c.n, to, text}
		if c.onKeep != nil {
			c.onKeep(m)
		}
		c.mu.Lock()
		c.ledger = append(c.ledger, m)
		c.mu.Unlock()
	}
	_, on := c.answer(dot, fmt.Sprintf("250 2.0.0 OK <%d@lab> [Hostname=LAB.prod.outlook.com]", c.n))
	return on
}

// mustServe is serve for tests of one server.
func mustServe(t *testing.T, s *server) *server {
	t.Helper()
	s, err := serve(s)
	if err != nil {
		t.Fatal(err)
	}
	return s
}
