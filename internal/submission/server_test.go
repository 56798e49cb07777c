package submission_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"crypto/x509/pkix"
	"encoding/base64"
	"fmt"
	"io"
	"math/big"
	"net"
	"strings"
	"sync"
	"testing"
	"time"
)

// server is a scripted SMTP server on a real socket, with real TLS. Fields say
// in which way it differs from one that accepts everything, as Exchange would.
type server struct {
	banner    string            // "" = Exchange's
	ext       []string          // EHLO lines before TLS; nil = Exchange's
	extTLS    []string          // after TLS
	say       map[string]string // verb (or "dot", "auth-response") -> reply in place of the usual one
	sayOnce   map[string][]string
	rcpt      map[string]string // forward-path -> reply
	twoStep   bool              // an AUTH line with a response is 501, as over-long lines are elsewhere
	challenge string            // JSON sent in a 334 before the refusal
	afterTLS  string            // octets in clear behind the STARTTLS reply
	closeAt   string            // verb at which the connection is closed instead of a reply
	halfAt    string            // verb that gets half a reply
	silentAt  string            // verb after which nothing is said any more
	stays     bool              // 421 does not end the connection
	noBDAT    bool              // BDAT is an unknown command, and the content more of them
	deaf      string            // said once content begins, which is not read then
	maxRcpt   int               // RCPT beyond it get 452 4.5.3
	onLine    func(line string)
	wrap      func(net.Conn) net.Conn // the TCP connection, under TLS
	beforeDot func()
	silent    func() // called when silentAt is reached

	listener net.Listener
	config   *tls.Config
	wg       sync.WaitGroup

	mu       sync.Mutex
	lines    []string  // every command, of all connections
	accepted []message // with 250 to the final dot
	turns    int       // the client had to wait for us
	conns    int
	raw      []net.Conn
}

type message struct {
	from    string
	to      []string
	content string
}

// exchangeExt is what Exchange offers but for CHUNKING, so that a test without it
// is about DATA.
var exchangeExt = []string{"SIZE 157286400", "PIPELINING", "DSN", "ENHANCEDSTATUSCODES", "STARTTLS", "8BITMIME", "BINARYMIME", "SMTPUTF8"}

func replaceExt(from []string, old, with string) []string {
	var out []string
	for _, e := range from {
		if e == old {
			e = with
		}
		if e != "" {
			out = append(out, e)
		}
	}
	return out
}

// start listens and serves until the test ends. It returns the roots to trust.
func (s *server) start(t *testing.T) (host string, port int, roots *x509.CertPool) {
	t.Helper()
	s.config, roots = certificate(t)
	if s.banner == "" {
		s.banner = "220 LAB.outlook.office365.com Microsoft ESMTP MAIL Service ready at Sat, 21 Nov 2026 12:00:00 +0000 [08DDFAA3FED0C1E0]"
	}
	if s.ext == nil {
		s.ext = exchangeExt
	}
	if s.extTLS == nil {
		s.extTLS = replaceExt(exchangeExt, "STARTTLS", "AUTH LOGIN XOAUTH2")
	}
	var err error
	s.listener, err = net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	s.wg.Go(func() {
		for {
			conn, err := s.listener.Accept()
			if err != nil {
				return
			}
			s.mu.Lock()
			s.conns++
			s.raw = append(s.raw, conn)
			s.mu.Unlock()
			if s.wrap != nil {
				conn = s.wrap(conn)
			}
			s.wg.Go(func() { defer conn.Close(); s.serve(conn) })
		}
	})
	t.Cleanup(func() {
		s.listener.Close()
		s.mu.Lock()
		for _, c := range s.raw {
			c.Close()
		}
		s.mu.Unlock()
		s.wg.Wait()
	})
	addr := s.listener.Addr().(*net.TCPAddr)
	return "127.0.0.1", addr.Port, roots
}

// dialogue is one connection.
type dialogue struct {
	*server
	conn net.Conn
	br   *bufio.Reader
	bw   *bufio.Writer
	tls  bool
	msg  message
	said string // the last reply
}

func (s *server) serve(conn net.Conn) {
	c := &dialogue{server: s, conn: conn}
	c.use(conn)
	if s.closeAt == "greeting" || !c.reply("greeting", s.banner) {
		return
	}
	for {
		line, err := c.line()
		if err != nil || !c.handle(line) {
			return
		}
	}
}

