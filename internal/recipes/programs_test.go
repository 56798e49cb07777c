//go:build linux

package recipes_test

import (
	"net"
	"os"
	"strings"
	"testing"
)

const cronMail = `From: root (Cron Daemon)
To: root
Subject: Cron <root@web1> /usr/local/bin/nightly
MIME-Version: 1.0
Content-Type: text/plain; charset=UTF-8
Content-Transfer-Encoding: 8bit
X-Cron-Env: <SHELL=/bin/sh>
X-Cron-Env: <HOME=/root>
X-Cron-Env: <LOGNAME=root>

backup: größe 0
.
done
`

// Debian's cron, with the environment that it has.
func TestCron(t *testing.T) {
	s := newSite(t)
	s.environ = []string{"SHELL=/bin/sh", "PATH=/usr/bin:/bin", "SMTPSEND_ENV_FILE=" + s.envFile, "SMTPSEND_ALIASES_FILE=" + s.dir + "/aliases"}
	if r := s.ok(t, cronMail, program("sendmail"), "-FCronDaemon", "-i", "-odi", "-oem", "-oi", "-t", "-f", "root"); r.stdout+r.stderr != "" {
		t.Errorf("output: %v", r)
	}
	s.arrived(t, letter{to: []string{"ops@contoso.example"}, has: []string{
		"From: Cron Daemon <noreply@contoso.example>", "To: root", "X-Cron-Env: <HOME=/root>", "backup: gr=C3=B6=C3=9Fe 0", ".", "done"}})
}

// cronie's form, and Vixie's older one.
func TestOtherCrons(t *testing.T) {
	for _, args := range [][]string{
		{"-FCronDaemon", "-i", "-odi", "-oem", "-oi", "-t", "-f", "root"},
		{"-FCronDaemon", "-odi", "-oem", "root"},
		{"-i", "-FCronDaemon", "-B8BITMIME", "-oem", "root"},
	} {
		s := newSite(t)
		s.ok(t, "From: root\nTo: root\nSubject: x\n\nx\n", append([]string{program("sendmail")}, args...)...)
		s.arrived(t, letter{to: []string{"ops@contoso.example"}})
	}
}

func TestGitSendEmail(t *testing.T) {
	need(t, "git", "perl")
	s := newSite(t)
	s.environ = append(s.environ, "GIT_CONFIG_NOSYSTEM=1", "GIT_AUTHOR_NAME=Zoë Dev", "GIT_AUTHOR_EMAIL=noreply@contoso.example",
		"GIT_COMMITTER_NAME=Zoë Dev", "GIT_COMMITTER_EMAIL=noreply@contoso.example")
	if r := s.run(t, "", "git", "send-email", "-h"); strings.Contains(r.stderr, "is not a git command") {
		lacking(t, "git send-email is not installed: run make peers")
	}
	if r := s.run(t, "", "perl", "-MMail::Address", "-e", "1"); r.code != 0 {
		lacking(t, "Mail::Address, which git send-email needs, is not installed: run make peers")
	}
	s.ok(t, "", "git", "init", "-q", "repo")
	s.write(t, "repo/file", "ä line\n.\n", 0o644)
	s.ok(t, "", "git", "-C", "repo", "add", "file")
	s.ok(t, "", "git", "-C", "repo", "commit", "-qm", "add a file")
	s.ok(t, "", "git", "-C", "repo", "-c", "sendemail.smtpserver="+program("sendmail"), "send-email", "--quiet", "--confirm=never", "--8bit-encoding=UTF-8",
		"--to=list@contoso.example", "--cc=a@contoso.example", "--bcc=hidden@contoso.example", "--suppress-cc=all", "--from=Zoë Dev <noreply@contoso.example>", "-1")
	s.arrived(t, letter{to: []string{"list@contoso.example", "a@contoso.example", "hidden@contoso.example"},
		has: []string{"To: list@contoso.example", "Subject: [PATCH] add a file", "+=C3=A4 line", "+."}})
}

