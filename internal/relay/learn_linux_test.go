package relay_test

import (
	"context"
	"crypto/tls"
	"io"
	"net"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/smtpsend/smtpsend/internal/relay"
	"github.com/smtpsend/smtpsend/internal/relay/certificate"
	"github.com/smtpsend/smtpsend/internal/relay/event"
	"github.com/smtpsend/smtpsend/internal/relay/observation"
	"github.com/smtpsend/smtpsend/internal/relay/relayfile"
	"github.com/smtpsend/smtpsend/internal/relay/sessions"
	"github.com/smtpsend/smtpsend/internal/relay/smarthost"
	"github.com/smtpsend/smtpsend/internal/relay/users"
	"github.com/smtpsend/smtpsend/internal/smtpserver"
)

// oldHost is the smart host from before the move.
type oldHost struct {
	addr string
	tls  *tls.Config // nil: without STARTTLS

	mu      sync.Mutex
	replies map[string]smtpserver.Reply // to a verb, or to the content
	mails   []oldMail
}

type oldMail struct {
	from, content string
	to            []string
	overTLS       bool
}

type oldSession struct {
	host *oldHost
	peer *smtpserver.Peer
	mail oldMail
}

func newOldHost(t *testing.T, withTLS bool) *oldHost {
	t.Helper()
	h := &oldHost{replies: map[string]smtpserver.Reply{}}
	if withTLS {
		c, err := certificate.Open(t.Context(), certificate.Options{Dir: t.TempDir(), Names: []string{"old"}})
		if err != nil {
			t.Fatal(err)
		}
		h.tls = c.Config(0)
	}
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	h.addr = l.Addr().String()
	s := smtpserver.New(smtpserver.Options{TLSConfig: h.tls, NewSession: func(_ context.Context, p *smtpserver.Peer) smtpserver.Session { return &oldSession{host: h, peer: p} }})
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(context.Background(), l)
	}()
	t.Cleanup(func() {
		s.Close()
		<-done
	})
	return h
}

func (h *oldHost) set(verb string, code int, lines ...string) {
	h.mu.Lock()
	defer h.mu.Unlock()
	h.replies[verb] = smtpserver.Say(code, lines...)
}

func (h *oldHost) took() []oldMail {
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.mails
}

func (s *oldSession) reply(verb string, code int, lines ...string) smtpserver.Reply {
	s.host.mu.Lock()
	defer s.host.mu.Unlock()
	if r, ok := s.host.replies[verb]; ok {
		return r
	}
	return smtpserver.Say(code, lines...)
}

func (s *oldSession) Greeting(context.Context) smtpserver.Reply { return s.reply("220", 220, "old") }
func (s *oldSession) StartTLS(context.Context) smtpserver.Reply {
	return s.reply("STARTTLS", 220, "go")
}
func (s *oldSession) Hello(context.Context, string, bool) smtpserver.Reply {
	if s.host.tls != nil && s.peer.TLS() == nil {
		return s.reply("EHLO", 250, "old", "8BITMIME", "STARTTLS")
	}
	return s.reply("EHLO", 250, "old", "8BITMIME")
}
func (s *oldSession) Auth(context.Context, string, []byte, func([]byte) ([]byte, error)) smtpserver.Reply {
	return smtpserver.Say(502, "no")
}
func (s *oldSession) Mail(_ context.Context, m smtpserver.Mail) smtpserver.Reply {
	s.mail = oldMail{from: m.ReversePath, overTLS: s.peer.TLS() != nil}
	return s.reply("MAIL", 250, "2.1.0 fine")
}
func (s *oldSession) Rcpt(_ context.Context, r smtpserver.Rcpt) smtpserver.Reply {
	reply := s.reply("RCPT", 250, "2.1.5 fine")
	if reply.Code == 250 {
		s.mail.to = append(s.mail.to, r.ForwardPath)
	}
	return reply
}
func (s *oldSession) Data(context.Context) smtpserver.Reply { return s.reply("DATA", 354, "go") }
func (s *oldSession) Content(_ context.Context, in io.Reader) smtpserver.Reply {
	text, err := io.ReadAll(in)
	reply := s.reply("content", 250, "2.0.0 delivered by the old one")
	if err == nil && reply.Code == 250 {
		s.mail.content = string(text)
		s.host.mu.Lock()
		s.host.mails = append(s.host.mails, s.mail)
		s.host.mu.Unlock()
	}
	return reply
}
func (s *oldSession) Reset()                                {}
func (s *oldSession) Quit(context.Context) smtpserver.Reply { return smtpserver.Say(221, "bye") }
func (s *oldSession) Logout()                               {}

