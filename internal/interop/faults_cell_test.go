//go:build linux

package interop_test

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"
)

// faultVerbs are the verbs that meet every fault.
var faultVerbs = []string{"send", "sendmail", "queue", "batch"}

// patience is how long a mailbox may take to go on after its server is well; in
// the outbox's time, which is faultScale times faster, eleven hours. On a busy
// machine it is as long as so many runs of the queue take.
const (
	faultScale   = 10_000
	patience     = 4 * time.Second
	patienceRuns = 8
)

// cell is a verb that meets a fault.
type cell struct {
	fault
	persistence
	verb string
}

func (c cell) String() string { return c.title(c.persistence) + " x " + c.verb }

// met is what came of a cell.
type met struct {
	cell
	ended   result   // of the first command
	finding string   // the catalogue's code for the failure, "" when none is named
	told    []told   // by the first command
	waits   string   // why a message waited then
	final   []told   // after the server was healed; nil for send and sendmail
	stored  []string // recipients, one for each copy that the server keeps
	before  []string // the same, when the first command had ended
	looked  bool     // then, and not only at the end
	wrong   []string
}

// told is what smtpsend says of a recipient.
type told struct {
	to      string
	outcome string // accepted, refused (for good), open (may be tried again), doubt
	doubts  int    // how often the message was in doubt
	held    bool   // until somebody decides
}

// lab runs cells.
type lab struct {
	*servers
	client *client
	dir    string
}

// run runs one cell with a server of its own.
func (l *lab) run(ctx context.Context, c cell) (m met) {
	m = met{cell: c}
	options := map[string]any{}
	for name, value := range c.options {
		options[name] = value
	}
	if c.secure {
		options["secure"] = true
	}
	s, err := l.open(c.with(c.persistence, c.verb == "batch"), options)
	if err != nil {
		return m.fail("%v", err)
	}
	defer s.close()
	dir, err := os.MkdirTemp(l.dir, "cell")
	if err != nil {
		return m.fail("%v", err)
	}
	defer os.RemoveAll(dir)
	p := &program{ctx: ctx, lab: l, dir: dir, server: s}
	p.environ = p.settings(c.secure)
	switch c.verb {
	case "send":
		m = p.send(m)
	case "sendmail":
		m = p.sendmail(m)
	case "queue":
		m = p.queue(m)
	case "batch":
		m = p.batch(m)
	}
	n, err := s.struck()
	missed := n == 0 && !c.silent
	if err != nil || missed {
		m = m.fail("the fault struck %d times, %v", n, err)
	}
	if m.stored, err = storedBy(s); err != nil {
		return m.fail("%v", err)
	}
	if !m.looked {
		m.before = m.stored
	}
	return m
}

func (m met) fail(format string, args ...any) met {
	m.wrong = append(m.wrong, fmt.Sprintf(format, args...))
	return m
}

func storedBy(s *foreign) (to []string, err error) {
	kept, err := s.messages()
	for _, k := range kept {
		to = append(to, k.To...)
		if !strings.HasSuffix(string(k.Content), "\r\n.first\r\nlast\r\n") {
			err = fmt.Errorf("the server keeps %q", k.Content)
		}
	}
	return to, err
}

// matrixText is the body of every message.
const matrixText = ".first\nlast\n"

// program is smtpsend with the settings of a cell.
type program struct {
	ctx     context.Context
	lab     *lab
	dir     string
	server  *foreign
	environ []string
}

func (p *program) settings(secure bool) []string {
	security := "2"
	if secure {
		security = "1"
	}
	environ := slices.Clone(p.lab.client.environ)
	for name, value := range map[string]string{
		"SMTP_PORT": fmt.Sprint(p.server.port), "SMTP_SECURITY": security, "STATE_DIR": filepath.Join(p.dir, "state"),
		"DEAD_LETTER_DIR": p.dir, "ALIASES_FILE": "/dev/null", "TIME_SCALE": fmt.Sprint(faultScale),
		"CACHE_DIR": filepath.Join(p.dir, "cache"),
	} {
		environ = append(environ, "SMTPSEND_"+name+"="+value)
	}
	return environ
}

