package main

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"errors"
	"fmt"
	"io"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rogpeppe/go-internal/testscript"
	"go.uber.org/goleak"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/sandbox"
	"github.com/smtpsend/smtpsend/internal/sandbox/fault"
	"github.com/smtpsend/smtpsend/internal/sandbox/tenant"
	"github.com/smtpsend/smtpsend/internal/sendmail"
)

// outputDir gets, in tests, a copy of everything that smtpsend prints, so that
// TestScripts can search it for secrets.
const outputDir = "SMTPSEND_TEST_OUTPUT_DIR"

func TestMain(m *testing.M) {
	testscript.Main(leakChecked{m}, map[string]func(){
		"smtpsend": mainForTest, "sendmail": mainForTest, "mailq": mainForTest, "newaliases": mainForTest,
	})
}

// leakChecked runs the tests and fails when a goroutine is left.
type leakChecked struct{ m *testing.M }

func (l leakChecked) Run() int {
	code := l.m.Run()
	if err := goleak.Find(); code == 0 && err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return code
}

// mainForTest is main with a copy of its output.
func mainForTest() {
	dir := os.Getenv(outputDir)
	if dir == "" {
		main()
		return
	}
	os.Unsetenv(outputDir)
	ahead := clockAhead()
	setZone()
	f, err := os.CreateTemp(dir, "output")
	if err != nil {
		panic(err)
	}
	p := &process{
		stdin: os.Stdin, environ: os.Environ(), ahead: ahead,
		stdout: io.MultiWriter(os.Stdout, f), stderr: io.MultiWriter(os.Stderr, f),
	}
	if slices.Contains(os.Args, "token") {
		p.stdout = os.Stdout // prints a token because it was asked to
	}
	os.Exit(run(notified(), p, sendmail.ByName(os.Args[0], os.Args[1:])))
}

// scriptsRun guards against a test that runs no script.
var scriptsRun atomic.Int32

func TestScripts(t *testing.T) {
	output, secrets := t.TempDir(), t.TempDir()
	host, _ := os.Hostname()
	t.Run("scripts", func(t *testing.T) {
		testscript.Run(t, testscript.Params{
			Dir:                 "testdata/script",
			RequireExplicitExec: true,
			RequireUniqueNames:  true,
			Setup: func(env *testscript.Env) error {
				scriptsRun.Add(1)
				env.Setenv(outputDir, output)
				env.Setenv("HOME", env.WorkDir)
				env.Setenv("HOST", host)
				env.Setenv("GORACE", os.Getenv("GORACE"))
				env.Setenv("INJECTED", "a\nBcc: evil@contoso.example") // a script's line cannot hold it
				env.Setenv("XDG_CONFIG_HOME", filepath.Join(env.WorkDir, "config"))
				env.Setenv("SMTPSEND_STATE_DIR", filepath.Join(env.WorkDir, "state")) // root's default is the machine's
				env.Setenv("XDG_CACHE_HOME", filepath.Join(env.WorkDir, "cache"))
				env.Values[secretsKey{}] = secrets
				return nil
			},
			Condition: func(name string) (bool, error) {
				_, err := address.Parse("", "x@"+host)
				local := slices.Contains([]string{"localhost", "localhost.localdomain"}, strings.ToLower(host))
				return err == nil && !local, nil // "named", the only one of ours
			},
			Cmds: map[string]func(*testscript.TestScript, bool, []string){
				"sandbox": cmdSandbox, "stored": cmdStored, "waitfor": cmdWaitFor, "exits": cmdExits,
				"get": cmdGet, "count": cmdCount, "tokens": cmdTokens, "random": cmdRandom, "fill": cmdFill,
				"recipients": cmdRecipients, "envelope": cmdEnvelope, "nosender": cmdNoSender,
				"server": cmdServer, "endpoint": cmdEndpoint, "pair": cmdPair, "certificates": cmdCertificates, "register": cmdRegister,
			},
		})
	})
	if scriptsRun.Load() < 10 {
		t.Errorf("only %d scripts ran", scriptsRun.Load())
	}
	searchForSecrets(t, output, secrets)
}

// secretsKey is where a script finds the directory that keeps the settings of
// its sandboxes.
type secretsKey struct{}

// boxes holds the sandbox of each running script.
var boxes sync.Map // *testscript.TestScript -> *sandbox.Sandbox

func boxOf(ts *testscript.TestScript) *sandbox.Sandbox {
	box, ok := boxes.Load(ts)
	if !ok {
		ts.Fatalf("no sandbox: start one first")
	}
	return box.(*sandbox.Sandbox)
}