// learning is the mode for one address.
func learning(address string, to *oldHost) relay.Options {
	l := &relay.Learning{Networks: relayfile.Networks{netip.MustParsePrefix(address + "/32")}}
	if to != nil {
		l.PassTo = &smarthost.Host{Addr: to.addr, Hello: "relay.contoso.example"}
	}
	return relay.Options{Learning: l}
}

// everywhere is a listener that other hosts could reach, and admits no one.
const everywhere = "listeners: [{address: 'starttls://0.0.0.0:0', policy: ip-or-auth, tls_min: '1.0'}]\n"

// from connects from an address.
func (l *lab) from(address string) *client {
	l.t.Helper()
	to := l.relay.Addr(l.first()).(*net.TCPAddr)
	d := net.Dialer{LocalAddr: &net.TCPAddr{IP: net.ParseIP(address)}}
	conn, err := d.Dial("tcp", net.JoinHostPort("127.0.0.1", netip.AddrPortFrom(netip.IPv4Unspecified(), uint16(to.Port)).String()[len("0.0.0.0:"):]))
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { conn.Close() })
	return newClient(l.t, conn)
}

const (
	signIn  = "C: AUTH LOGIN\nS: 334 VXNlcm5hbWU6\nC: " + erp + "\nS: 334 UGFzc3dvcmQ6\nC: " + wrong + "\nS: 235\n"
	mailOf1 = "C: MAIL FROM:<scan@contoso.example>\nS: 250\nC: RCPT TO:<x@contoso.example>\nS: 250\nC: DATA\nS: 354\n"
	page    = "C: From: Scanner <scan@contoso.example>\nC: Subject: page\nC:\nC: text\nC: .\n"
)

func TestLearningTakesWhoeverIsInItsNetworks(t *testing.T) {
	l := newLab(t, everywhere, with{relay: learning("127.0.0.3", nil)})
	c := l.from("127.0.0.3")
	c.dialogue("S: 220")
	c.dialogue("C: EHLO printer\nS: 250-relay.contoso.example")
	c.dialogue(signIn + mailOf1 + page + "S: 250 2.0.0 queued as ")
	v := l.leave(c)
	if !v.Learned || v.User != "erp" || v.Client != "observed" || v.Messages != 1 || len(v.Authors) != 1 || len(l.queued()) != 1 {
		t.Errorf("visit %+v", v)
	}
	l.from("127.0.0.1").dialogue(hello + "C: MAIL FROM:<a@contoso.example>\nS: 530 5.7.0 Must issue a STARTTLS command first")
	l.note(func() {
		for _, secret := range []string{"wrong", wrong} {
			if strings.Contains(l.log.String(), secret) {
				t.Errorf("the password is in the log:\n%s", &l.log)
			}
		}
	})
}

// TestLearningChecksUsersThatItKnows: their client is that of the file.
func TestLearningChecksUsersThatItKnows(t *testing.T) {
	const settings = "listeners: [{address: 'starttls://0.0.0.0:0', policy: auth}]\nusers_file: users\nclients: [{name: erp-server, user: erp}]"
	l := newLab(t, settings, with{relay: learning("127.0.0.3", nil), users: usersFile(t)})
	right := l.from("127.0.0.3").dialogue(hello + "C: AUTH PLAIN " + plainErp + "\nS: 235\n" + mailOf1 + page + "S: 250")
	if v := l.leave(right); v.Learned || v.Client != "erp-server" {
		t.Errorf("%+v", v)
	}
	if v := l.leave(l.from("127.0.0.3").dialogue(hello + signIn + mailOf1 + page + "S: 250")); !v.Learned || v.Client != "observed" {
		t.Errorf("%+v", v)
	}
}

// TestAnOldDeviceIsExplained: what its handshake offered is in the words.
func TestAnOldDeviceIsExplained(t *testing.T) {
	const strict = "listeners: [{address: 'smtps://0.0.0.0:0', policy: auth}]\nusers_file: users\nclients: [{name: erp, user: erp}]"
	l := newLab(t, strict, with{users: usersFile(t)})
	old := &tls.Config{InsecureSkipVerify: true, MinVersion: tls.VersionTLS10, MaxVersion: tls.VersionTLS10}
	if err := tls.Client(l.from("127.0.0.3").conn, old).Handshake(); err == nil {
		t.Fatal("the handshake worked")
	}
	l.relay.Close() // all is told
	const want = `127.0.0.3 offered TLS 1.0 only, and this listener takes 1.2 or newer: give it a listener with tls_min: "1.0", or admit it by address without TLS`
	if len(l.refusals) != 1 || sessions.Cause(&l.refusals[0]) != want || l.refusals[0].Entry() != "relay-handshake-failed" {
		t.Errorf("told %+v", l.refusals)
	}
}

