package relay_test

import (
	"bufio"
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/tls"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"io"
	"math/big"
	"net"
	"path/filepath"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/relay"
	"github.com/smtpsend/smtpsend/internal/relay/event"
	"github.com/smtpsend/smtpsend/internal/sandbox"
)

// under has clients do something again and again until stop is called.
func under(clients int, do func()) (stop func()) {
	done := make(chan struct{})
	var all sync.WaitGroup
	for range clients {
		all.Go(func() {
			for {
				select {
				case <-done:
					return
				default:
					do()
				}
			}
		})
	}
	return func() { close(done); all.Wait() }
}

// newCertificate writes a certificate with a serial number, and its key.
func (l *lab) newCertificate(serial int64) {
	l.t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		l.t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(serial), NotBefore: time.Now().Add(-time.Hour), NotAfter: time.Now().Add(time.Hour), IPAddresses: []net.IP{net.IPv4(127, 0, 0, 1)}}
	der, err := x509.CreateCertificate(rand.Reader, template, template, key.Public(), key)
	if err != nil {
		l.t.Fatal(err)
	}
	private, err := x509.MarshalPKCS8PrivateKey(key)
	if err != nil {
		l.t.Fatal(err)
	}
	// One file: no handshake sees a certificate without its key.
	both := pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der})
	l.write("both.pem", string(append(both, pem.EncodeToMemory(&pem.Block{Type: "PRIVATE KEY", Bytes: private})...)))
}

// A certificate is replaced again and again while clients come: each handshake works, and
// the first after a reload shows the new one.
func TestCertificateReplacedUnderLoad(t *testing.T) {
	l := newLab(t, local(anyone), with{})
	l.newCertificate(1)
	both := filepath.Join(l.dir, "both.pem")
	l.settings(fmt.Sprintf("listeners: [{address: 'smtps://127.0.0.1:0', certificate: %q, key: %q}]\nclients: [%s]\n", both, both, anyone))
	if err := l.reload(); err != nil {
		t.Fatal(err)
	}
	at := l.first()
	stop := under(4, func() {
		c := l.dial(at).startTLS().dialogue(hello + mailFrom + "S: 250\nC: QUIT\nS: 221")
		_ = c.conn.Close()
	})
	for serial := range int64(20) {
		l.newCertificate(serial + 2)
		if err := l.reload(); err != nil {
			t.Error(err)
		}
		c := l.dial(at).startTLS()
		if shown := c.conn.(*tls.Conn).ConnectionState().PeerCertificates[0].SerialNumber.Int64(); shown != serial+2 {
			t.Errorf("certificate %d is shown after the reload of %d", shown, serial+2)
		}
		c.dialogue("S: 220\nC: QUIT\nS: 221").closed()
	}
	stop()
	if got := l.codes(); len(got) > 0 {
		t.Errorf("refused with %q", got)
	}
}

// The clock goes a year ahead and two back, as one does that starts without its battery:
// mail is taken and submitted all the same, and what waited is not given up.
func TestClockThatJumps(t *testing.T) {
	var jumped atomic.Int64
	began := time.Now()
	now := func() time.Time { return time.Now().Add(time.Duration(jumped.Load())) }
	steady := func() (string, time.Duration) { return "boot", time.Since(began) }
	l := newLab(t, local(anyone), with{relay: relay.Options{Now: now}, outbox: outbox.Options{Clock: now, Steady: steady}})
	e := newExchange(t, sandbox.Options{})
	const year = 365 * 24 * time.Hour
	subject := 0
	take := func() {
		t.Helper()
		subject++
		l.dial(localhost).dialogue(message(fmt.Sprintf("Subject: %d\n", subject), "250 2.0.0"))
	}
	for _, jump := range []time.Duration{0, year, -2 * year, year} {
		take() // it waits through the jump
		jumped.Add(int64(jump))
		take()
		l.courier(e)
		if n := len(e.Messages()); n != subject {
			t.Errorf("after a jump of %v %d of %d messages arrived", jump, n, subject)
		}
	}
	if got := l.codes(); len(got) > 0 {
		t.Errorf("refused with %q", got)
	}
}