func (c *dialogue) use(conn net.Conn) {
	c.conn, c.br, c.bw = conn, bufio.NewReaderSize(conn, 64<<10), bufio.NewWriter(conn)
}

// line reads a command; before it has to wait, what was said is sent and
// counts as a turn of the client.
func (c *dialogue) line() (string, error) {
	if c.br.Buffered() == 0 {
		if c.bw.Buffered() > 0 {
			c.mu.Lock()
			c.turns++
			c.mu.Unlock()
		}
		if err := c.bw.Flush(); err != nil {
			return "", err
		}
	}
	line, err := c.br.ReadString('\n')
	line = strings.TrimSuffix(line, "\r\n")
	if err == nil {
		c.mu.Lock()
		c.lines = append(c.lines, line)
		c.mu.Unlock()
		if c.onLine != nil {
			c.onLine(line)
		}
	}
	return line, err
}

// reply says text, or what the script has for the verb; false ends the session.
func (c *dialogue) reply(verb, text string) bool {
	c.mu.Lock()
	if once := c.sayOnce[verb]; len(once) > 0 {
		text = once[0]
		c.sayOnce[verb] = once[1:]
	} else if scripted, ok := c.say[verb]; ok {
		text = scripted
	}
	c.mu.Unlock()
	switch verb {
	case c.closeAt:
		c.bw.Flush()
		return false
	case c.halfAt:
		c.bw.WriteString(text[:2])
		c.bw.Flush()
		return false
	case c.silentAt:
		c.bw.Flush()
		if c.silent != nil {
			c.silent()
		}
		io.Copy(io.Discard, c.br) // until the client leaves
		return false
	}
	c.said = text
	c.bw.WriteString(text + "\r\n")
	return c.stays || !strings.HasPrefix(text, "421") || c.bw.Flush() != nil
}

func (c *dialogue) handle(line string) bool {
	verb, arg, _ := strings.Cut(line, " ")
	switch strings.ToUpper(verb) {
	case "EHLO":
		return c.ehlo()
	case "STARTTLS":
		return c.startTLS()
	case "AUTH":
		return c.auth(arg)
	case "MAIL":
		c.msg = message{from: path(arg)}
		return c.reply("mail", "250 2.1.0 Sender OK")
	case "RCPT":
		return c.recipient(path(arg))
	case "DATA":
		return c.data()
	case "BDAT":
		return c.bdat(arg)
	case "RSET":
		return c.reply("rset", "250 2.0.0 Resetting")
	case "QUIT":
		c.reply("quit", "221 2.0.0 Service closing transmission channel")
		c.bw.Flush()
		return false
	}
	return c.reply("unknown", "500 5.3.3 Unrecognized command")
}

func path(arg string) string {
	_, rest, _ := strings.Cut(arg, "<")
	p, _, _ := strings.Cut(rest, ">")
	return p
}

func (c *dialogue) ehlo() bool {
	ext, verb := c.ext, "ehlo"
	if c.tls {
		ext, verb = c.extTLS, "ehlo-tls"
	}
	text := "250-LAB Hello [127.0.0.1]"
	for i, e := range ext {
		sep := "-"
		if i == len(ext)-1 {
			sep = " "
		}
		text += "\r\n250" + sep + e
	}
	return c.reply(verb, text)
}

func (c *dialogue) startTLS() bool {
	if !c.reply("starttls", "220 2.0.0 SMTP server ready") {
		return false
	}
	c.bw.WriteString(c.afterTLS)
	c.bw.Flush()
	c.mu.Lock()
	c.turns += 2 // the reply, and the handshake of TLS 1.3
	c.mu.Unlock()
	conn := tls.Server(c.conn, c.config)
	if conn.Handshake() != nil {
		return false
	}
	c.use(conn)
	c.tls = true
	return true
}

