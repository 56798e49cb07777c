package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/sandbox"
	"github.com/smtpsend/smtpsend/internal/sandbox/fault"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// signingKey is shared by the sandboxes of a test: making one takes longer than
// the rest of a start.
var signingKey = sync.OnceValue(func() *rsa.PrivateKey {
	key, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		panic(err)
	}
	return key
})

// named is what a verb says with --json about a failure.
type named struct {
	Code    string // of explain
	Finding struct{ Code string }
	Exit    int `json:"exit_code"`
}

// verb runs one with --json, whose result says how it ends.
func verb(t *testing.T, environ []string, args ...string) named {
	t.Helper()
	r := runVerb(t, environ, "", append([]string{"--json"}, args...)...)
	n := decode[named](t, r)
	if n.Exit != r.code {
		t.Errorf("%q: exit code %d, and %d in the output", args, r.code, n.Exit)
	}
	return n
}

// sandboxFor starts one with a fault and returns the settings that lead to it.
func sandboxFor(t *testing.T, name string) (environ []string, end func()) {
	t.Helper()
	f, err := fault.Parse(name)
	if err != nil {
		t.Error(err)
		return nil, func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	box, err := sandbox.Start(ctx, sandbox.Options{Faults: []fault.Fault{f}, SigningKey: signingKey()})
	if err != nil {
		cancel()
		t.Error(err)
		return nil, func() {}
	}
	dir := t.TempDir()
	ca := filepath.Join(dir, "ca.pem")
	if err := os.WriteFile(ca, box.CAPEM(), 0o600); err != nil {
		t.Error(err)
	}
	environ = append(box.Env(), "SMTPSEND_CA_FILE="+ca, "SMTPSEND_CACHE_DIR="+filepath.Join(dir, "cache"))
	return environ, func() { box.Close(); cancel() }
}

// answers are the names that the verbs give one fault, and the exit codes that they
// end with. "" is a verb that has nothing to say.
type answers struct {
	send, sendmail, doctor  string
	list, why, notice, told string // of the outbox; the last is what SMTPSEND_NOTIFY_COMMAND gets
	explained, whole        string // by explain: of what was said, and of all that send wrote
	state                   outbox.State
	sent, mailed, run, seen int // exit codes of send, sendmail, queue run, doctor
}

// ran is one run of the program in this process.
type ran struct {
	code        int
	out, report string
}

func runVerb(t *testing.T, environ []string, stdin string, args ...string) ran {
	t.Helper()
	var out, errs bytes.Buffer
	p := &process{stdin: strings.NewReader(stdin), stdout: &out, stderr: &errs, environ: environ}
	code := run(t.Context(), p, args)
	return ran{code, out.String(), errs.String()}
}

var (
	explained = regexp.MustCompile(`(?m)more: smtpsend explain (\S+)\r?$`)
	saidLine  = regexp.MustCompile(`(?m)^smtpsend: said: (.*)$`)
)

func group(re *regexp.Regexp, text string) string {
	if m := re.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

// decode reads what a verb printed with --json.
func decode[T any](t *testing.T, r ran) (v T) {
	t.Helper()
	if err := json.Unmarshal([]byte(r.out), &v); err != nil {
		t.Errorf("%v\n%s%s", err, r.out, r.report)
	}
	return v
}

// ask gives one fault to every verb that names it.
func ask(t *testing.T, fault, limit string) answers {
	settings, end := sandboxFor(t, fault)
	defer end()
	dir := t.TempDir()
	settings = append(settings, "SMTPSEND_STATE_DIR="+filepath.Join(dir, "state"), "SMTPSEND_DEAD_LETTER_DIR="+dir, "SMTPSEND_ALIASES_FILE=/dev/null",
		"SMTPSEND_OPERATOR=ops@contoso.example", "SMTPSEND_IN_DOUBT=hold")
	var a answers
	var all sync.WaitGroup
	all.Go(func() {
		r := runVerb(t, settings, "", "--timeout", limit, "send", "--attempts", "1", "--to", "a@contoso.example", "--text", "x")
		a.send, a.sent = group(explained, r.report), r.code
		a.explain(t, r.report)
	})
	all.Go(func() {
		r := runVerb(t, settings, "To: a@contoso.example\n\nx\n", "--json", "sendmail", "--timeout", limit, "-t")
		a.sendmail, a.mailed = decode[named](t, r).Finding.Code, r.code
	})
	all.Go(func() {
		n := verb(t, settings, "doctor", "--limit", limit, "--send-to", "a@contoso.example")
		a.doctor, a.seen = n.Finding.Code, n.Exit
	})
	all.Go(func() { a.outbox(t, settings, limit) })
	all.Wait()
	return a
}

// outbox submits one message from the outbox, and asks all that tell of it.
func (a *answers) outbox(t *testing.T, settings []string, limit string) {
	queued := runVerb(t, settings, "", "send", "--queue", "--to", "a@contoso.example", "--text", "x")
	if queued.code != exit.OK {
		t.Errorf("queueing: %s", queued.report)
	}
	incident := filepath.Join(t.TempDir(), "incident.json")
	if tee, err := exec.LookPath("tee"); err == nil {
		settings = append(slices.Clip(settings), "SMTPSEND_NOTIFY_COMMAND="+tee+" "+incident)
	}
	a.run = runVerb(t, settings, "", "--timeout", limit, "queue", "run").code
	if text, err := os.ReadFile(incident); err == nil {
		a.told = decode[struct{ Code string }](t, ran{out: string(text)}).Code
	}
	why := decode[struct {
		Mailboxes []struct{ Kind string }
	}](t, runVerb(t, settings, "", "--json", "queue", "why"))
	for _, m := range why.Mailboxes {
		a.why = m.Kind
	}
	list := decode[struct {
		Messages []struct {
			ID           string `json:"queue_id"`
			State        outbox.State
			Source, Kind string
		}
	}](t, runVerb(t, settings, "", "--json", "queue", "ls", "--all"))
	for _, m := range list.Messages {
		if m.Source == "notice" {
			a.notice = group(explained, runVerb(t, settings, "", "queue", "cat", m.ID).out)
		} else {
			a.list, a.state = m.Kind, m.State
		}
	}
}

// explain gives a report of send to explain: the line of what was said by itself,
// and the whole.
func (a *answers) explain(t *testing.T, report string) {
	ask := func(text string) string {
		if text == "" {
			return ""
		}
		return decode[named](t, runVerb(t, nil, text, "--json", "explain", "-")).Code
	}
	a.explained, a.whole = ask(group(saidLine, report)), ask(report)
}

// seenAs are the names of faults that the catalogue has no entry for, or another
// one; "" is none, because the message is accepted.
var seenAs = map[string]string{
	"app-rbac": "", "expires-in-string": "", "token-short": "", "slow": "", "garbles-8bit": "", "not-exchange": "",
	"connection-reset": "connection-closed", "content-cut": "in-doubt", "token-cut": "connection-closed",
	"connection-closed,stage=content": "in-doubt", "half-reply": "in-doubt", "reply-lost": "in-doubt",
	"token-throttled": "entra-throttled", "token-unavailable": "entra-unavailable", "token-empty": "token-not-json", "token-missing": "token-not-json",
	"token-for-graph": "token-not-for-exchange", "token-for-other-cloud": "wrong-cloud",
	"clock-skew": "auth-unsuccessful", "graph-roles-only": "auth-unsuccessful", "mailbox-outside-scope": "auth-unsuccessful",
	"no-mailbox-grant": "auth-unsuccessful", "propagation-delay": "auth-unsuccessful", "role-missing": "auth-unsuccessful",
	"role-with-app-rbac": "auth-unsuccessful", "service-principal-missing": "auth-unsuccessful", "wrong-object-id": "auth-unsuccessful",
}

// doctorKnows are faults of which doctor says more than anyone who only submits.
var doctorKnows = map[string]string{
	"clock-skew": "clock-skew", // it compares the endpoint's clock with this machine's
}

// inWordsAlone is what explain may say of a failure's words by themselves where
// they do not hold what made its name. All others it has to name as send does.
var inWordsAlone = map[string]struct{ says, why string }{
	"token-expired":          {"auth-unsuccessful", "Exchange says the same of each token that it does not take; the claims tell which it was"},
	"wrong-cloud":            {"auth-unsuccessful", "so do they of a token for another cloud"},
	"token-not-for-exchange": {"auth-unsuccessful", "and of one for another service"},
	"in-doubt":               {"unknown", "the words are those of a connection that ends; that the final dot was sent, they do not say"},
	"tls-intercepted":        {"unknown", noHost},
	"tls-untrusted":          {"unknown", noHost},
	"tls-hostname":           {"unknown", noHost},
	"tls-expired":            {"unknown", noHost},
	"tls-version":            {"unknown", noHost},
	"tls-failure":            {"unknown", noHost},
	"tls-not-spoken":         {"unknown", noHost},
	"not-smtp":               {"unknown", noHost},
	"connection-closed":      {"unknown", noHost},
	"connection-timeout":     {"unknown", noHost},
	"starttls-missing":       {"unknown", noHost},
	"xoauth2-missing":        {"unknown", noHost},
	"entra-throttled":        {"unknown", noHost},
	"entra-unavailable":      {"unknown", noHost},
	"token-not-json":         {"unknown", noHost},
}

const noHost = "the words name no host of Microsoft's, and any server can be meant"

// TestEveryFaultHasOneName walks all that can go wrong in the sandbox: send,
// sendmail, doctor, queue ls, queue why, the notice to the operator and explain give
// it one name, and those that submit end with one exit code.
func TestEveryFaultHasOneName(t *testing.T) {
	faults := append(fault.Names(), string(smtp.FaultTLSUntrusted)+",stage=token",
		string(smtp.FaultTLSIntercepted)+",stage=token", string(smtp.FaultConnectionClosed)+",stage=content")
	for _, e := range diagnosis.Entries() {
		if e.ServerCan && !slices.Contains(faults, e.Code) {
			t.Errorf("%s can be caused by a server, and the sandbox cannot", e.Code)
		}
	}
	if len(faults) < 160 {
		t.Fatalf("only %d faults", len(faults))
	}
	queue := make(chan string)
	var wg sync.WaitGroup
	for range 12 { // most of them wait for something
		wg.Go(func() {
			for fault := range queue {
				oneName(t, fault)
			}
		})
	}
	for _, f := range faults {
		queue <- f
	}
	close(queue)
	wg.Wait()
}

// oneName asks all about a fault. Faults of the endpoint are waited for; a machine
// too busy for a short limit gets a longer one.
func oneName(t *testing.T, fault string) {
	code, ok := seenAs[fault]
	if !ok {
		code, _, _ = strings.Cut(fault, ",")
	}
	var wrong []string
	for _, limit := range []string{"1500ms", "10s", "60s"} {
		if wrong = ask(t, fault, limit).unlike(fault, code); len(wrong) == 0 {
			return
		}
	}
	for _, text := range wrong {
		t.Errorf("%s: %s", fault, text)
	}
}

// unlike lists the answers that are not about code.
func (a answers) unlike(fault, code string) (wrong []string) {
	want := func(verb, got, want string) {
		if got != want {
			wrong = append(wrong, fmt.Sprintf("%s names it %q, not %q", verb, got, want))
		}
	}
	doctor, more := doctorKnows[fault]
	if !more {
		doctor = code
	}
	want("send", a.send, code)
	want("sendmail", a.sendmail, code)
	want("doctor", a.doctor, doctor)
	want("queue ls", a.list, code)
	if a.why != "" { // nothing stops the mailbox
		want("queue why", a.why, code)
	}
	entry, _ := diagnosis.Lookup(code)
	heldByRefusal := a.state == outbox.Held && entry.Holds != "" // as is the mail with the notice, which then looks for another mailbox
	if a.notice != "" || a.state == outbox.Dead || (a.state == outbox.Held && !heldByRefusal) {
		want("the notice", a.notice, code)
	}
	if a.told != "" || a.notice != "" || heldByRefusal {
		want("the incident", a.told, code)
	}
	want("explain, of all that send says,", a.whole, code)
	if alone, ok := inWordsAlone[code]; !ok || a.explained != alone.says {
		want("explain, of what was said,", a.explained, code)
	}
	if a.mailed != a.sent || a.run != a.sent || a.seen != a.sent {
		wrong = append(wrong, fmt.Sprintf("send ends with %d, sendmail with %d, queue run with %d, doctor with %d", a.sent, a.mailed, a.run, a.seen))
	}
	if (a.sent == exit.OK) != (code == "") {
		wrong = append(wrong, fmt.Sprintf("send ends with %d", a.sent))
	}
	return wrong
}
