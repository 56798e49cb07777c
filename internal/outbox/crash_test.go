package outbox_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/queueid"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
)

// child runs this test program as another process.
func child(words ...string) *exec.Cmd {
	cmd := exec.Command(os.Args[0])
	cmd.Env = append(os.Environ(), childVariable+"="+strings.Join(words, " "))
	cmd.Stderr = os.Stderr
	return cmd
}

func TestKilledProducerLosesNothingThatWasTaken(t *testing.T) {
	rounds := 6
	if testing.Short() {
		rounds = 1
	}
	dir := t.TempDir()
	taken := make(map[queueid.ID][2]int)
	for round := range rounds {
		cmd := child("produce", dir, "10", "100000", "FULL", "0")
		out, err := cmd.StdoutPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		var text strings.Builder
		lines := bufio.NewScanner(out)
		for n := 50 + rand.IntN(500); lines.Scan(); n-- {
			text.WriteString(lines.Text() + "\n")
			if n == 0 {
				if err := cmd.Process.Kill(); err != nil {
					t.Fatal(err)
				}
			}
		}
		_ = cmd.Wait() // it was killed
		for q, pi := range acknowledged(t, text.String()) {
			taken[q] = pi
		}
		if lost, integrity := verify(t, dir, taken); lost != 0 || integrity != "ok" {
			t.Errorf("round %d: %d of %d messages lost, %s", round, lost, len(taken), integrity)
		}
	}
	if len(taken) < 50*rounds {
		t.Errorf("only %d messages were taken in %d rounds", len(taken), rounds)
	}
}

// flowing is a content that goes on only while small messages are taken beside
// it.
type flowing struct {
	left  int
	since int // octets since a small message was taken
	small <-chan struct{}
}

func (f *flowing) Read(p []byte) (int, error) {
	if f.left == 0 {
		return 0, io.EOF
	}
	if f.since >= 10<<20 {
		<-f.small
		f.since = 0
	}
	n := min(len(p), f.left)
	for i := range n {
		p[i] = byte('a' + i%26)
	}
	f.left -= n
	f.since += n
	return n, nil
}

// large takes a message of 150 MB while small ones flow, reads it back, and
// writes how much memory that took.
func large(dir string) {
	ctx := context.Background()
	ob, err := outbox.Open(ctx, dir, outbox.Options{Reserve: -1})
	if err != nil {
		panic(err)
	}
	small, done := make(chan struct{}), make(chan struct{})
	go func() {
		for i := 0; ; i++ {
			if err := addOne(ob, 0, i); err != nil {
				panic(err)
			}
			select {
			case small <- struct{}{}:
			case <-done:
				return
			}
		}
	}()
	m := mail()
	m.Size = 150_000_000
	q, _, err := ob.Accept(ctx, m, &flowing{left: int(m.Size), small: small})
	if err != nil {
		panic(err)
	}
	close(done)
	body, err := ob.Body(ctx, q)
	if err != nil {
		panic(err)
	}
	n, err := io.Copy(io.Discard, body)
	fmt.Printf("read %d %v\n", n, err)
	status, _ := os.ReadFile("/proc/self/status")
	for line := range strings.Lines(string(status)) {
		if strings.HasPrefix(line, "VmHWM:") {
			fmt.Print(line)
		}
	}
	_ = ob.Close()
}

func TestLargeMessageNeedsLittleMemoryAndBlocksNobody(t *testing.T) {
	if testing.Short() {
		t.Skip("150 MB take seconds")
	}
	cmd := child("large", t.TempDir())
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(out), "read 150000000 <nil>\n") {
		t.Errorf("it did not come back whole:\n%s", out)
	}
	if _, rest, ok := strings.Cut(string(out), "VmHWM:"); ok {
		kb, err := strconv.Atoi(strings.Fields(rest)[0])
		t.Logf("%d MB of memory, %d small messages meanwhile", kb>>10, strings.Count(string(out), "taken "))
		tooMuch := measured && kb > 100<<10
		if err != nil || tooMuch {
			t.Errorf("%d KB of memory, 100 MB are allowed", kb)
		}
	}
}

func TestFullDisk(t *testing.T) {
	dir := smallDisk(t, "size=8m")
	ob, err := outbox.Open(t.Context(), dir, outbox.Options{Reserve: -1})
	if err != nil {
		t.Fatal(err)
	}
	f := &fixture{t: t, ctx: t.Context(), queue: queue{ob}}
	taken := make(map[queueid.ID][2]int)
	for i := 0; ; i++ {
		m := mail()
		m.MessageID = fmt.Sprintf("<0.%d@contoso.example>", i)
		q, _, err := ob.Accept(t.Context(), m, strings.NewReader(contentOf(0, i)))
		if errors.Is(err, store.ErrFull) {
			break
		}
		if err != nil || i > 10_000 {
			t.Fatalf("message %d: %v, want ErrFull in the end", i, err)
		}
		taken[q] = [2]int{0, i}
	}
	if _, _, err := ob.Accept(t.Context(), mail(), &flowing{left: 3 << 20}); !errors.Is(err, store.ErrFull) {
		t.Errorf("a large message on a full disk: %v, want ErrFull", err)
	}
	growDisk(t, dir, "size=32m")
	f.put(mail())
	if err := ob.Close(); err != nil {
		t.Fatal(err)
	}
	if lost, integrity := verify(t, dir, taken); lost != 0 || integrity != "ok" || len(taken) < 100 {
		t.Errorf("%d of %d messages lost, %s", lost, len(taken), integrity)
	}
}

func TestReserveOfTheDisk(t *testing.T) {
	dir := smallDisk(t, "size=16m")
	ob, err := outbox.Open(t.Context(), dir, outbox.Options{Reserve: 8 << 20})
	if err != nil {
		t.Fatal(err)
	}
	defer ob.Close()
	f := &fixture{t: t, ctx: t.Context(), queue: queue{ob}}
	m := mail()
	m.Size = 9 << 20 // fits, but not twice
	if _, _, err := ob.Accept(t.Context(), m, &flowing{left: 9 << 20}); !errors.Is(err, store.ErrFull) || !strings.Contains(err.Error(), "MiB are needed") {
		t.Errorf("a message that needs more than there is: %v", err)
	}
	f.put(mail())
	if err := os.WriteFile(filepath.Join(dir, "other"), make([]byte, 9<<20), 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := ob.Accept(t.Context(), mail(), strings.NewReader(content)); !errors.Is(err, store.ErrFull) {
		t.Errorf("below the reserve: %v", err)
	}
}
