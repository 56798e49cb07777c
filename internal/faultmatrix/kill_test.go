//go:build unix

package faultmatrix_test

import (
	"bufio"
	"bytes"
	"context"
	"crypto/x509"
	"encoding/base64"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/submission"
)

// kills is how often client and server are killed. Each has its own seed.
const kills = 60 / min(thinning, 2)

// TestKilledClient kills the program by SIGKILL when the server has read a
// random number of octets of the connection, and then runs it again with the
// same cache: no slot and no lock may be in its way.
func TestKilledClient(t *testing.T) {
	p := newProgram(t)
	total := dialogueOctets(t, p)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d; a whole dialogue has %d octets from the client", seed, total)
	var seeds []uint64
	for i := range uint64(kills) {
		seeds = append(seeds, seed+i)
	}
	var killed atomic.Int32
	var results results
	inParallelBy(4, seeds, func(seed uint64) {
		rng := rand.New(rand.NewPCG(seed, 0))
		r := killClient(p, seed, 1+rng.Int64N(total))
		if r.struck {
			killed.Add(1)
		}
		results.add(r)
	})
	results.report(t)
	if killed.Load() < kills/2 {
		t.Errorf("%d of %d clients were killed before their end", killed.Load(), kills)
	}
}

// dialogueOctets is how much a client sends in an undisturbed run.
func dialogueOctets(t *testing.T, p *program) int64 {
	t.Helper()
	var most atomic.Int64
	s := mustServe(t, &server{cell: cell{healthy: true, pipelining: true}, onRead: func(_ int, n int64) { most.Store(max(n, most.Load())) }})
	if out, err := p.command(s.port(), "undisturbed", time.Minute).CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	if err := s.close(); err != nil {
		t.Fatal(err)
	}
	return most.Load()
}

func killClient(p *program, seed uint64, octets int64) result {
	res := result{name: fmt.Sprintf("client/seed=%d/octets=%d", seed, octets), attempts: 2}
	var cmd *exec.Cmd
	started := make(chan struct{})
	s, err := serve(&server{cell: cell{healthy: true, pipelining: seed%2 == 0}, onRead: func(conn int, n int64) {
		if conn == 0 && n >= octets {
			<-started
			_ = cmd.Process.Kill()
		}
	}})
	if err != nil {
		return res.failed("%v", err)
	}
	cache := fmt.Sprintf("seed%d", seed)
	cmd = p.command(s.port(), cache, time.Minute)
	err = cmd.Start()
	close(started)
	if err != nil {
		return res.failed("%v", err)
	}
	err = cmd.Wait()
	res.struck = !cmd.ProcessState.Exited()
	if !res.struck && err != nil {
		res = res.failed("the client was not killed, and ended with %v", err)
	}
	var out, errs bytes.Buffer
	again := p.command(s.port(), cache, time.Minute)
	again.Stdout, again.Stderr = &out, &errs
	start := time.Now()
	if err := again.Run(); err != nil {
		res = res.failed("the next run: %v: %s", err, errs.String())
	}
	if res.took = time.Since(start); res.took > 50*time.Second {
		res = res.failed("the next run took %v", res.took)
	}
	if err := s.close(); err != nil {
		res = res.failed("%v", err)
	}
	byConn := make(map[int]int)
	for _, m := range s.kept() {
		byConn[m.conn]++
		if !whole(m.content) || len(m.to) != 1 {
			res = res.failed("stored %q for %q", m.content, m.to)
		}
	}
	if byConn[0] > 1 || byConn[1] != 1 || len(byConn) > 2 {
		res = res.failed("stored by connection: %v", byConn)
	}
	res.outcome = fmt.Sprintf("killed=%v stored=%d", res.struck, byConn[0])
	return res
}

// TestClientKilledWithTheTokenLock kills the program while it waits for the
// token endpoint, when it holds the lock of the token cache and maybe a slot.
func TestClientKilledWithTheTokenLock(t *testing.T) {
	p := newProgram(t)
	var cmd *exec.Cmd
	started, ended := make(chan struct{}), make(chan *os.ProcessState, 1)
	var once atomic.Bool
	kill := func() {
		if once.CompareAndSwap(false, true) {
			<-started
			_ = cmd.Process.Kill()
			_ = cmd.Wait()
			ended <- cmd.ProcessState
		}
	}
	p.token.before.Store(&kill)
	s := mustServe(t, &server{cell: cell{healthy: true, pipelining: true}})
	cmd = p.command(s.port(), "shared", time.Minute)
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	close(started)
	if out, err := p.command(s.port(), "shared", time.Minute).CombinedOutput(); err != nil {
		t.Errorf("the next run: %v: %s", err, out)
	}
	if err := s.close(); err != nil {
		t.Error(err)
	}
	if n := len(s.kept()); n != 1 {
		t.Errorf("%d messages are stored, want 1", n)
	}
	if state := <-ended; state.Exited() {
		t.Errorf("the first run was not killed: %v", state)
	}
}

