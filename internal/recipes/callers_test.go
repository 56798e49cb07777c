//go:build linux

package recipes_test

import (
	"net"
	"net/smtp"
	"os"
	"os/exec"
	"strings"
	"testing"
)

// callers are the exact calls of programs in Debian 12 that are not installed
// here: arguments, the beginning of the message, and what arrives. HOST is the
// name of this host.
var callers = []struct {
	program string
	args    []string
	message string
	want    letter
}{
	{"mutt", []string{"-oem", "-oi", "--", "c@contoso.example", "root@HOST"},
		"From: bob@HOST\nTo: root@HOST\n\n.\nx\n",
		letter{to: []string{"c@contoso.example", "ops@contoso.example"}, has: []string{"From: bob <noreply@contoso.example>", ".", "x"}}},
	{"mutt with its DSN options", []string{"-oem", "-oi", "-f", "noreply@contoso.example", "-N", "failure,delay", "-R", "hdrs", "--", "c@contoso.example"},
		"From: noreply@contoso.example\n\nx\n", letter{to: []string{"c@contoso.example"}}},
	{"GNU mail, smartd, apticron", []string{"-oi", "-f", "root@HOST", "-t"},
		"Subject: x\nTo: <root@HOST>,<b@contoso.example>\n\nx\n",
		letter{to: []string{"ops@contoso.example", "b@contoso.example"}, has: []string{"From: root <noreply@contoso.example>"}}},
	{"at", []string{"-i", "root"}, "Subject: Output from your job        1\nTo: root\n\nx\n", letter{to: []string{"ops@contoso.example"}}},
	{"anacron", []string{"-FAnacron", "-odi", "root"}, "To: root\nSubject: Anacron job 'j1' on web1\n\nx\n",
		letter{to: []string{"ops@contoso.example"}, has: []string{"From: Anacron <noreply@contoso.example>"}}},
	{"logwatch, sudo, mdadm", []string{"-t"}, "To: root\nFrom: root\nSubject: x\n\nx\n", letter{to: []string{"ops@contoso.example"}}},
	{"fail2ban", []string{"-f", "noreply@contoso.example", "root"}, "Subject: x\nFrom: Fail2Ban <noreply@contoso.example>\nTo: root\n\nHi,",
		letter{to: []string{"ops@contoso.example"}, has: []string{"Hi,"}}},
	{"Perl's MIME::Lite", []string{"-t", "-oi", "-oem", "-fnoreply@contoso.example"}, "From: noreply@contoso.example\nTo: a@contoso.example\nBcc: b@contoso.example\n\nx\n",
		letter{to: []string{"a@contoso.example", "b@contoso.example"}}},
	{"Perl's Email::Sender, Ruby's mail, nodemailer", []string{"-i", "-f", "noreply@contoso.example", "--", "a@contoso.example"}, "From: noreply@contoso.example\n\n.\nx\n",
		letter{to: []string{"a@contoso.example"}, has: []string{".", "x"}}},
	{"Emacs", []string{"-oi", "-oep", "-odi", "-t"}, "From:  <noreply@contoso.example>\nTo: a@contoso.example\n\nx\n", letter{to: []string{"a@contoso.example"}}},
	{"scripts with a list in one variable", []string{"b@contoso.example a@contoso.example"}, "From: Backup Server\n\nx\n",
		letter{to: []string{"b@contoso.example", "a@contoso.example"}, has: []string{"From: Backup Server <noreply@contoso.example>"}}},
	{"PHP forms", []string{"-t", "-i"}, "From: a@web.example <noreply@contoso.example>\nTo: [Ops] <a@contoso.example>; b@contoso.example\n\nx\n",
		letter{to: []string{"a@contoso.example", "b@contoso.example"}}},
}

func TestCallsOfOtherPrograms(t *testing.T) {
	host, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range callers {
		t.Run(c.program, func(t *testing.T) {
			s := newSite(t)
			args := []string{program("sendmail")}
			for _, a := range c.args {
				args = append(args, strings.ReplaceAll(a, "HOST", host))
			}
			if r := s.ok(t, strings.ReplaceAll(c.message, "HOST", host), args...); r.stdout+r.stderr != "" {
				t.Errorf("output: %v", r)
			}
			s.arrived(t, c.want)
		})
	}
}

// The dialogue of nmh's post.
func TestNmhOverSMTP(t *testing.T) {
	s := newSite(t)
	s.ok(t, "EHLO localhost\r\nMAIL FROM:<noreply@contoso.example>\r\nRCPT TO:<a@contoso.example>\r\nDATA\r\n"+
		"From: noreply@contoso.example\r\nTo: a@contoso.example\r\n\r\n..dotline\r\n..\r\nlast\r\n.\r\nQUIT\r\n",
		program("sendmail"), "-bs", "-odb", "-oem", "-om")
	s.arrived(t, letter{to: []string{"a@contoso.example"}, has: []string{".dotline", ".", "last"}})
}

// An inetd gives a connection to sendmail -bs as standard input and output.
func TestGoSMTPByAnInetd(t *testing.T) {
	s := newSite(t)
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	served := make(chan error, 1)
	go func() {
		served <- func() error {
			conn, err := l.Accept()
			if err != nil {
				return err
			}
			defer conn.Close()
			socket, err := conn.(*net.TCPConn).File()
			if err != nil {
				return err
			}
			defer socket.Close()
			cmd := exec.CommandContext(t.Context(), program("sendmail"), "-bs")
			cmd.Env, cmd.Dir, cmd.Stdin, cmd.Stdout = s.environ, s.dir, socket, socket
			return cmd.Run()
		}()
	}()
	err = smtp.SendMail(l.Addr().String(), nil, "noreply@contoso.example", []string{"a@contoso.example", "root"},
		[]byte("From: noreply@contoso.example\r\nSubject: x\r\n\r\n.\r\n..x\r\n"))
	if err != nil {
		t.Error(err)
	}
	if err := <-served; err != nil {
		t.Error(err)
	}
	s.arrived(t, letter{to: []string{"a@contoso.example", "ops@contoso.example"}, has: []string{".", "..x"}})
}