func (c *dialogue) auth(arg string) bool {
	_, response, oneLine := strings.Cut(arg, " ")
	if oneLine && c.twoStep {
		return c.reply("auth-line", "501 5.5.2 Line too long")
	}
	if !oneLine {
		c.bw.WriteString("334 \r\n")
		var err error
		if response, err = c.line(); err != nil {
			return false
		}
	}
	if c.challenge != "" {
		c.bw.WriteString("334 " + base64.StdEncoding.EncodeToString([]byte(c.challenge)) + "\r\n")
		if answer, err := c.line(); err != nil || answer != "" {
			return false
		}
		return c.reply("auth", "535 5.7.3 Authentication unsuccessful")
	}
	if _, err := base64.StdEncoding.DecodeString(response); err != nil {
		return c.reply("auth", "501 5.5.2 Cannot decode")
	}
	return c.reply("auth", "235 2.7.0 Authentication successful")
}

func (c *dialogue) recipient(to string) bool {
	text := "250 2.1.5 Recipient OK"
	if refused, ok := c.rcpt[to]; ok {
		text = refused
	} else if c.maxRcpt > 0 && len(c.msg.to) >= c.maxRcpt {
		text = "452 4.5.3 Too many recipients"
	} else {
		c.msg.to = append(c.msg.to, to)
	}
	return c.reply("rcpt", text)
}

func (c *dialogue) data() bool {
	if len(c.msg.to) == 0 && c.say["data"] == "" {
		return c.reply("data", "503 5.5.2 Need rcpt command")
	}
	if scripted, ok := c.say["data"]; ok && !strings.HasPrefix(scripted, "354") {
		return c.reply("data", "")
	}
	if !c.reply("data", "354 Start mail input; end with <CRLF>.<CRLF>") {
		return false
	}
	if !strings.HasPrefix(c.said, "354") {
		return true
	}
	if c.deaf != "" {
		c.bw.Flush()
		_, _ = c.br.Peek(1)
		fmt.Fprint(c.bw, c.deaf+"\r\n")
		c.bw.Flush()
		c.beforeDot()
		return false
	}
	var content strings.Builder
	for first := true; ; first = false {
		if c.br.Buffered() == 0 && first {
			c.mu.Lock()
			c.turns++
			c.mu.Unlock()
		}
		c.bw.Flush()
		line, err := c.br.ReadString('\n')
		if err != nil {
			return false
		}
		if line == ".\r\n" {
			break
		}
		content.WriteString(strings.TrimPrefix(line, "."))
	}
	c.msg.content = content.String()
	return c.dot()
}

// bdat takes one chunk with the whole content.
func (c *dialogue) bdat(arg string) bool {
	if c.noBDAT {
		return c.reply("bdat", "500 5.5.1 Unrecognized command")
	}
	var size int
	if _, err := fmt.Sscanf(arg, "%d LAST", &size); err != nil {
		return c.reply("bdat", "501 5.5.4 Invalid arguments")
	}
	content := make([]byte, size)
	if _, err := io.ReadFull(c.br, content); err != nil {
		return false
	}
	if len(c.msg.to) == 0 {
		return c.reply("bdat", "503 5.5.2 Need rcpt command")
	}
	c.msg.content = string(content)
	return c.end("bdat")
}

func (c *dialogue) dot() bool { return c.end("dot") }

// end answers the end of the content, and keeps it when it says yes.
func (c *dialogue) end(verb string) bool {
	c.said = ""
	if c.beforeDot != nil {
		c.beforeDot()
	}
	ok := c.reply(verb, fmt.Sprintf("250 2.0.0 OK <%d@lab> [Hostname=LAB.prod.outlook.com]", len(c.accepted)))
	if strings.HasPrefix(c.said, "2") {
		c.mu.Lock()
		c.accepted = append(c.accepted, c.msg)
		c.mu.Unlock()
	}
	c.msg = message{}
	return ok
}

func (s *server) commands() []string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]string(nil), s.lines...)
}

func (s *server) stored() []message {
	s.mu.Lock()
	defer s.mu.Unlock()
	return append([]message(nil), s.accepted...)
}

// certificate makes a certificate for 127.0.0.1 that is its own root.
func certificate(t *testing.T) (*tls.Config, *x509.CertPool) {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{
		SerialNumber: big.NewInt(1), Subject: pkix.Name{CommonName: "lab"}, IsCA: true, BasicConstraintsValid: true,
		NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour),
		IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)},
	}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	cert, err := x509.ParseCertificate(der)
	if err != nil {
		t.Fatal(err)
	}
	roots := x509.NewCertPool()
	roots.AddCert(cert)
	return &tls.Config{Certificates: []tls.Certificate{{Certificate: [][]byte{der}, PrivateKey: key}}}, roots
}
