//go:build unix

package faultmatrix_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/smtp"
)

// build makes the program once, in buildDir.
var build = sync.OnceValues(func() (string, error) {
	file := filepath.Join(buildDir(), "smtpsend")
	cmd := exec.Command("go", "build", "-o", file, "github.com/smtpsend/smtpsend/cmd/smtpsend")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return "", fmt.Errorf("building: %w: %s", err, out)
	}
	return file, nil
})

// buildDir is made at first use; TestMain removes it.
var buildDir = sync.OnceValue(func() string {
	dir, err := os.MkdirTemp("", "faultmatrix")
	if err != nil {
		panic(err)
	}
	return dir
})

// program is the real program with settings for a server.
type program struct {
	file  string
	ca    string
	cache string
	token *endpoint
}

// newProgram builds the program, and starts a token endpoint for it.
func newProgram(t *testing.T) *program {
	t.Helper()
	file, err := build()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir()
	p := &program{file: file, ca: filepath.Join(dir, "ca.pem"), cache: dir, token: newEndpoint(0, endpointFault{})}
	t.Cleanup(p.token.Close)
	if err := os.WriteFile(p.ca, certificate().pem, 0o600); err != nil {
		t.Fatal(err)
	}
	return p
}

// command is "smtpsend send" to the server at port, with the cache in a
// directory of the given name, so that processes with the same name share token
// and slots.
func (p *program) command(port int, cache string, timeout time.Duration, args ...string) *exec.Cmd {
	args = append([]string{"--json", "--timeout", timeout.String(), "send", "--to", "a@contoso.example", "--subject", "x",
		"--text", "first\n.dot\nlast", "--attempts", "1"}, args...)
	cmd := exec.Command(p.file, args...)
	cmd.Env = []string{
		"HOME=" + p.cache, "XDG_CACHE_HOME=" + filepath.Join(p.cache, cache), "SMTPSEND_CACHE_DIR=" + filepath.Join(p.cache, cache),
		"SMTPSEND_MAIL_SERVER=127.0.0.1", "SMTPSEND_SMTP_PORT=" + strconv.Itoa(port), "SMTPSEND_CA_FILE=" + p.ca,
		"SMTPSEND_OFFICE_CLIENT_ID=11111111-2222-3333-4444-555555555555",
		"SMTPSEND_OFFICE_TENANT_ID=11111111-2222-3333-4444-555555555555",
		"SMTPSEND_OFFICE_CLIENT_SECRET=" + clientSecret, "SMTPSEND_OFFICE_TOKEN_ENDPOINT=" + p.token.URL + "/token",
		"SMTPSEND_MAIL_SENDER=" + mailbox,
	}
	return cmd
}

// told is what the program prints.
type told struct {
	ExitCode   int `json:"exit_code"`
	Recipients []struct {
		ForwardPath string       `json:"forward_path"`
		Outcome     smtp.Outcome `json:"outcome"`
		Reply       string       `json:"reply"`
	} `json:"recipients"`
}

// read gives exit code and recipients of a process that has ended.
func (t *told) read(out []byte, exit error) ([]smtp.Recipient, error) {
	if err := json.Unmarshal(out, t); err != nil {
		return nil, fmt.Errorf("reading the receipt %q: %w", out, err)
	}
	code := 0
	var ended *exec.ExitError
	if errors.As(exit, &ended) {
		code = ended.ExitCode()
	}
	if code != t.ExitCode {
		return nil, fmt.Errorf("exit code %d, and the receipt says %d", code, t.ExitCode)
	}
	var list []smtp.Recipient
	for _, r := range t.Recipients {
		digits, _, _ := strings.Cut(r.Reply, " ")
		n, _ := strconv.Atoi(digits)
		list = append(list, smtp.Recipient{ForwardPath: r.ForwardPath, Outcome: r.Outcome, Reply: smtp.Reply{Code: n}})
	}
	return list, nil
}

// processCells are a sample of the matrix: everything in the place of a reply.
// The dial is left out, because the program's proxy is the token endpoint's too.
func processCells() []cell {
	return slices.DeleteFunc(cells(), func(c cell) bool {
		return c.stage == dial || c.place != before || !c.pipelining || c.empty334 || c.drops || c.fault == slow
	})
}

func TestProgram(t *testing.T) {
	p := newProgram(t)
	all := processCells()
	if len(all) < 150 {
		t.Errorf("%d cells, want at least 150", len(all))
	}
	var results results
	inParallelBy(16, all, func(c cell) { results.add(runProgram(p, c)) })
	results.report(t)
}

func runProgram(p *program, c cell) result {
	res := result{name: "program/" + c.String()}
	s := &server{cell: c}
	var cmd *exec.Cmd
	started := make(chan struct{})
	timeout := time.Minute
	if c.fault.timed() {
		timeout = 2 * time.Second
	}
	if c.fault.timed() && c.stage >= content { // the dot is sent, and its reply has ten minutes
		s.onStrike = func() { <-started; _ = cmd.Process.Signal(syscall.SIGINT) }
	}
	s, err := serve(s)
	if err != nil {
		return res.failed("%v", err)
	}
	var out, errs bytes.Buffer
	cmd = p.command(s.port(), strings.ReplaceAll(c.String(), "/", "-"), timeout)
	cmd.Stdout, cmd.Stderr = &out, &errs
	start := time.Now()
	err = cmd.Start()
	close(started)
	if err == nil {
		overdue := time.AfterFunc(3*time.Minute, func() { _ = cmd.Process.Kill() })
		err = cmd.Wait()
		overdue.Stop()
	}
	if res.took = time.Since(start); res.took > 50*time.Second {
		res = res.failed("took %v", res.took)
	}
	if err := s.close(); err != nil {
		res = res.failed("%v", err)
	}
	var receipt told
	recipients, err := receipt.read(out.Bytes(), err)
	if err != nil || len(recipients) != 1 {
		return res.failed("%v; %d recipients; standard error: %s", err, len(recipients), errs.String())
	}
	res.attempts, res.outcome = 1, string(recipients[0].Outcome)
	for _, m := range s.kept() {
		res.wrong = append(res.wrong, s.judge(recipients, m.content)...)
		if !whole(m.content) {
			res = res.failed("stored %q", m.content)
		}
	}
	if len(s.kept()) == 0 {
		res.wrong = append(res.wrong, s.judge(recipients, "")...)
	}
	if !right(recipients, c.allowed()) && !(c.fault.timed() && recipients[0].Outcome == smtp.NotAttempted) {
		res = res.failed("outcome %s, want one of %v: %s", res.outcome, c.allowed(), errs.String())
	}
	if !exitFits(receipt.ExitCode, recipients[0].Outcome) {
		res = res.failed("exit code %d with %s", receipt.ExitCode, res.outcome)
	}
	if strings.Contains(out.String()+errs.String(), accessToken) || strings.Contains(out.String()+errs.String(), clientSecret) {
		res = res.failed("the output holds a secret")
	}
	return res
}

// exitFits compares exit code and outcome.
func exitFits(code int, o smtp.Outcome) bool {
	switch o {
	case smtp.Accepted:
		return code == 0
	case smtp.InDoubt:
		return code == 4
	}
	return code != 0 && code != 4
}

// whole reports that content is the message of program.command, to its end.
func whole(content string) bool {
	return strings.HasSuffix(content, "\r\n\r\nfirst\r\n.dot\r\nlast\r\n")
}
