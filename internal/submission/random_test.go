package submission_test

import (
	"bufio"
	"fmt"
	"io"
	"math/rand/v2"
	"net"
	"os"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/submission"
)

// randomServers is how many servers TestReceiptsOfRandomServers makes, each of its
// own seed. SMTPSEND_NIGHTLY=1 makes all.
func randomServers() uint64 {
	if os.Getenv("SMTPSEND_NIGHTLY") == "1" {
		return 40_000
	}
	return 500
}

// TestReceiptsOfRandomServers submits by BDAT to servers that refuse, leave, say
// replies too many and lose some. No receipt may say of a recipient that it was
// accepted when the server has nothing for it, and none that it was not when the
// server has. Of a server in step the receipt says no doubt but where a reply was lost.
func TestReceiptsOfRandomServers(t *testing.T) {
	t.Parallel()
	seeds := make(chan uint64)
	var wg sync.WaitGroup
	for range 16 {
		wg.Go(func() {
			for seed := range seeds {
				if problem := newRandomServer(seed).problem(t); problem != "" {
					t.Errorf("seed %d: %s", seed, problem)
				}
			}
		})
	}
	for seed := range randomServers() {
		seeds <- seed
	}
	close(seeds)
	wg.Wait()
}

// randomServer is an SMTP server on a real socket. Up to the content of BDAT it says
// nothing, then all replies in one write, as a server does that answers when it has
// nothing more to read; when late, the reply to BDAT comes after the others.
type randomServer struct {
	rng    *rand.Rand
	to     []string
	codes  bool // has enhanced status codes, those to MAIL and RCPT about addresses (X.1.Y)
	strays int  // replies too many, in the first connection
	late   bool

	mu       sync.Mutex
	conns    int
	outOf    bool // of step: said too much, or stayed after 421
	lost     bool // a reply, or said what makes no sense
	stored   map[string]int
	dialogue []string
}

func newRandomServer(seed uint64) *randomServer {
	rng := rand.New(rand.NewPCG(seed, 0))
	s := &randomServer{rng: rng, codes: rng.IntN(3) > 0, stored: map[string]int{}}
	for i := range 1 + rng.IntN(3) {
		s.to = append(s.to, fmt.Sprintf("%c@contoso.example", 'a'+i))
	}
	s.strays = []int{0, 0, 0, 1, 1, 1, 2}[rng.IntN(7)]
	s.late = s.codes && rng.IntN(4) == 0
	return s
}

// problem submits a message to s and is what is wrong with the receipt, "" when
// nothing is.
func (s *randomServer) problem(t *testing.T) string {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		return err.Error()
	}
	var wg sync.WaitGroup
	wg.Go(func() {
		for {
			conn, err := l.Accept()
			if err != nil {
				return
			}
			wg.Go(func() { defer conn.Close(); s.serve(conn) })
		}
	})
	m := compose(t, s.to...)
	r := s.submit(t, l.Addr().(*net.TCPAddr).Port, m)
	_ = l.Close()
	wg.Wait()
	for _, rcpt := range r.Recipients {
		n := s.stored[rcpt.ForwardPath]
		has, accepted, doubt := n > 0, rcpt.Outcome == smtp.Accepted, rcpt.Outcome == smtp.InDoubt
		unknowable := s.late && s.outOf // whose the last refusal was: it came before the rest
		switch {
		case accepted && !has, has && !accepted && !doubt && !unknowable, n > 1 && !unknowable, doubt && !s.outOf && !s.lost:
			return fmt.Sprintf("%s is %s and stored %d times; err %v; dialogue\n\t%s", rcpt.ForwardPath, rcpt.Outcome, n, r.Err(), strings.Join(s.dialogue, "\n\t"))
		}
	}
	return ""
}

func (s *randomServer) submit(t *testing.T, port int, m *mailobject.Mail) *submission.Receipt {
	sender := submission.NewSender(session.Options{
		Host: "127.0.0.1", Port: port, Security: session.Plaintext, Mailbox: mailbox, Tokens: oneToken(), EHLOName: "client.example",
	})
	defer sender.Close()
	return sender.Submit(t.Context(), m, submission.Policy{Attempts: 3, FirstWait: time.Microsecond})
}

// randomDialogue is one connection.
type randomDialogue struct {
	*randomServer
	br      *bufio.Reader
	bw      *bufio.Writer
	first   bool // connection, which has all the faults
	from    bool // MAIL was accepted
	to      []string
	replies int // in this transaction
	strayAt []int
	leaving bool
}

func (s *randomServer) serve(conn net.Conn) {
	s.mu.Lock()
	defer s.mu.Unlock() // the client has one connection at a time
	s.conns++
	d := &randomDialogue{randomServer: s, br: bufio.NewReaderSize(conn, 64<<10), bw: bufio.NewWriter(conn), first: s.conns == 1}
	if d.first {
		for range s.strays {
			d.strayAt = append(d.strayAt, s.rng.IntN(len(s.to)+2))
		}
	}
	d.say("220 lab ESMTP")
	for !d.leaving {
		line, err := d.line()
		if err != nil {
			return
		}
		d.handle(line)
	}
	_ = d.bw.Flush()
}

