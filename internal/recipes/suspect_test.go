//go:build linux

package recipes_test

import (
	"bufio"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
)

// trap is a file that is a valid env file of this user, and whose command leaves
// a mark: what an attacker would have sendmail read.
func (s *site) trap(t *testing.T, name string) (path, mark string) {
	t.Helper()
	mark = filepath.Join(s.dir, "mark-"+filepath.Base(name))
	return s.write(t, name, "SMTPSEND_OFFICE_CLIENT_SECRET_COMMAND=sh -c 'id >"+mark+"; printf x'\n", 0o600), mark
}

func wasRun(mark string) bool {
	_, err := os.Stat(mark)
	return err == nil
}

// The long options of our own verbs and of other programs that are called
// sendmail: msmtp, Exim, Sendmail, OpenSMTPD, esmtp, ssmtp, dma, nullmailer.
var longOptions = strings.Fields(`account add-missing-date-header add-missing-from-header alias aliases attach attach-dir auth bcc-file ca-file cache-dir
	cc-file completion conf config configure config-file configuration data dead-letter dead-letter-dir debug default-domain domain dry-run dsn-notify
	dsn-return env-file file force-from from help host html-file identity-file json keepbcc logfile mailbox maildomain markdown-file message name no-dry-run
	output passwordeval port pretend preview profile protocol proxy-host queue queue-dir read-envelope-from read-recipients reencode-long-lines report
	rmqs rsaauth save scenario secret serverinfo set-date-header set-from-header set-msgid-header socket source-ip state-dir syslog template text-file timeout
	tls tls-cert-file tls-certcheck tls-crl-file tls-fingerprint tls-key-file tls-trust-file to-file trace undisclosed-recipients user verbose version write-env x`)

// optionLines are argument lists in which every option, known or not, is given
// file as its value.
func optionLines(file string) (lines [][]string) {
	const letters = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789"
	for _, c := range letters {
		lines = append(lines, []string{"-" + string(c) + file}, []string{"-o" + string(c) + file}, []string{"-q" + string(c) + file}, []string{"-b" + string(c), file})
		lines = append(lines, []string{"-" + string(c), file}, []string{"-t" + string(c), file})
	}
	for _, name := range []string{"QueueDirectory", "AliasFile", "ConfigFile", "MaxMessageSize", "DataFileBufferSize", "HelpFile", "StatusFile", "PidFile", "InputMailFilters"} {
		lines = append(lines, []string{"-O", name + "=" + file}, []string{"-O" + name + "=" + file})
	}
	for _, name := range longOptions {
		lines = append(lines, []string{"--" + name + "=" + file}, []string{"--" + name, file}, []string{"-" + name + "=" + file})
	}
	return lines
}

// opened is a line of strace that names a file which may be made or written.
var opened = regexp.MustCompile(`\b(open|openat|openat2|creat|mknod|mknodat|mkdir|mkdirat|link|linkat|symlink|symlinkat|rename|renameat|renameat2|truncate)\((?:AT_FDCWD, |\d+, )?"([^"]*)"(.*)`)

// TestNoOptionOfSendmailNamesAFile gives every option a file: none reads it, or
// anything else for its sake, and nothing is written but below the places that
// the settings pin.
func TestNoOptionOfSendmailNamesAFile(t *testing.T) {
	need(t, "strace")
	s := newSite(t)
	bait, mark := s.trap(t, "bait.env")
	pinned := []string{filepath.Join(s.dir, "cache"), filepath.Join(s.dir, "state"), filepath.Join(s.dir, "dead.letter"), "/dev/null", "/dev/tty", os.TempDir() + "/smtpsend-"}
	s.environ = append(s.environ, "SMTPSEND_STATE_DIR="+filepath.Join(s.dir, "state"))
	log := filepath.Join(s.dir, "strace")
	for _, line := range optionLines(bait) {
		if line[0] == "-bs" || strings.HasPrefix(line[0], "--help") {
			continue // the session has its own commands, which fail here; help prints
		}
		args := append([]string{"strace", "-f", "-qq", "-s", "4096", "-e", "trace=%file", "-o", log, program("sendmail")}, append(line, "a@contoso.example")...)
		r := s.run(t, "From: noreply@contoso.example\n\nx\n", args...)
		trace, err := os.Open(log)
		if err != nil {
			t.Fatal(err)
		}
		lines := bufio.NewScanner(trace)
		for lines.Scan() {
			text := lines.Text()
			if strings.Contains(text, "execve(") {
				continue
			}
			if strings.Contains(text, "bait.env") {
				t.Errorf("%q: %s\n%v", line, text, r)
			}
			m := opened.FindStringSubmatch(text)
			if m == nil || strings.HasPrefix(m[1], "open") && !strings.Contains(m[3], "O_WRONLY") && !strings.Contains(m[3], "O_RDWR") && !strings.Contains(m[3], "O_CREAT") {
				continue
			}
			// Names without a directory are relative to one that was opened before.
			if strings.Contains(m[2], "/") && !hasAnyPrefix(m[2], pinned) {
				t.Errorf("%q writes: %s", line, text)
			}
		}
		if err := lines.Err(); err != nil {
			t.Fatal(err)
		}
		trace.Close()
		if wasRun(mark) {
			t.Fatalf("%q ran the command: %v", line, r)
		}
	}
}