// The environment of a server that runs in a process of its own.
const (
	serverRole   = "FAULTMATRIX_SERVER" // the file that gets its ledger
	serverOctets = "FAULTMATRIX_OCTETS" // it kills itself after having read so many
	serverMoment = "FAULTMATRIX_MOMENT" // or at a moment: "kept", before the reply to the dot
)

// serveUntilKilled is a server whose ledger outlives it: what was written to a
// file before the kill is in it. Its first line on standard output says where it
// is and whom to trust.
func serveUntilKilled() {
	ledger, err := os.OpenFile(os.Getenv(serverRole), os.O_CREATE|os.O_WRONLY|os.O_APPEND, 0o600)
	if err != nil {
		panic(err)
	}
	octets, _ := strconv.ParseInt(os.Getenv(serverOctets), 10, 64)
	die := func() { _ = syscall.Kill(os.Getpid(), syscall.SIGKILL); select {} }
	s, err := serve(&server{
		cell: cell{healthy: true, pipelining: octets%2 == 0},
		onRead: func(_ int, n int64) {
			if octets > 0 && n >= octets {
				die()
			}
		},
		onKeep: func(m stored) {
			line, _ := json.Marshal(map[string]any{"to": m.to, "content": m.content})
			if _, err := ledger.Write(append(line, '\n')); err != nil {
				panic(err)
			}
			if os.Getenv(serverMoment) == "kept" {
				die()
			}
		},
	})
	if err != nil {
		panic(err)
	}
	fmt.Printf("%d %s\n", s.port(), base64.StdEncoding.EncodeToString(certificate().pem))
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n') // until the parent has gone
}

func TestKilledServer(t *testing.T) {
	noLeak(t)
	total := dialogueOctetsOfServer(t)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	var seeds []uint64
	for i := range uint64(kills) {
		seeds = append(seeds, seed+i)
	}
	dir := t.TempDir()
	var results results
	inParallelBy(4, seeds, func(seed uint64) {
		moment, octets := "", 1+rand.New(rand.NewPCG(seed, 0)).Int64N(total)
		if seed%8 == 0 {
			moment, octets = "kept", 0
		}
		results.add(killServer(filepath.Join(dir, strconv.FormatUint(seed, 10)), moment, octets))
	})
	results.report(t)
}

// dialogueOctetsOfServer is dialogueOctets for a client in this process.
func dialogueOctetsOfServer(t *testing.T) int64 {
	t.Helper()
	var most atomic.Int64
	s := mustServe(t, &server{cell: cell{healthy: true, pipelining: true}, onRead: func(_ int, n int64) { most.Store(max(n, most.Load())) }})
	if r, _ := submitOne(t, s, s.options()); !r.AllAccepted() {
		t.Fatal(r.Err())
	}
	return most.Load()
}

func killServer(file, moment string, octets int64) result {
	res := result{name: fmt.Sprintf("server/octets=%d/%s", octets, moment)}
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), serverRole+"="+file, serverOctets+"="+strconv.FormatInt(octets, 10), serverMoment+"="+moment)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return res.failed("%v", err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return res.failed("%v", err)
	}
	if err := cmd.Start(); err != nil {
		return res.failed("%v", err)
	}
	defer func() { _ = stdin.Close(); _ = cmd.Wait() }()
	first, err := bufio.NewReader(stdout).ReadString('\n')
	port, ca, ok := strings.Cut(strings.TrimSpace(first), " ")
	if err != nil || !ok {
		return res.failed("the server said %q: %v", first, err)
	}
	o := session.Options{Host: "127.0.0.1", Mailbox: mailbox, Tokens: oneToken{}, RootCAs: x509.NewCertPool(), Timeouts: limits(patience)}
	o.Port, _ = strconv.Atoi(port)
	pem, _ := base64.StdEncoding.DecodeString(ca)
	o.RootCAs.AppendCertsFromPEM(pem)
	m, text, err := compose("a@contoso.example")
	if err != nil {
		return res.failed("%v", err)
	}
	defer m.Close()
	start := time.Now()
	r := submission.Submit(context.Background(), o, m, submission.Policy{Attempts: 1, Deadline: start.Add(time.Minute)})
	if res.took = time.Since(start); res.took > patience/2 {
		res = res.failed("took %v", res.took)
	}
	res.attempts, res.outcome = 1, string(r.Recipients[0].Outcome)
	kept, err := readLedger(file)
	if err != nil {
		return res.failed("%v", err)
	}
	past := &server{ledger: kept, conns: []*conn{{asked: true}}}
	res.wrong = append(res.wrong, past.judgeReceipt(r, text)...)
	if moment == "kept" && (res.outcome != string(smtp.InDoubt) || len(kept) != 1) {
		res = res.failed("outcome %s and %d stored, though the reply to the dot cannot have come", res.outcome, len(kept))
	}
	return res
}

func readLedger(file string) (kept []stored, err error) {
	text, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	for line := range strings.Lines(string(text)) {
		var m struct {
			To      []string
			Content string
		}
		if err := json.Unmarshal([]byte(line), &m); err != nil {
			return nil, fmt.Errorf("reading the ledger: %w", err)
		}
		kept = append(kept, stored{to: m.To, content: m.Content})
	}
	return kept, nil
}