// line is the next command; replies to MAIL and RCPT wait for that to what follows.
func (d *randomDialogue) line() (string, error) {
	if d.br.Buffered() == 0 {
		_ = d.bw.Flush()
	}
	line, err := d.br.ReadString('\n')
	line = strings.TrimSuffix(line, "\r\n")
	d.dialogue = append(d.dialogue, "C: "+line)
	return line, err
}

func (d *randomDialogue) say(reply string) {
	if !d.codes && len(reply) > 10 && reply[5] == '.' && reply[7] == '.' {
		reply = reply[:4] + reply[10:]
	}
	d.dialogue = append(d.dialogue, "S: "+reply)
	_, _ = d.bw.WriteString(reply + "\r\n")
}

func (d *randomDialogue) handle(line string) {
	verb, arg, _ := strings.Cut(line, " ")
	switch verb {
	case "EHLO":
		d.say("250-lab\r\n250-PIPELINING\r\n250-CHUNKING\r\n250-ENHANCEDSTATUSCODES\r\n250 AUTH XOAUTH2")
	case "AUTH":
		d.say("235 2.7.0 ok")
	case "RSET":
		d.from, d.to = false, nil
		d.say("250 2.0.0 reset")
	case "MAIL":
		d.replies, d.from, d.to = 0, false, nil
		d.answer(d.draw("250 2.1.0 sender ok", "451 4.3.0 later", "550 5.7.60 no", "421 4.3.2 leaving"), func() { d.from = true })
	case "RCPT":
		if !d.from {
			d.answer("503 5.5.1 no MAIL", nil)
			return
		}
		d.answer(d.draw("250 2.1.5 recipient ok", "451 4.3.0 later", "550 5.1.1 unknown", "421 4.3.2 leaving"), func() { d.to = append(d.to, path(arg)) })
	case "BDAT":
		d.bdat(arg)
	case "DATA":
		d.data()
	default:
		d.say("221 2.0.0 bye")
		d.leaving = true
	}
}

// draw is mostly ok.
func (d *randomDialogue) draw(ok string, others ...string) string {
	if !d.first || d.rng.IntN(10) < 7 {
		return ok
	}
	return others[d.rng.IntN(len(others))]
}

// answer says reply, and a reply too many before it where one is due. then is done
// when the reply is positive.
func (d *randomDialogue) answer(reply string, then func()) {
	for _, at := range d.strayAt {
		if at != d.replies || d.leaving {
			continue
		}
		d.outOf = true
		strays := []string{"250 2.1.0 sender ok", "250 2.1.5 recipient ok", "451 4.3.0 stray", "550 5.1.1 stray", "503 5.5.1 stray", "500 5.5.1 stray", "421 4.3.2 stray"}
		d.say(strays[d.rng.IntN(len(strays))])
	}
	d.replies++
	if d.leaving {
		return
	}
	d.say(reply)
	switch {
	case strings.HasPrefix(reply, "2") && then != nil:
		then()
	case strings.Contains(reply, "421"):
		stays := d.rng.IntN(3) == 0 && strings.HasPrefix(reply, "421")
		d.leaving, d.outOf = !stays, d.outOf || stays
	}
}

// bdat takes one chunk with the whole content, or does not know the command and
// takes its lines for more of them.
func (d *randomDialogue) bdat(arg string) {
	var size int
	_, _ = fmt.Sscanf(arg, "%d LAST", &size)
	content := make([]byte, size)
	if _, err := io.ReadFull(d.br, content); err != nil {
		d.leaving = true
		return
	}
	if d.late {
		_ = d.bw.Flush()
	}
	if len(d.to) == 0 {
		d.answer("503 5.5.1 no recipients", nil)
		return
	}
	others := []string{"451 4.3.0 later", "554 5.7.1 no", "552 5.3.4 header size", "500 5.5.1 unknown", "421 4.3.2 leaving", "554 5.7.1 no\r\n421 4.3.2 leaving", "354 what"}
	lose := d.codes || d.strays == 0 // else the last reply that comes may be that to BDAT
	if lose {
		others = append(others, "half", "close")
	}
	reply := d.draw("250 2.0.0 queued", others...)
	switch reply {
	case "half", "close":
		d.lost, d.leaving = true, true
		if reply == "half" {
			_, _ = d.bw.WriteString("25")
		}
		return
	case "354 what":
		d.lost = true
	}
	d.answer(reply, d.store)
	if strings.HasPrefix(reply, "500") {
		for range strings.Count(string(content), "\n") {
			d.say("500 5.5.1 unknown")
		}
	}
}

func (d *randomDialogue) store() {
	for _, to := range d.to {
		d.stored[to]++
	}
	d.from, d.to = false, nil
}

func (d *randomDialogue) data() {
	if len(d.to) == 0 {
		d.say("503 5.5.1 no recipients")
		return
	}
	d.say("354 go on")
	for {
		line, err := d.line()
		if err != nil {
			d.leaving = true
			return
		}
		if line == "." {
			break
		}
	}
	d.say("250 2.0.0 queued")
	d.store()
}
