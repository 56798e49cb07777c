//go:build linux

package recipes_test

import (
	"bufio"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// The units, and the overall exposure that `systemd-analyze security` may give
// them, in tenths.
var exposure = map[string]string{"smtpsend-queue.service": "20", "smtpsend-relay.service": "20", "smtpsend-notify@.service": "20"}

// installed writes all units into a directory, with the programs where they are
// here, and for notify.conf a service that has it.
func installed(t *testing.T) string {
	t.Helper()
	dir := t.TempDir()
	to := map[string]string{"notify.conf": "watched.service.d/notify.conf", "smtpsend-queue.timer": "smtpsend-queue.timer", "smtpsend-relay.socket": "smtpsend-relay.socket", "smtpsend-submission.socket": "smtpsend-submission.socket"}
	for unit := range exposure {
		to[unit] = unit
	}
	here := strings.NewReplacer("/usr/local/lib/smtpsend/notify-log", deployed(t, "systemd/notify-log"), "/usr/local/bin/smtpsend", program("smtpsend"))
	for from, name := range to {
		text, err := os.ReadFile(deployed(t, "systemd/"+from))
		if err != nil {
			t.Fatal(err)
		}
		writeUnit(t, filepath.Join(dir, name), here.Replace(string(text)))
	}
	writeUnit(t, filepath.Join(dir, "watched.service"), "[Service]\nExecStart=/bin/true\n")
	return dir
}

func writeUnit(t *testing.T, path, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

// analyze runs systemd-analyze with the units of dir.
func analyze(dir string, args ...string) (string, error) {
	cmd := exec.Command("systemd-analyze", args...)
	cmd.Env = append(os.Environ(), "SYSTEMD_UNIT_PATH="+dir+":", "LC_ALL=C")
	out, err := cmd.CombinedOutput()
	return string(out), err
}

func TestUnitsVerify(t *testing.T) {
	need(t, "systemd-analyze")
	dir := installed(t)
	units := []string{"watched.service", "smtpsend-notify@watched.service", "smtpsend-queue.service", "smtpsend-queue.timer", "smtpsend-relay.service", "smtpsend-relay.socket", "smtpsend-submission.socket"}
	for _, unit := range units {
		out, err := analyze(dir, "verify", "--man=no", filepath.Join(dir, unit))
		for line := range strings.Lines(out) {
			// It also speaks of other units of this host.
			if strings.Contains(line, dir) || strings.Contains(line, "watched") || strings.Contains(line, "smtpsend") {
				t.Errorf("%s: %v: %s", unit, err, line)
			}
		}
	}
}

func TestUnitsAreConfined(t *testing.T) {
	need(t, "systemd-analyze")
	dir := installed(t)
	for unit, limit := range exposure {
		out, err := analyze(dir, "security", "--offline=true", "--no-pager", "--threshold="+limit, filepath.Join(dir, unit))
		if err != nil {
			t.Errorf("%s: %v, want an exposure of at most %s tenths\n%s", unit, err, limit, out)
		}
		t.Log(lastLine(out))
	}
}

func lastLine(text string) string {
	lines := strings.Split(strings.TrimSpace(text), "\n")
	return lines[len(lines)-1]
}

// service is the [Service] section of a unit: all values of each key.
func service(t *testing.T, name string) map[string][]string {
	t.Helper()
	f, err := os.Open(deployed(t, "systemd/"+name))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	values := make(map[string][]string)
	section := ""
	for lines := bufio.NewScanner(f); lines.Scan(); {
		line := lines.Text()
		if strings.HasPrefix(line, "[") {
			section = line
		}
		if key, value, ok := strings.Cut(line, "="); ok && section == "[Service]" && !strings.HasPrefix(line, "#") {
			values[key] = append(values[key], value)
		}
	}
	return values
}

// allowedCalls is what the lines of SystemCallFilter= come to.
func allowedCalls(t *testing.T, filter []string) map[string]bool {
	t.Helper()
	allowed := make(map[string]bool)
	for _, line := range filter {
		line, deny := strings.CutPrefix(line, "~")
		for _, call := range callsOf(t, strings.Fields(line)) {
			if deny {
				delete(allowed, call)
			} else {
				allowed[call] = true
			}
		}
	}
	return allowed
}

// callsOf replaces the sets (@name) among names by their system calls.
func callsOf(t *testing.T, names []string) []string {
	t.Helper()
	var calls []string
	for len(names) > 0 {
		name := names[0]
		names = names[1:]
		if !strings.HasPrefix(name, "@") {
			calls = append(calls, name)
			continue
		}
		out, err := analyze("", "syscall-filter", "--no-pager", name)
		if err != nil {
			t.Fatalf("%v\n%s", err, out)
		}
		for line := range strings.Lines(out) {
			if word := strings.TrimSpace(line); strings.HasPrefix(line, " ") && !strings.HasPrefix(word, "#") {
				names = append(names, word)
			}
		}
	}
	return calls
}

// traced is what strace saw of a program and of what it started: for each
// system call the texts of its arguments and result.
type traced map[string][]string

// trace runs a program as the service's user under strace.
func (s *site) trace(t *testing.T, args ...string) traced {
	t.Helper()
	logs := filepath.Join(s.dir, "strace")
	s.ok(t, "", s.asService(append([]string{"strace", "-ff", "-qq", "-e", "signal=none", "-o", logs}, args...)...)...)
	files, err := filepath.Glob(logs + ".*")
	if err != nil {
		t.Fatal(err)
	}
	calls := make(traced)
	line := regexp.MustCompile(`(?m)^(\w+)\((.*)$`)
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		for _, m := range line.FindAllStringSubmatch(string(text), -1) {
			calls[m[1]] = append(calls[m[1]], m[2])
		}
	}
	return calls
}

// asService is a command that runs another as the service's user, where that can
// be: root does things that a service's user does not, as SQLite's fchown.
func (s *site) asService(args ...string) []string {
	if os.Getuid() != 0 {
		return args
	}
	return append([]string{"setpriv", "--reuid", serviceUser, "--regid", "daemon", "--clear-groups", "--no-new-privs", "--"}, args...)
}

// The whole way of a message out of the outbox, traced: what the program does
// is what its unit lets it do.
func TestQueueServiceDoesWhatItsUnitAllows(t *testing.T) {
	need(t, "strace", "systemd-analyze")
	s := newService(t, "", "")
	chmod(t, bin, 0o755)
	give(t, s.dir)
	state, cache := filepath.Join(s.dir, "state"), filepath.Join(s.dir, "cache")
	secret := s.write(t, "secret", s.ClientSecret(), 0o600)
	for _, file := range []string{secret, s.envFile, s.envFile + ".ca.pem"} {
		give(t, file)
	}
	s.environ = append(s.environ, "SMTPSEND_STATE_DIR="+state, "SMTPSEND_OFFICE_CLIENT_SECRET_COMMAND=cat "+secret)
	s.ok(t, "", s.asService(program("smtpsend"), "send", "--queue", "--to", "a@contoso.example", "--subject", "x", "--text", "x")...)
	calls := s.trace(t, program("smtpsend"), "--env-file", s.envFile, "queue", "run")
	s.arrived(t, letter{to: []string{"a@contoso.example"}})
	for _, call := range []string{"connect", "openat", "execve", "flock", "fsync"} {
		if len(calls[call]) == 0 {
			t.Errorf("strace saw no %s", call) // then it did not see the rest either
		}
	}
	calls.check(t, service(t, "smtpsend-queue.service"), state, cache)
}

// check holds the calls against what a unit takes away. Of directories, only
// those given may be written to.
func (c traced) check(t *testing.T, unit map[string][]string, writable ...string) {
	t.Helper()
	allowed := allowedCalls(t, unit["SystemCallFilter"])
	for _, call := range slices.Sorted(maps.Keys(c)) {
		if !allowed[call] {
			t.Errorf("SystemCallFilter= lacks %s(%s", call, c[call][0])
		}
	}
	families := strings.Fields(unit["RestrictAddressFamilies"][0])
	for _, args := range slices.Concat(c["socket"], c["socketpair"]) {
		if family, _, _ := strings.Cut(args, ","); !slices.Contains(families, family) {
			t.Errorf("RestrictAddressFamilies= lacks socket(%s", args)
		}
	}
	for _, args := range slices.Concat(c["mmap"], c["mprotect"], c["pkey_mprotect"]) {
		executable, written := strings.Contains(args, "PROT_EXEC"), strings.Contains(args, "PROT_WRITE")
		if executable && (written || !strings.Contains(args, "MAP_")) {
			t.Errorf("MemoryDenyWriteExecute= denies (%s", args)
		}
	}
	for _, args := range slices.Concat(c["clone"], c["clone3"], c["unshare"], c["setns"]) {
		if strings.Contains(args, "CLONE_NEW") {
			t.Errorf("RestrictNamespaces= denies (%s", args)
		}
	}
	c.checkFiles(t, writable)
}

var firstPath = regexp.MustCompile(`"([^"]*)"`)

// checkFiles allows writing below the given directories, and reading of /proc no
// more than what is about processes.
func (c traced) checkFiles(t *testing.T, writable []string) {
	t.Helper()
	changes := regexp.MustCompile(`O_WRONLY|O_RDWR|O_CREAT`)
	for _, args := range slices.Concat(c["open"], c["openat"]) {
		m := firstPath.FindStringSubmatch(args)
		if m == nil || strings.Contains(args, " = -1 ") {
			continue
		}
		path := m[1]
		below := func(dir string) bool { return strings.HasPrefix(path, dir+"/") }
		switch {
		case changes.MatchString(args) && !slices.ContainsFunc(writable, below) && !slices.Contains([]string{"/dev/null", "/dev/tty"}, path):
			t.Errorf("ProtectSystem= denies open(%s", args)
		case regexp.MustCompile(`^/proc/[^0-9s]|^/proc/sys`).MatchString(path):
			t.Errorf("ProcSubset= denies open(%s", args)
		}
	}
	for _, call := range []string{"mkdirat", "mkdir", "unlink", "unlinkat", "renameat", "renameat2", "rename", "linkat", "symlinkat", "chmod", "fchmodat", "chown", "fchown", "fchownat", "lchown"} {
		for _, args := range c[call] {
			m := firstPath.FindStringSubmatch(args)
			if m != nil && !slices.ContainsFunc(writable, func(dir string) bool { return strings.HasPrefix(m[1], dir) }) {
				t.Errorf("ProtectSystem= denies %s(%s", call, args)
			}
		}
	}
}