func TestPassingOnIsOctetForOctet(t *testing.T) {
	for name, withTLS := range map[string]bool{"in clear": false, "over TLS": true} {
		t.Run(name, func(t *testing.T) {
			host := newOldHost(t, withTLS)
			l := newLab(t, everywhere, with{relay: learning("127.0.0.3", host)})
			content := "From: Scanner <scan@contoso.example>\r\nSubject: \xe4\xf6\r\nX: " + strings.Repeat("y", 2000) + "\r\n\r\n.\r\n..dots\r\n\x00\xff" + strings.Repeat("z", 100_000) + "\r\n"
			c := l.from("127.0.0.3").dialogue(hello + "C: MAIL FROM:<root> BODY=8BITMIME\nS: 250 2.1.0 fine\nC: RCPT TO:<boss>\nS: 250 2.1.5 fine\nC: DATA\nS: 354")
			c.write(strings.ReplaceAll(content, "\r\n.", "\r\n..") + ".\r\n")
			c.dialogue("S: 250 2.0.0 delivered by the old one")
			v := l.leave(c)
			mails := host.took()
			if len(mails) != 1 {
				t.Fatalf("%d mails", len(mails))
			}
			trace, rest, _ := strings.Cut(mails[0].content, "\r\nFrom:")
			if "From:"+rest != content || !strings.HasPrefix(trace, "Received: from device ([127.0.0.3]) by relay.contoso.example") {
				t.Errorf("trace %q, the content is the same: %v", trace, "From:"+rest == content)
			}
			if mails[0].from != "root" || mails[0].to[0] != "boss" || mails[0].overTLS != withTLS {
				t.Errorf("%+v", mails[0].to)
			}
			if v.Messages != 1 || v.Authors[0] != "scan@contoso.example" || v.Octets != int64(len(content)) || len(l.queued()) != 0 {
				t.Errorf("visit %+v", v)
			}
		})
	}
}

// TestTheClientGetsTheReplyOfTheOldHost, and nothing of its refusals is ours.
func TestTheClientGetsTheReplyOfTheOldHost(t *testing.T) {
	tests := map[string]struct {
		verb  string
		code  int
		text  string
		reply string // to the last line of the dialogue
		steps string
	}{
		"MAIL":         {"MAIL", 550, "5.7.1 not you", "550 5.7.1 not you", "C: MAIL FROM:<a@contoso.example>\n"},
		"RCPT":         {"RCPT", 550, "no such user", "550 no such user", "C: MAIL FROM:<a@contoso.example>\nS: 250\nC: RCPT TO:<x@contoso.example>\n"},
		"content":      {"content", 554, "5.6.0 spam", "554 5.6.0 spam", mailOf1 + page},
		"later":        {"content", 452, "4.3.1 full", "452 4.3.1 full", mailOf1 + page},
		"DATA":         {"DATA", 451, "4.3.0 no", "451 4.3.0 no", mailOf1 + page},
		"it leaves":    {"MAIL", 421, "4.3.2 bye", "451 4.4.2 the smart host ", "C: MAIL FROM:<a@contoso.example>\n"},
		"no greeting":  {"220", 554, "no", "451 4.4.1 the smart host ", "C: MAIL FROM:<a@contoso.example>\n"},
		"no go-ahead":  {"DATA", 250, "2.0.0 OK", "451 4.4.2 the smart host ", mailOf1 + page},
		"odd MAIL":     {"MAIL", 354, "go", "451 4.4.2 the smart host ", "C: MAIL FROM:<a@contoso.example>\n"},
		"EHLO refused": {"EHLO", 451, "no", "451 4.4.1 the smart host ", "C: MAIL FROM:<a@contoso.example>\n"},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			host := newOldHost(t, false)
			host.set(tt.verb, tt.code, tt.text)
			l := newLab(t, everywhere, with{relay: learning("127.0.0.3", host)})
			c := l.from("127.0.0.3").dialogue(hello + tt.steps + "S: " + tt.reply)
			if v := l.leave(c); v.Messages != 0 || len(host.took()) != 0 {
				t.Errorf("%+v", v)
			}
			if codes := l.codes(); len(codes) == 0 || codes[0] != string(event.SmartHost) {
				t.Errorf("refused %q", codes)
			}
		})
	}
}

// TestAnyYesOfTheOldHostBeginsAMessage: of a reply, the first digit says yes or no (RFC 5321
// 4.2.1).
func TestAnyYesOfTheOldHostBeginsAMessage(t *testing.T) {
	host := newOldHost(t, false)
	host.set("MAIL", 251, "2.1.0 yes")
	l := newLab(t, everywhere, with{relay: learning("127.0.0.3", host)})
	l.from("127.0.0.3").dialogue(hello + "C: MAIL FROM:<a@contoso.example>\nS: 251\nC: RCPT TO:<x@contoso.example>\nS: 250")
}