// do runs smtpsend.
func (p *program) do(stdin string, args ...string) (result, error) {
	cmd := exec.Command(binary, append([]string{"--env-file", p.lab.client.envFile}, args...)...)
	cmd.Env, cmd.Stdin = p.environ, strings.NewReader(stdin)
	return completeWithin(p.ctx, cmd, 2*limit) // a batch at a slow server takes its time
}

// ask runs smtpsend and reads its JSON.
func (p *program) ask(answer any, args ...string) error {
	r, err := p.do("", append([]string{"--json"}, args...)...)
	if err != nil {
		return err
	}
	if err := json.Unmarshal([]byte(r.stdout), answer); err != nil {
		return fmt.Errorf("%q: %w\n%v", args, err, r)
	}
	return nil
}

// recipientsOf are those of a message.
func (c cell) recipientsOf() []string {
	if c.two {
		return []string{"one@fabrikam.example", "two@fabrikam.example"}
	}
	return []string{"one@fabrikam.example"}
}

// outcomeOf maps the receipt's words.
func outcomeOf(word string) string {
	switch word {
	case "accepted":
		return "accepted"
	case "permanent", "refused":
		return "refused"
	case "in_doubt", "in doubt", "in-doubt":
		return "doubt"
	}
	return "open"
}

// receipt is what send prints, and what sendmail writes beside a dead letter.
type receipt struct {
	Recipients []struct {
		ForwardPath string `json:"forward_path"`
		Outcome     string
	}
	Finding struct{ Code string }
}

func (r receipt) told() (list []told) {
	for _, rcpt := range r.Recipients {
		list = append(list, told{to: rcpt.ForwardPath, outcome: outcomeOf(rcpt.Outcome)})
	}
	return list
}

// send tries once where the fault is always there, else as often as it likes.
func (p *program) send(m met) met {
	args := []string{"--json", "--timeout", "20s", "send", "--subject", "matrix", "--text", matrixText, "--to", strings.Join(m.recipientsOf(), ",")}
	if m.persistence == always {
		args = append(args, "--attempts", "1")
	}
	var err error
	if m.ended, err = p.do("", args...); err != nil {
		return m.fail("%v", err)
	}
	var r receipt
	if err := json.Unmarshal([]byte(m.ended.stdout), &r); err != nil {
		return m.fail("%v\n%v", err, m.ended)
	}
	m.told, m.finding = r.told(), r.Finding.Code
	return m
}

// sendmail says by its exit code that everybody has the message, or writes a
// dead letter. Where the fault is always there it is told to end soon, since its
// attempts cannot be counted; on a machine so busy that it did not get as far as
// the fault, it has another go.
func (p *program) sendmail(m met) met {
	const soon, late = "4s", "30s"
	timeout := late
	if m.persistence == always && !m.harmless && !m.silent {
		timeout = soon
	}
	var err error
	if m.ended, err = p.runSendmail(m, timeout); err != nil {
		return m.fail("%v", err)
	}
	if n, err := p.server.struck(); err == nil && n == 0 && timeout == soon {
		if m.ended, err = p.runSendmail(m, late); err != nil {
			return m.fail("%v", err)
		}
	}
	if m.ended.code == 0 {
		for _, to := range m.recipientsOf() {
			m.told = append(m.told, told{to: to, outcome: "accepted"})
		}
		return m
	}
	notes, err := filepath.Glob(filepath.Join(p.dir, "*.json"))
	if err != nil || len(notes) == 0 {
		return m.fail("%d dead letters, %v\n%v", len(notes), err, m.ended)
	}
	slices.Sort(notes) // by time
	text, err := os.ReadFile(notes[len(notes)-1])
	var r receipt
	if err == nil {
		err = json.Unmarshal(text, &r)
	}
	if err != nil {
		return m.fail("%v", err)
	}
	m.told = r.told()
	return m
}

func (p *program) runSendmail(m met, timeout string) (result, error) {
	args := append([]string{"sendmail", "-i", "--timeout", timeout}, m.recipientsOf()...)
	return p.do("From: noreply@contoso.example\nSubject: matrix\n\n"+matrixText, args...)
}