// cmdSandbox is "sandbox ENVFILE [fault...]": a sandbox in this process.
func cmdSandbox(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) == 0 {
		ts.Fatalf("usage: sandbox ENVFILE [fault...]")
	}
	o := sandbox.Options{}
	for _, text := range args[1:] {
		if text == "service=hve" {
			o.HVE = true
			continue
		}
		if after, ok := strings.CutPrefix(text, "retry-after="); ok {
			d, err := time.ParseDuration(after)
			ts.Check(err)
			o.RetryAfter = d
			continue
		}
		if after, ok := strings.CutPrefix(text, "send-as="); ok {
			o.Scenario = tenant.DefaultScenario()
			o.Scenario.Applications[0].SendAs = []string{after}
			continue
		}
		f, err := fault.Parse(text)
		ts.Check(err)
		o.Faults = append(o.Faults, f)
	}
	ctx, cancel := context.WithCancel(context.Background())
	box, err := sandbox.Start(ctx, o)
	ts.Check(err)
	ts.Defer(func() { box.Close(); cancel() })
	ts.Check(box.WriteEnv(ts.MkAbs(args[0])))
	keep := filepath.Join(ts.Value(secretsKey{}).(string), fmt.Sprintf("%s-%d", ts.Name(), time.Now().UnixNano()))
	ts.Check(os.WriteFile(keep, []byte(strings.Join(box.Env(), "\n")), 0o600))
	boxes.Store(ts, box)
	ts.Defer(func() { boxes.Delete(ts) })
}

// cmdStored is "stored N FILE": the Nth stored message goes into FILE.
func cmdStored(ts *testscript.TestScript, neg bool, args []string) {
	n, err := strconv.Atoi(args[0])
	ts.Check(err)
	box := boxOf(ts)
	messages := box.Messages()
	if n > len(messages) {
		ts.Fatalf("%d messages are stored, not %d", len(messages), n)
	}
	raw, ok := box.Raw(messages[n-1].ID)
	if !ok {
		ts.Fatalf("message %d has no content", n)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), []byte(strings.ReplaceAll(string(raw), "\r\n", "\n")), 0o600))
}

// cmdCount is "count N": so many messages are stored.
func cmdCount(ts *testscript.TestScript, neg bool, args []string) {
	if got := strconv.Itoa(len(boxOf(ts).Messages())); got != args[0] {
		ts.Fatalf("%s messages are stored, want %s", got, args[0])
	}
}

// cmdTokens is "tokens N": so many token requests were made.
func cmdTokens(ts *testscript.TestScript, neg bool, args []string) {
	if got := strconv.FormatInt(boxOf(ts).Stats().TokenRequests, 10); got != args[0] {
		ts.Fatalf("%s token requests were made, want %s", got, args[0])
	}
}

// cmdWaitFor is "waitfor FILE": the file is there, within a minute.
func cmdWaitFor(ts *testscript.TestScript, neg bool, args []string) {
	tick := time.NewTicker(10 * time.Millisecond)
	defer tick.Stop()
	for end := time.Now().Add(time.Minute); time.Now().Before(end); <-tick.C {
		if _, err := os.Stat(ts.MkAbs(args[0])); err == nil {
			return
		}
	}
	ts.Fatalf("no %s", args[0])
}

// cmdExits is "exits CODE PROGRAM ARG...": the program ends with that code. Its
// output can be matched like that of exec.
func cmdExits(ts *testscript.TestScript, neg bool, args []string) {
	err := ts.Exec(args[1], args[2:]...)
	code := 0
	if err != nil {
		var exit *exec.ExitError
		if !errors.As(err, &exit) {
			ts.Fatalf("%v", err)
		}
		code = exit.ExitCode()
	}
	if strconv.Itoa(code) != args[0] {
		ts.Fatalf("exit code %d, want %s", code, args[0])
	}
}

// cmdGet is "get URL FILE [CAFILE]".
func cmdGet(ts *testscript.TestScript, neg bool, args []string) {
	client := &http.Client{}
	if len(args) > 2 {
		roots := x509.NewCertPool()
		roots.AppendCertsFromPEM([]byte(ts.ReadFile(args[2])))
		transport := &http.Transport{TLSClientConfig: &tls.Config{RootCAs: roots}}
		defer transport.CloseIdleConnections()
		client.Transport = transport
	}
	resp, err := client.Get(args[0])
	ts.Check(err)
	defer resp.Body.Close()
	body, err := io.ReadAll(resp.Body)
	ts.Check(err)
	ts.Check(os.WriteFile(ts.MkAbs(args[1]), body, 0o600))
}

// cmdRandom is "random FILE OCTETS": a file with content that does not repeat.
func cmdRandom(ts *testscript.TestScript, neg bool, args []string) {
	n, err := strconv.Atoi(args[1])
	ts.Check(err)
	data := make([]byte, n)
	x := uint32(2463534242)
	for i := range data {
		x ^= x << 13
		x ^= x >> 17
		x ^= x << 5
		data[i] = byte(x)
	}
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), data, 0o600))
}

// cmdFill is "fill FILE": ${NAME} in the file becomes the sandbox's setting
// SMTPSEND_NAME.
func cmdFill(ts *testscript.TestScript, neg bool, args []string) {
	settings := make(map[string]string)
	for _, kv := range boxOf(ts).Env() {
		name, value, _ := strings.Cut(kv, "=")
		settings[strings.TrimPrefix(name, "SMTPSEND_")] = value
	}
	text := os.Expand(ts.ReadFile(args[0]), func(name string) string {
		value, ok := settings[name]
		if !ok {
			ts.Fatalf("the sandbox has no setting %s", name)
		}
		return value
	})
	ts.Check(os.WriteFile(ts.MkAbs(args[0]), []byte(text), 0o600))
}