// Clients that never end their command hold no more than the connections of their own
// address.
func TestSlowClientsKeepNoOneElseOut(t *testing.T) {
	l := newLab(t, fmt.Sprintf("listeners: [{address: %q, limits: {connections: 100, connections_per_address: 5}}]\nclients: [%s]\n", localhost, anyone), with{})
	from := func(address string) *client {
		t.Helper()
		d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
		conn, err := d.Dial("tcp", l.relay.Addr(localhost).String())
		if err != nil {
			t.Skipf("this system has one address of loopback: %v", err)
		}
		t.Cleanup(func() { conn.Close() })
		return &client{t, conn, bufio.NewReader(conn)}
	}
	var slow []*client
	for range 5 {
		c := from("127.0.0.9").dialogue("S: 220")
		c.write("EHL")
		slow = append(slow, c)
	}
	from("127.0.0.9").dialogue("S: 421 4.7.0")
	from("127.0.0.8").dialogue(message("Subject: x\n", "250 2.0.0"))
	for _, c := range slow { // one octet more does not end it either
		c.write("O")
	}
	from("127.0.0.9").dialogue("S: 421 4.7.0")
	from("127.0.0.8").dialogue(message("Subject: x\n", "250 2.0.0"))
	_ = slow[0].conn.(*net.TCPConn).CloseWrite()
	slow[0].closed() // by the server, which has freed the place before
	from("127.0.0.9").dialogue(message("Subject: x\n", "250 2.0.0"))
}

// FuzzCommands throws octets at a relay. It speaks SMTP whatever they are, in lines of
// ASCII; each message that it says is queued is in the outbox, and no other; and each
// refusal that is told of has a code.
func FuzzCommands(f *testing.F) {
	for _, d := range devices {
		f.Add([]byte(strings.NewReplacer("<mail>", "MAIL FROM:<a@contoso.example>\r\nRCPT TO:<x@contoso.example>\r\nDATA\r\nSubject: page\r\n\r\ntext\r\n.\r\n",
			"<content>", "Subject: page\r\n\r\ntext\r\n.\r\n").Replace(d.raw)))
	}
	f.Add([]byte("EHLO x\r\nAUTH LOGIN\r\n*\r\nAUTH PLAIN AGEAYg==\r\nMAIL FROM:<> SIZE=99999999999 BODY=8BITMIME SMTPUTF8\r\nRCPT TO:<a@contoso.example> NOTIFY=NEVER\r\nBDAT 4 LAST\r\nX: y"))
	l := newLab(f, "users_file: users\ndefault_mailbox: noreply@contoso.example\nlisteners: [{address: "+localhost+", policy: ip-or-auth}]\nclients: [{name: here, networks: [127.0.0.1], senders: ['*@contoso.example']}, {name: erp, user: erp}]\n",
		with{users: usersFile(f)})
	f.Fuzz(func(t *testing.T, in []byte) {
		l.t = t
		before, told := len(l.queued()), len(l.events())
		c := l.dial(localhost)
		go func() {
			_, _ = c.conn.Write(in)
			_ = c.conn.(*net.TCPConn).CloseWrite()
		}()
		out, _ := io.ReadAll(c.conn) // it may be reset, when octets are left
		<-l.left
		queued := 0
		for text := range strings.Lines(string(out)) {
			if len(text) > 512 || len(text) < 6 || !strings.HasSuffix(text, "\r\n") || strings.Trim(text[:3], "0123456789") != "" || strings.IndexFunc(text[3:len(text)-2], func(c rune) bool { return c < ' ' || c > '~' }) >= 0 {
				t.Errorf("reply %q", text)
			}
			if strings.HasPrefix(text, "250 2.0.0 queued as ") {
				queued++
			}
		}
		if n := len(l.queued()) - before; n != queued {
			t.Errorf("%d messages are in the outbox, and %d were said to be:\n%s", n, queued, out)
		}
		for _, e := range l.events()[told:] {
			if e.Code == event.Code("") {
				t.Errorf("refused without a code: %+v", e)
			}
		}
	})
}