// PHP's mail() with the link in sendmail_path, as php.ini has it.
func TestPHPMail(t *testing.T) {
	need(t, "php")
	s := newSite(t)
	s.environ = []string{"PATH=/usr/bin:/bin", "SMTPSEND_ENV_FILE=" + s.envFile}
	script := s.write(t, "mail.php", `<?php
$ok = mail("a@contoso.example, B <b@contoso.example>", "=?UTF-8?B?w6RiYw==?=", "first line\r\n.\r\nlast line\r\n",
  ["From" => "Shop <noreply@contoso.example>", "Bcc" => "hidden@contoso.example", "Content-Type" => "text/plain; charset=UTF-8"], "-fnoreply@contoso.example");
exit($ok ? 0 : 1);
`, 0o644)
	if r := s.ok(t, "", "php", "-n", "-d", "sendmail_path="+program("sendmail")+" -t -i", script); r.stdout != "" {
		t.Errorf("output: %v", r)
	}
	s.arrived(t, letter{to: []string{"a@contoso.example", "b@contoso.example", "hidden@contoso.example"},
		has: []string{"Subject: =?UTF-8?B?w6RiYw==?=", "From: Shop <noreply@contoso.example>", "first line", ".", "last line"}})
}

// PHP tells its program of a failure.
func TestPHPMailFails(t *testing.T) {
	need(t, "php")
	s := newSite(t)
	script := s.write(t, "mail.php", `<?php exit(mail("a@contoso.example", "x", "x", "From: somebody@else.example") ? 0 : 1);`, 0o644)
	s.environ = append(s.environ, "SMTPSEND_SMTP_USER_NAME=noreply@contoso.example") // which may not send as somebody else
	r := s.run(t, "", "php", "-n", "-d", "sendmail_path="+program("sendmail")+" -t -i", script)
	if r.code != 1 || !strings.Contains(r.stderr, "may not send as") || !strings.Contains(r.stderr, "dead.letter") {
		t.Errorf("%v", r)
	}
	text, err := os.ReadFile(s.dir + "/dead.letter")
	if err != nil || !strings.Contains(string(text), "From: somebody@else.example") {
		t.Errorf("dead.letter: %v, %q", err, text)
	}
}

// What Symfony's mailer, and so Laravel's sendmail transport, says to
// "sendmail -bs -i", the default command.
func TestSymfonyOverSMTP(t *testing.T) {
	s := newSite(t)
	r := s.ok(t, strings.ReplaceAll(`EHLO [127.0.0.1]
MAIL FROM:<noreply@contoso.example>
RCPT TO:<a@contoso.example>
RCPT TO:<hidden@contoso.example>
DATA
From: App <noreply@contoso.example>
To: a@contoso.example
Subject: Laravel
Message-ID: <x@contoso.example>
MIME-Version: 1.0
Date: Thu, 01 Jan 2026 00:00:00 +0000
Content-Type: text/plain; charset=utf-8
Content-Transfer-Encoding: quoted-printable

..a dot
text
.
QUIT
`, "\n", "\r\n"), program("sendmail"), "-bs", "-i")
	for _, reply := range []string{"220 ", "\r\n250 ", "\r\n354 ", "\r\n250 2.0.0 OK", "\r\n221 "} {
		if !strings.Contains(r.stdout, reply) {
			t.Errorf("no %q in %v", reply, r)
		}
	}
	s.arrived(t, letter{to: []string{"a@contoso.example", "hidden@contoso.example"}, has: []string{"Subject: Laravel", ".a dot"}})
}

// The other command of Symfony's mailer: it adds -f and turns CRLF into LF.
func TestSymfonyOverArguments(t *testing.T) {
	s := newSite(t)
	s.ok(t, "From: noreply@contoso.example\nTo: a@contoso.example\nBcc: hidden@contoso.example\nSubject: Symfony\n\nx\n.\ny\n",
		program("sendmail"), "-t", "-i", "-fnoreply@contoso.example")
	s.arrived(t, letter{to: []string{"a@contoso.example", "hidden@contoso.example"}, has: []string{".", "y"}})
}