func hasAnyPrefix(s string, prefixes []string) bool {
	for _, p := range prefixes {
		if strings.HasPrefix(s, p) {
			return true
		}
	}
	return false
}

// webForm is what is wrong with many contact forms: the visitor's address goes
// to sendmail as an argument.
const webForm = `<?php
$ok = mail("shop@contoso.example", "form", getenv("BODY"), "From: noreply@contoso.example", "-f" . getenv("EMAIL"));
exit($ok ? 0 : 1);
`

// TestVisitorOfAPHPFormRunsNothing is CVE-2016-10033 and its kin against PHP's
// real mail(), as the web server's user where the test is root.
func TestVisitorOfAPHPFormRunsNothing(t *testing.T) {
	need(t, "php")
	s := newSite(t)
	planted, mark := s.trap(t, "upload.txt")
	script := s.write(t, "form.php", webForm, 0o644)
	s.environ = []string{"PATH=/usr/bin:/bin", "HOME=" + s.dir, "SMTPSEND_ENV_FILE=" + s.envFile, "SMTPSEND_ALIASES_FILE=/dev/null"}
	body := "EHLO x\nMAIL FROM:<noreply@contoso.example>\nRCPT TO:<victim@other.example>\nDATA\nSubject: x\n\nx\n.\nQUIT\nhi\nSMTPSEND_OFFICE_CLIENT_SECRET_COMMAND=sh -c 'id >" + mark + "; printf x'\n"
	line := "SMTPSEND_OFFICE_CLIENT_SECRET_COMMAND=touch${IFS}" + mark
	for _, email := range []string{
		"x@y.example --env-file=/dev/stdin", "x@y.example --env-file /dev/stdin", "x@y.example --env-file=/dev/fd/0", "x@y.example --env-file=/proc/self/fd/0",
		"x@y.example --env-file=" + planted, "x@y.example --env-file " + planted, "x@y.example --file=" + planted, "x@y.example -C" + planted, "x@y.example -C " + planted,
		"x@y.example --env-file=/proc/self/cmdline -F" + line, "x@y.example --env-file=/proc/self/environ", "x@y.example --env-file=/proc/self/comm",
		"x@y.example -a ../../" + strings.TrimSuffix(planted, ".env"), "x@y.example --profile=../upload", "x@y.example --account ../upload",
		"x@y.example -X/tmp/x.php -OQueueDirectory=/tmp", "x@y.example -oQ/tmp -X" + s.dir + "/shell.php", "x@y.example -be ${run{/usr/bin/id}}", "x@y.example -bd -bt -D/tmp/x",
		"x@y.example --dead-letter-dir=" + s.dir + " --aliases=" + planted, "x@y.example --aliases /etc/passwd root", "x@y.example --logfile=" + s.dir + "/log", "x@y.example --passwordeval=id",
		"x@y.example -v -d -P --queue -q -bp", "x@y.example -v -d -P --queue", "x@y.example -bs", "x@y.example -q", "x@y.example -bp", "x@y.example -bi", "x@y.example -- --env-file=" + planted, "'\" --env-file=/dev/stdin \"'", "x@y.example\n--env-file=/dev/stdin",
	} {
		s.environ = append(s.environ[:4], "EMAIL="+email, "BODY="+body)
		r := s.run(t, "", "php", "-d", "sendmail_path="+program("sendmail")+" -t -i", script)
		if wasRun(mark) {
			t.Fatalf("%q ran the command: %v", email, r)
		}
		if strings.Contains(r.String(), s.ClientSecret()) {
			t.Errorf("%q printed the secret: %v", email, r)
		}
		for _, made := range []string{"shell.php", "log"} {
			if wasRun(filepath.Join(s.dir, made)) {
				t.Errorf("%q made %s", email, made)
			}
		}
	}
	for _, m := range s.Messages() {
		if strings.Contains(strings.Join(m.To, " "), "victim@other.example") {
			t.Errorf("a visitor submitted to %q", m.To)
		}
	}
	s.environ = append(s.environ[:4], "EMAIL=noreply@contoso.example", "BODY="+body)
	before := len(s.Messages())
	if r := s.run(t, "", "php", "-d", "sendmail_path="+program("sendmail")+" -t -i", script); r.code != 0 || len(s.Messages()) != before+1 {
		t.Errorf("an honest visitor: %v", r)
	}
}