func TestAnOldHostThatIsNotThereIsTroubleOfOurs(t *testing.T) {
	host := newOldHost(t, false)
	host.addr = "127.0.0.1:1"
	l := newLab(t, everywhere, with{relay: learning("127.0.0.3", host)})
	l.from("127.0.0.3").dialogue(hello + "C: MAIL FROM:<a@contoso.example>\nS: 451 4.4.1 the smart host 127.0.0.1:1 cannot be reached, try again later")
}

// TestACutContentIsNotPassedOn: the old host gets no dot.
func TestACutContentIsNotPassedOn(t *testing.T) {
	host := newOldHost(t, false)
	l := newLab(t, everywhere, with{relay: learning("127.0.0.3", host)})
	c := l.from("127.0.0.3").dialogue(hello + mailOf1 + "C: Subject: x\nC:\nC: half")
	if v := l.leave(c); v.Messages != 0 || len(host.took()) != 0 {
		t.Errorf("%+v, %+v", v, host.took())
	}
	large := newLab(t, strings.Replace(everywhere, "ip-or-auth,", "ip-or-auth, limits: {size: 65536},", 1), with{relay: learning("127.0.0.3", host)})
	c = large.from("127.0.0.3").dialogue(hello + mailOf1)
	c.write("Subject: x\r\n\r\n" + strings.Repeat("0123456789\r\n", 7000) + ".\r\n")
	c.dialogue("S: 552 5.3.4")
	if v := large.leave(c); v.Messages != 0 || len(host.took()) != 0 {
		t.Errorf("%+v, %d mails", v, len(host.took()))
	}
}

// TestWhatWasObservedIsPutInPlace: the same clients get through, everyone else is refused.
func TestWhatWasObservedIsPutInPlace(t *testing.T) {
	overTLS := "C: STARTTLS\nS: 220\nT:\nC: EHLO device\nS: 250-\n"
	scanner := hello + mailOf1 + page + "S: 250"
	server := func(password string) string {
		return hello + overTLS + "C: AUTH LOGIN " + erp + "\nS: 334\nC: " + password + "\nS: 235\n" +
			"C: MAIL FROM:<erp@contoso.example>\nS: 250\nC: RCPT TO:<x@fabrikam.example>\nS: 250\nC: DATA\nS: 354\nC: Subject: x\nC:\nC: .\nS: 250"
	}
	path := filepath.Join(t.TempDir(), "observed.json")
	observer, err := observation.Open(t.Context(), observation.Options{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	mode := learning("127.0.0.3", nil)
	mode.Learning.Networks = relayfile.Networks{netip.MustParsePrefix("127.0.0.0/29")}
	first := newLab(t, everywhere, with{relay: mode})
	observer.Visited(first.leave(first.from("127.0.0.3").dialogue(scanner)))
	observer.Visited(first.leave(first.from("127.0.0.4").dialogue(server(wrong))))
	observer.Close()
	seen, err := observation.Read(t.Context(), path)
	if err != nil {
		t.Fatal(err)
	}
	proposal, err := observation.Propose(seen, observation.ProposeOptions{})
	if err != nil || len(proposal.Users) != 1 || proposal.Users[0] != "erp" {
		t.Fatalf("%+v, %v", proposal, err)
	}
	passwords := t.TempDir() + "/users"
	if _, err := users.Add(t.Context(), passwords, "", "erp", "Password1"); err != nil {
		t.Fatal(err)
	}
	lines, err := os.ReadFile(passwords)
	if err != nil {
		t.Fatal(err)
	}
	second := newLab(t, strings.Replace(proposal.Text, "relay-users", "users", 1), with{users: string(lines)})
	second.from("127.0.0.3").dialogue(scanner)
	second.from("127.0.0.4").dialogue(server(password1))
	for who, script := range map[string]string{
		"127.0.0.1": "C: MAIL FROM:<scan@contoso.example>\nS: 530",
		"127.0.0.4": "C: MAIL FROM:<erp@contoso.example>\nS: 530",
		"127.0.0.5": overTLS + "C: AUTH LOGIN " + erp + "\nS: 334\nC: " + wrong + "\nS: 535\nC: MAIL FROM:<erp@contoso.example>\nS: 530",
		"127.0.0.3": "C: MAIL FROM:<erp@contoso.example>\nS: 550 5.7.1\nC: MAIL FROM:<scan@contoso.example>\nS: 250\nC: RCPT TO:<x@fabrikam.example>\nS: 550 5.7.1",
	} {
		second.from(who).dialogue(hello + script)
	}
}