func TestPythonSubprocess(t *testing.T) {
	need(t, "python3")
	s := newSite(t)
	script := s.write(t, "send.py", `
import subprocess, sys
from email.message import EmailMessage
m = EmailMessage()
m["From"], m["To"], m["Subject"] = "noreply@contoso.example", "a@contoso.example", "größer"
m["Bcc"] = "hidden@contoso.example"
m.set_content("Grüße\n.\nend\n")
subprocess.run([sys.argv[1], "-t", "-oi"], input=m.as_bytes(), check=True)
`, 0o644)
	s.ok(t, "", "python3", script, program("sendmail"))
	s.arrived(t, letter{to: []string{"a@contoso.example", "hidden@contoso.example"}, has: []string{"To: a@contoso.example"}})
}

// smtplib logs in by itself, with a token of smtpsend's.
func TestPythonSMTPLib(t *testing.T) {
	need(t, "python3")
	s := newSite(t)
	ca := s.write(t, "ca.pem", string(s.CAPEM()), 0o644)
	script := s.write(t, "send.py", `
import smtplib, ssl, subprocess, sys
host, port, ca, smtpsend = sys.argv[1:]
token = subprocess.run([smtpsend, "token"], check=True, capture_output=True, text=True).stdout.strip()
user = "noreply@contoso.example"
with smtplib.SMTP(host, int(port)) as server:
    server.starttls(context=ssl.create_default_context(cafile=ca))
    server.ehlo()
    server.auth("XOAUTH2", lambda challenge=None: f"user={user}\x01auth=Bearer {token}\x01\x01")
    server.sendmail(user, ["a@contoso.example"], "From: noreply@contoso.example\r\nTo: a@contoso.example\r\nSubject: smtplib\r\n\r\nx\r\n")
`, 0o644)
	host, port, err := net.SplitHostPort(s.SMTPAddr())
	if err != nil {
		t.Fatal(err)
	}
	s.ok(t, "", "python3", script, host, port, ca, program("smtpsend"))
	s.arrived(t, letter{to: []string{"a@contoso.example"}, has: []string{"Subject: smtplib"}})
}

func TestSNail(t *testing.T) {
	need(t, "s-nail")
	s := newSite(t)
	s.write(t, "report.csv", "1;2\n", 0o644)
	s.ok(t, "body of the mail\n.\nmore\n", "s-nail", "-:/", "-S", "v15-compat", "-S", "mta="+program("sendmail"), "-S", "sendwait", "-s", "from s-nail",
		"-r", "noreply@contoso.example", "-c", "b@contoso.example", "-b", "hidden@contoso.example", "-a", "report.csv", "a@contoso.example")
	s.arrived(t, letter{to: []string{"a@contoso.example", "b@contoso.example", "hidden@contoso.example"}, has: []string{"Subject: from s-nail", "body of the mail", "."}})
}

func TestBSDMailx(t *testing.T) {
	need(t, "bsd-mailx")
	s := newSite(t)
	s.write(t, ".mailrc", "set sendmail="+program("sendmail")+"\nset sendwait\n", 0o644)
	s.ok(t, "body of the mail\n", "bsd-mailx", "-s", "from mailx", "-c", "b@contoso.example", "-b", "hidden@contoso.example", "a@contoso.example")
	s.arrived(t, letter{to: []string{"a@contoso.example", "b@contoso.example", "hidden@contoso.example"}, has: []string{"Subject: from mailx", "body of the mail"}})
}

func TestMsmtpPasswordeval(t *testing.T) {
	need(t, "msmtp")
	s := newSite(t)
	ca := s.write(t, "ca.pem", string(s.CAPEM()), 0o644)
	host, port, err := net.SplitHostPort(s.SMTPAddr())
	if err != nil {
		t.Fatal(err)
	}
	rc := s.write(t, "msmtprc", "account default\nhost "+host+"\nport "+port+"\ntls on\ntls_starttls on\ntls_trust_file "+ca+
		"\nauth xoauth2\nuser noreply@contoso.example\nfrom noreply@contoso.example\npasswordeval \""+program("smtpsend")+" token\"\n", 0o600)
	s.ok(t, "From: noreply@contoso.example\nTo: a@contoso.example\nSubject: msmtp\n\nx\n", "msmtp", "-C", rc, "-t")
	s.arrived(t, letter{to: []string{"a@contoso.example"}, has: []string{"Subject: msmtp"}})
}
