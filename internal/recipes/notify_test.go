//go:build linux

package recipes_test

import (
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// notify runs notify-log for a service with the given log and environment.
func (s *site) notify(t *testing.T, event string, environ ...string) result {
	t.Helper()
	s.environ = append(s.environ, "NOTIFY_TO=admins@contoso.example", "TMPDIR="+s.dir)
	s.environ = append(s.environ, environ...)
	args := []string{"sh", deployed(t, "systemd/notify-log"), event, `odd\x2dname@1.service`}
	if os.Getuid() == 0 { // with the rights that the unit leaves to root
		args = append([]string{"setpriv", "--bounding-set", "-all,+setuid,+setgid", "--"}, args...)
	}
	return s.run(t, "", args...)
}

// serviceUser is the user of the service in these tests.
const serviceUser = "nobody"

// newService is a site whose systemctl gives the service that user and group.
// Other users can look into the site's directory.
func newService(t *testing.T, user, group string) *site {
	t.Helper()
	s := newSite(t)
	if err := os.Chmod(filepath.Dir(s.dir), 0o755); err != nil {
		t.Fatal(err)
	}
	s.fake(t, "systemctl", `case "$*" in
	'show -p User --value -- odd\x2dname@1.service') echo `+user+` ;;
	'show -p Group --value -- odd\x2dname@1.service') echo `+group+` ;;
	*) exit 1 ;;
	esac`)
	return s
}

// fake puts a shell script in the place of a program.
func (s *site) fake(t *testing.T, name, script string) {
	t.Helper()
	s.write(t, "fake/"+name, "#!/bin/sh\n"+script+"\n", 0o755)
	s.environ[0] = "PATH=" + s.dir + "/fake:" + bin + ":/usr/bin:/bin"
}

// give makes a file or directory the service's user's.
func give(t *testing.T, path string) {
	t.Helper()
	if os.Getuid() != 0 {
		return // it is ours, and notify-log runs as us
	}
	u, err := user.Lookup(serviceUser)
	if err != nil {
		t.Fatal(err)
	}
	uid, err := strconv.Atoi(u.Uid)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Lchown(path, uid, -1); err != nil {
		t.Fatal(err)
	}
}

// log is a log of the service's.
func (s *site) log(t *testing.T, content string) string {
	t.Helper()
	path := s.write(t, "service.log", content, 0o600)
	give(t, path)
	return path
}

// mailed is what was mailed as the log of a failure.
func (s *site) mailed(t *testing.T, environ ...string) string {
	t.Helper()
	if r := s.notify(t, "failure", environ...); r.code != 0 {
		t.Fatal(r)
	}
	return attachment(t, s.arrived(t, letter{to: []string{"admins@contoso.example"}}), "failure.txt")
}

func TestNotifyLog(t *testing.T) {
	for _, tt := range []struct {
		event, file, subject string
		environ              []string
		body                 string
	}{
		{"start", "startup.txt", "started", nil, "started at "},
		{"stop", "shutdown.txt", "stopped", []string{"SERVICE_RESULT=success", "EXIT_STATUS=0"}, "Result: success, exit status 0"},
		{"failure", "failure.txt", "failed", []string{"MONITOR_SERVICE_RESULT=exit-code", "MONITOR_EXIT_STATUS=3"}, "Result: exit-code, exit status 3"},
	} {
		s := newService(t, serviceUser, "")
		log := s.log(t, strings.Repeat("old line\n", 100)+"the last line\n")
		r := s.notify(t, tt.event, append(tt.environ, "NOTIFY_LOG="+log, "NOTIFY_BYTES=200")...)
		if r.code != 0 {
			t.Fatalf("%s: %v", tt.event, r)
		}
		text := s.arrived(t, letter{to: []string{"admins@contoso.example"}, has: []string{"Auto-Submitted: auto-generated"}})
		m := s.Messages()[0]
		if !strings.HasSuffix(m.Subject, `: odd\x2dname@1.service `+tt.subject) || !strings.Contains(text, `filename="`+tt.file+`"`) || !strings.Contains(text, tt.body) {
			t.Errorf("%s: subject %q, content\n%s", tt.event, m.Subject, text)
		}
		if m.Size > 2500 {
			t.Errorf("%s: the log was not cut: %d octets", tt.event, m.Size)
		}
		if left, _ := filepath.Glob(filepath.Join(s.dir, "tmp.*")); len(left) > 0 {
			t.Errorf("%s: left behind: %q", tt.event, left)
		}
	}
}

// Without a log file the journal of this run is mailed; that of a failed
// service has the number that OnFailure= tells, or an older systemd when asked.
func TestNotifyLogFromTheJournal(t *testing.T) {
	for name, tt := range map[string]struct {
		event, file, run string
		environ          []string
	}{
		"start":                       {"start", "startup.txt", "own", []string{"INVOCATION_ID=own", "MONITOR_INVOCATION_ID=that-of-another"}},
		"failure":                     {"failure", "failure.txt", "abc", []string{"INVOCATION_ID=own", "MONITOR_INVOCATION_ID=abc"}},
		"failure, before version 251": {"failure", "failure.txt", "shown", []string{"INVOCATION_ID=own"}},
	} {
		s := newSite(t)
		s.fake(t, "journalctl", `echo "journal: $*"`)
		s.fake(t, "systemctl", `[ "$*" = 'show -p InvocationID --value -- odd\x2dname@1.service' ] && echo shown`)
		if r := s.notify(t, tt.event, tt.environ...); r.code != 0 {
			t.Fatal(r)
		}
		raw := s.arrived(t, letter{to: []string{"admins@contoso.example"}})
		want := "journal: --no-pager -o short-iso -u odd\\x2dname@1.service _SYSTEMD_INVOCATION_ID=" + tt.run + "\n"
		if got := attachment(t, raw, tt.file); got != want {
			t.Errorf("%s: attached %q, want %q", name, got, want)
		}
	}
}

// attachment is the decoded content of an attached file, by Python.
func attachment(t *testing.T, raw, name string) string {
	t.Helper()
	need(t, "python3")
	cmd := exec.Command("python3", "-c", `
import email, email.policy, sys
m = email.message_from_bytes(sys.stdin.buffer.read(), policy=email.policy.default)
for part in m.iter_attachments():
    if part.get_filename() == sys.argv[1]:
        sys.stdout.buffer.write(part.get_payload(decode=True))
`, name)
	cmd.Stdin = strings.NewReader(raw)
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestNotifyLogSwitches(t *testing.T) {
	s := newService(t, serviceUser, "")
	log := s.log(t, "line\n")
	if r := s.notify(t, "start", "NOTIFY_LOG="+log, "SMTPSEND_NO_MAILS=1"); r.code != 0 || !strings.Contains(r.stdout, "not submitted: SMTPSEND_NO_MAILS=1") {
		t.Errorf("with NO_MAILS: %v", r)
	}
	s = newSite(t)
	if r := s.notify(t, "stop", "NOTIFY_LOG="+log, "SERVICE_RESULT=exit-code"); r.code != 0 || len(s.Messages()) > 0 {
		t.Errorf("stop after a failure, which OnFailure= tells of: %v", r)
	}
	if r := s.notify(t, "boot"); r.code != 64 {
		t.Errorf("unknown event: %v", r)
	}
	if r := s.notify(t, "start", "NOTIFY_TO="); r.code == 0 || !strings.Contains(r.stderr, "NOTIFY_TO names the recipients") {
		t.Errorf("without recipients: %v", r)
	}
}

func TestNotifyLogTellsOfAFailureWithoutALog(t *testing.T) {
	s := newService(t, serviceUser, "")
	if got := s.mailed(t, "NOTIFY_LOG=/nowhere/log"); !strings.Contains(got, "/nowhere/log") || !strings.Contains(got, "No such file") {
		t.Errorf("attached: %q", got)
	}
	s = newSite(t)
	if got := s.mailed(t, "NOTIFY_LOG=-"); got != "notify-log: - was not read: its path has to begin with /\n" {
		t.Errorf("attached: %q", got)
	}
}

func needRoot(t *testing.T) {
	t.Helper()
	if os.Getuid() != 0 {
		lacking(t, "only root can become another user")
	}
}

// rootsSecret is what only root may read.
const rootsSecret = "root:$y$j9T$secret:19000::::::\n"

// What the service puts in the place of its log is read with the service's
// rights.
func TestNotifyLogReadsAsTheServicesUser(t *testing.T) {
	needRoot(t)
	for name, tt := range map[string]struct {
		plant func(log, secret string) error
		want  string
	}{
		"link to what only root may read": {func(log, secret string) error { return os.Symlink(secret, log) }, "Permission denied\n"},
		"hard link to the same":           {func(log, secret string) error { return os.Link(secret, log) }, "Permission denied\n"},
		"pipe":                            {func(log, _ string) error { return syscall.Mkfifo(log, 0o666) }, "it is not a regular file\n"},
		"link to a device":                {func(log, _ string) error { return os.Symlink("/dev/zero", log) }, "it is not a regular file\n"},
		"directory":                       {func(log, _ string) error { return os.Mkdir(log, 0o755) }, "it is not a regular file\n"},
		"a log":                           {func(log, _ string) error { return os.WriteFile(log, []byte("the log\n"), 0o644) }, "the log\n"},
	} {
		s := newService(t, serviceUser, "")
		secret := s.write(t, "shadow", rootsSecret, 0o600)
		dir := filepath.Join(s.dir, "logs")
		if err := os.Mkdir(dir, 0o755); err != nil {
			t.Fatal(err)
		}
		give(t, dir)
		log := filepath.Join(dir, "service.log")
		if err := tt.plant(log, secret); err != nil {
			t.Fatal(err)
		}
		if got := s.mailed(t, "NOTIFY_LOG="+log); !strings.HasSuffix(got, tt.want) || strings.Contains(got, "secret:") {
			t.Errorf("%s: attached %q, want %q", name, got, tt.want)
		}
	}
}

// What reads has the unit's group, no way back to root, and none of root's
// environment.
func TestNotifyLogGivesUpAllRights(t *testing.T) {
	needRoot(t)
	s := newService(t, serviceUser, "daemon")
	s.fake(t, "tail", "id -u -n; id -g -n; grep -E '^(NoNewPrivs|CapPrm|CapEff)' /proc/self/status; env")
	got := s.mailed(t, "NOTIFY_LOG="+s.log(t, "x\n"))
	want := serviceUser + "\ndaemon\nCapPrm:\t0000000000000000\nCapEff:\t0000000000000000\nNoNewPrivs:\t1\n"
	if environ, ok := strings.CutPrefix(got, want); !ok || strings.Contains(environ, "SMTPSEND") || strings.Contains(environ, "NOTIFY") {
		t.Errorf("read by\n%s, want\n%s", got, want)
	}
}

// Root reads by itself only where nobody else can say what is read.
func TestNotifyLogReadsAsRootOnlyByPathsOfRoot(t *testing.T) {
	needRoot(t)
	for name, tt := range map[string]struct {
		user  string // of the unit
		plant func(dir string) (log string)
		want  string
	}{
		"path of root":            {"", func(dir string) string { return dir + "/service.log" }, "the log\n"},
		"path of root, user root": {"root", func(dir string) string { return dir + "/service.log" }, "the log\n"},
		"directory of the service": {"", func(dir string) string {
			give(t, dir)
			return dir + "/service.log"
		}, "DIR does not belong to root\n"},
		"directory that all may write to": {"", func(dir string) string {
			chmod(t, dir, 0o1777)
			return dir + "/service.log"
		}, "others than root may write to DIR\n"},
		"directory that a group may write to": {"", func(dir string) string {
			chmod(t, dir, 0o770)
			return dir + "/service.log"
		}, "others than root may write to DIR\n"},
		"directory above it of the service": {"", func(dir string) string {
			log := filepath.Join(dir, "sub", "service.log")
			mkdir(t, filepath.Dir(log))
			give(t, dir)
			return log
		}, "DIR does not belong to root\n"},
		"link in the place of a directory": {"", func(dir string) string {
			symlink(t, dir, dir+"/link")
			return dir + "/link/service.log"
		}, "DIR/link is not a directory\n"},
		"link in the place of the log": {"", func(dir string) string {
			symlink(t, "service.log", dir+"/link")
			return dir + "/link"
		}, "it is a link\n"},
		"nothing there":            {"", func(dir string) string { return dir + "/nothing/log" }, "DIR/nothing does not exist\n"},
		"user that does not exist": {"no-such-user", func(dir string) string { return dir + "/service.log" }, "the user of odd\\x2dname@1.service does not exist now\n"},
		"systemctl that fails":     {"; exit 1", func(dir string) string { return dir + "/service.log" }, "systemctl does not tell the user of odd\\x2dname@1.service\n"},
	} {
		s := newService(t, tt.user, "")
		dir, err := os.MkdirTemp("/run", "smtpsend-test-")
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { os.RemoveAll(dir) })
		if err := os.WriteFile(filepath.Join(dir, "service.log"), []byte("the log\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		// What the service brings along is not taken for what the script found out.
		got := s.mailed(t, "NOTIFY_LOG="+tt.plant(dir), "uid=1", "gid=1")
		if want := strings.ReplaceAll(tt.want, "DIR", dir); !strings.HasSuffix(got, want) {
			t.Errorf("%s: attached %q, want %q", name, got, want)
		}
	}
}

func chmod(t *testing.T, path string, mode os.FileMode) {
	t.Helper()
	if mode&0o1000 != 0 {
		mode = mode&0o777 | os.ModeSticky
	}
	if err := os.Chmod(path, mode); err != nil {
		t.Fatal(err)
	}
}

func mkdir(t *testing.T, path string) {
	t.Helper()
	if err := os.Mkdir(path, 0o755); err != nil {
		t.Fatal(err)
	}
}

func symlink(t *testing.T, target, path string) {
	t.Helper()
	if err := os.Symlink(target, path); err != nil {
		t.Fatal(err)
	}
}

// A log that never ends, or is held open by what the service runs, ends the
// reading and not the service's start.
func TestNotifyLogReadsForSomeTimeOnly(t *testing.T) {
	for name, tail := range map[string]string{
		"waits":                      "sleep 60",
		"is deaf and leaves a child": "trap '' TERM; setsid sleep 60 & sleep 60",
	} {
		s := newService(t, serviceUser, "")
		mkdir(t, s.dir+"/done")
		give(t, s.dir+"/done")
		s.fake(t, "tail", "echo the log; "+tail+"; : >"+s.dir+"/done/waited")
		got := s.mailed(t, "NOTIFY_LOG="+s.log(t, "x\n"), "NOTIFY_SECONDS=3")
		if !strings.HasPrefix(got, "the log\n") || !strings.HasSuffix(got, "notify-log: reading was ended after 3 s\n") {
			t.Errorf("%s: attached %q", name, got)
		}
		if _, err := os.Stat(s.dir + "/done/waited"); err == nil {
			t.Errorf("%s: it was waited for", name)
		}
	}
}
