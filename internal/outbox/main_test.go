package outbox_test

import (
	"context"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"

	"go.uber.org/goleak"

	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/outbox/queueid"
)

// childVariable makes the test program a process to be killed or watched.
const childVariable = "OUTBOX_TEST_CHILD"

func TestMain(m *testing.M) {
	switch words := strings.Fields(os.Getenv(childVariable)); {
	case len(words) == 0:
		goleak.VerifyTestMain(m)
	case words[0] == "produce":
		produce(words[1:])
	case words[0] == "large":
		large(words[1])
	default:
		fmt.Fprintln(os.Stderr, "unknown child", words)
		os.Exit(2)
	}
}

// produce adds messages to the outbox in a directory, from several goroutines,
// and writes a line for each after it was taken. The words are: directory,
// producers, messages of each, level of syncing, pages between checkpoints.
func produce(words []string) {
	n := make([]int, len(words))
	for i, w := range words {
		n[i], _ = strconv.Atoi(w)
	}
	o := outbox.Options{Reserve: -1}.Synchronous(words[3]).Checkpoint(n[4])
	ob, err := outbox.Open(context.Background(), words[0], o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	var wg sync.WaitGroup
	for p := range n[1] {
		wg.Go(func() {
			for i := range n[2] {
				if err := addOne(ob, p, i); err != nil {
					fmt.Fprintln(os.Stderr, err)
					os.Exit(1)
				}
			}
		})
	}
	wg.Wait()
	_ = ob.Close()
}

// addOne adds message i of producer p and tells so.
func addOne(ob *outbox.Outbox, p, i int) error {
	m := mail()
	m.MessageID = fmt.Sprintf("<%d.%d@contoso.example>", p, i)
	q, _, err := ob.Accept(context.Background(), m, strings.NewReader(contentOf(p, i)))
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(os.Stdout, "taken %d %d %s\n", p, i, q)
	return err
}

// contentOf is a content of some 2 KB that belongs to one message alone; some
// are of several pieces.
func contentOf(p, i int) string {
	r := rand.New(rand.NewPCG(uint64(p), uint64(i)))
	size := 1500 + r.IntN(1000)
	return fmt.Sprintf("Subject: %d %d\r\n\r\n", p, i) + strings.Repeat(strconv.FormatUint(r.Uint64(), 36), size/12)
}

// acknowledged reads the lines that produce wrote.
func acknowledged(t *testing.T, out string) map[queueid.ID][2]int {
	t.Helper()
	lines := strings.SplitAfter(out, "\n")
	taken := make(map[queueid.ID][2]int)
	for _, line := range lines {
		var p, i int
		var q queueid.ID
		if !strings.HasSuffix(line, "\n") {
			break
		}
		if _, err := fmt.Sscanf(line, "taken %d %d %s\n", &p, &i, &q); err != nil {
			t.Fatalf("line %q: %v", line, err)
		}
		taken[q] = [2]int{p, i}
	}
	return taken
}

// verify opens the outbox in dir as the next process would, and returns how many
// of the messages are not there as they were taken, and what SQLite finds wrong.
func verify(t *testing.T, dir string, taken map[queueid.ID][2]int) (lost int, integrity string) {
	t.Helper()
	if len(taken) == 0 {
		if _, err := os.Stat(filepath.Join(dir, "queue.db")); os.IsNotExist(err) {
			return 0, "ok"
		}
	}
	ob, err := outbox.Open(t.Context(), dir, outbox.Options{Reserve: -1}.Synchronous("OFF"))
	if err != nil {
		return len(taken), err.Error()
	}
	defer ob.Close()
	f := &fixture{t: t, ctx: t.Context(), queue: queue{ob}}
	list, err := on(ob).List(t.Context(), operator.Filter{})
	if err != nil {
		return len(taken), err.Error()
	}
	found := make(map[queueid.ID]bool)
	for _, m := range list {
		pi, ok := taken[m.QID]
		if !ok {
			continue
		}
		body, err := f.read(m.QID)
		found[m.QID] = err == nil && m.State == outbox.Ready && body == contentOf(pi[0], pi[1]) && m.MessageID == fmt.Sprintf("<%d.%d@contoso.example>", pi[0], pi[1])
	}
	for q := range taken {
		if !found[q] {
			lost++
		}
	}
	if err := outbox.Raw(t, dir).QueryRow("PRAGMA integrity_check").Scan(&integrity); err != nil {
		return lost, err.Error()
	}
	return lost, integrity
}
