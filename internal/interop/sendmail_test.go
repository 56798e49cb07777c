//go:build linux

package interop_test

import (
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/emersion/go-smtp"

	"github.com/smtpsend/smtpsend/internal/sandbox"
)

// relayCF has a Postfix that takes mail from its sendmail alone and gives it to
// the sink.
const relayCF = `compatibility_level = 3.6
queue_directory = %[1]s/queue
data_directory = %[1]s/data
maillog_file = /dev/stdout
inet_interfaces = 127.0.0.1
inet_protocols = ipv4
myhostname = postfix.contoso.example
myorigin = contoso.example
mydestination =
alias_maps =
alias_database =
local_recipient_maps =
relayhost = [127.0.0.1]:%[2]s
`

const relayMasterCF = `pickup unix n - n 60 1 pickup
cleanup unix n - n - 0 cleanup
qmgr unix n - n 300 1 qmgr
rewrite unix - - n - - trivial-rewrite
smtp unix - - n - - smtp
bounce unix - - n - 0 bounce
defer unix - - n - 0 bounce
trace unix - - n - 0 bounce
error unix - - n - - error
retry unix - - n - - error
postlog unix-dgram n - n - 1 postlogd
`

// arrival is a message as a server got it.
type arrival struct {
	sender     string
	recipients []string // sorted
	content    string   // lines end with LF
}

func (a arrival) body() string {
	_, body, _ := strings.Cut(a.content, "\n\n")
	return body
}

// sink is an SMTP server that keeps what it gets.
type sink struct{ got chan arrival }

// sinkSession is one transaction after another.
type sinkSession struct {
	sink *sink
	arrival
}

func (s *sink) NewSession(*smtp.Conn) (smtp.Session, error) { return &sinkSession{sink: s}, nil }

func (s *sinkSession) Mail(from string, _ *smtp.MailOptions) error {
	s.arrival = arrival{sender: from}
	return nil
}

func (s *sinkSession) Rcpt(to string, _ *smtp.RcptOptions) error {
	s.recipients = append(s.recipients, to)
	return nil
}

func (s *sinkSession) Data(r io.Reader) error {
	content, err := io.ReadAll(r)
	if err != nil {
		return fmt.Errorf("reading content: %w", err)
	}
	s.content = strings.ReplaceAll(string(content), "\r\n", "\n")
	slices.Sort(s.recipients)
	s.sink.got <- s.arrival
	return nil
}

func (s *sinkSession) Reset()        {}
func (s *sinkSession) Logout() error { return nil }

// relay is a Postfix as the mail system of a host.
type relay struct {
	*server
	conf string
	sink *sink
}

func startRelay(t testing.TB) *relay {
	t.Helper()
	need(t, "postfix", "postconf", "sendmail")
	needRoot(t)
	r := &relay{sink: &sink{got: make(chan arrival, 1)}}
	s := smtp.NewServer(r.sink)
	s.Domain, s.EnableSMTPUTF8 = "sink.example", true
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	done := make(chan struct{})
	go func() {
		defer close(done)
		_ = s.Serve(l)
	}()
	t.Cleanup(func() {
		_ = s.Close()
		<-done
	})
	dir := openDir(t)
	r.conf = filepath.Join(dir, "postfix")
	for _, name := range []string{r.conf, filepath.Join(dir, "queue"), filepath.Join(dir, "data")} {
		if err := os.Mkdir(name, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	own(t, filepath.Join(dir, "data"), "postfix")
	_, port, _ := net.SplitHostPort(l.Addr().String())
	writeFile(t, filepath.Join(r.conf, "main.cf"), fmt.Sprintf(relayCF, dir, port))
	writeFile(t, filepath.Join(r.conf, "master.cf"), relayMasterCF)
	r.server = startMaster(t, r.conf)
	return r
}

// submit gives a message to Postfix's sendmail, and returns false when that
// refuses it.
func (r *relay) submit(t testing.TB, input string, args []string) (arrival, bool) {
	t.Helper()
	cmd := exec.Command("sendmail", args...)
	cmd.Env, cmd.Stdin = append(os.Environ(), "MAIL_CONFIG="+r.conf), strings.NewReader(input)
	if got := finish(t, cmd); got.code != 0 {
		return arrival{}, false
	}
	select {
	case got := <-r.sink.got:
		return got, true
	case <-time.After(limit):
		t.Fatalf("%q, %q: Postfix took it, and nothing came within %v", args, input, limit)
	}
	return arrival{}, false
}

// submitted is what arrives in the sandbox of a message that smtpsend's sendmail
// gets.
func (c *client) submitted(t testing.TB, box *sandbox.Sandbox, input string, args []string) (arrival, result) {
	t.Helper()
	before := len(box.Messages())
	r := c.run(t, input, append([]string{"sendmail"}, args...)...)
	stored := box.Messages()[before:]
	if r.code != 0 || len(stored) != 1 {
		if len(stored) != 0 {
			t.Errorf("%q, %q: %d messages arrived: %v", args, input, len(stored), r)
		}
		return arrival{}, r
	}
	raw, _ := box.Raw(stored[0].ID)
	to := slices.Clone(stored[0].To)
	slices.Sort(to)
	return arrival{stored[0].From, to, strings.ReplaceAll(string(raw), "\r\n", "\n")}, r
}
