package main

import (
	"bytes"
	"context"
	"crypto/rand"
	"crypto/rsa"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/sandbox"
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

// verb runs one in this process and reads what it prints.
func verb(t *testing.T, environ []string, args ...string) named {
	t.Helper()
	var out, errs bytes.Buffer
	p := &process{stdin: strings.NewReader(""), stdout: &out, stderr: &errs, environ: environ}
	code := run(t.Context(), p, append([]string{"--json"}, args...))
	var n named
	if err := json.Unmarshal(out.Bytes(), &n); err != nil {
		t.Errorf("%q: %v\n%s%s", args, err, out.Bytes(), errs.Bytes())
	}
	if n.Exit != code {
		t.Errorf("%q: exit code %d, and %d in the output", args, code, n.Exit)
	}
	return n
}

// sandboxFor starts one with a fault and returns the settings that lead to it.
func sandboxFor(t *testing.T, fault string) (environ []string, end func()) {
	t.Helper()
	f, err := sandbox.ParseFault(fault)
	if err != nil {
		t.Error(err)
		return nil, func() {}
	}
	ctx, cancel := context.WithCancel(context.Background())
	box, err := sandbox.Start(ctx, sandbox.Options{Faults: []sandbox.Fault{f}, SigningKey: signingKey()})
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

// TestEveryFaultHasOneName walks the catalogue: whatever a server can cause,
// send and doctor name it by the entry's code, with the same exit code, and
// explain names it from its text.
func TestEveryFaultHasOneName(t *testing.T) {
	var faults []string
	names := sandbox.FaultNames()
	for _, e := range diagnosis.Entries() {
		if e.ServerCan && !contains(names, e.Code) {
			t.Errorf("%s can be caused by a server, and the sandbox cannot", e.Code)
		} else if e.ServerCan {
			faults = append(faults, e.Code)
		}
	}
	if len(faults) < 80 {
		t.Fatalf("only %d faults", len(faults))
	}
	faults = append(faults, string(diagnosis.FaultTLSIntercepted), string(diagnosis.FaultTLSUntrusted)+",stage=token",
		string(diagnosis.FaultTLSIntercepted)+",stage=token", string(diagnosis.FaultConnectionClosed)+",stage=content")
	queue := make(chan string)
	var wg sync.WaitGroup
	for range 12 { // most of them wait for something
		wg.Go(func() {
			for fault := range queue {
				sameName(t, fault)
			}
		})
	}
	for _, f := range faults {
		queue <- f
	}
	close(queue)
	wg.Wait()
}

func contains(list []string, s string) bool {
	for _, l := range list {
		if l == s {
			return true
		}
	}
	return false
}

// otherwise are faults that send does not end with, and what it does.
var otherwise = map[string]string{
	"not-exchange": "goes on, as TLS and XOAUTH2 are right",
}

func sameName(t *testing.T, fault string) {
	// Faults of the endpoint are waited for; a machine too busy for the short
	// limit gets a longer one.
	send, doctor := bothNames(t, fault, "1500ms")
	code, _, _ := strings.Cut(fault, ",")
	if strings.HasSuffix(fault, ",stage=content") { // no reply to the final dot
		code = string(diagnosis.FaultInDoubt)
	}
	if _, ok := otherwise[code]; ok {
		if send.Exit != exitOK || doctor.Exit != exitOK {
			t.Errorf("%s: send ends with %d, doctor with %d", fault, send.Exit, doctor.Exit)
		}
		return
	}
	if send.Finding.Code != code || doctor.Finding.Code != code {
		send, doctor = bothNames(t, fault, "10s")
	}
	if send.Finding.Code != code || doctor.Finding.Code != code {
		t.Errorf("%s: send names it %q, doctor %q", fault, send.Finding.Code, doctor.Finding.Code)
	}
	if send.Exit != doctor.Exit {
		t.Errorf("%s: send ends with %d, doctor with %d", fault, send.Exit, doctor.Exit)
	}
	e, _ := diagnosis.Lookup(code)
	if text := sampleText(e); text != "" {
		if got := verb(t, []string{}, "explain", text); got.Code != code {
			t.Errorf("%s: explain names %q %q", fault, text, got.Code)
		}
	}
}

// bothNames runs send and doctor against the fault at the same time.
func bothNames(t *testing.T, fault, limit string) (send, doctor named) {
	settings, end := sandboxFor(t, fault)
	defer end()
	var wg sync.WaitGroup
	wg.Go(func() {
		send = verb(t, settings, "--timeout", limit, "send", "--attempts", "1", "--to", "a@contoso.example", "--text", "x")
	})
	doctor = verb(t, settings, "doctor", "--limit", limit, "--send-to", "a@contoso.example")
	wg.Wait()
	return send, doctor
}

// sampleText is the entry's text as somebody would paste it.
func sampleText(e diagnosis.Entry) string {
	switch {
	case e.Fault != "":
		return "" // no server's words; its package tests the words of programs
	case e.Token != nil && e.Token.Error == "":
		return ""
	case e.Token != nil:
		return fmt.Sprintf("HTTP %d %s: %s", e.Token.HTTPStatus, e.Token.Error, e.Sample)
	}
	return e.Sample
}
