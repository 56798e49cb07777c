//go:build linux

package interop_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"github.com/smtpsend/smtpsend/internal/sandbox"
)

// roads are the ways of a ready message into smtpsend.
var roads = []struct {
	name string
	args []string
}{
	{"sendmail -t", []string{"sendmail", "-i", "-t"}},
	{"sendmail RCPT", []string{"sendmail", "-i", corpusRecipient}},
	{"send --message", []string{"send", "--message", "-"}},
}

const (
	roadT = iota
	roadRecipient
	roadMessage
)

const corpusRecipient = "one@fabrikam.example"

// submitted is what smtpsend did with a message of the corpus on one road.
type submitted struct {
	result
	err     error
	to      []string // sorted
	content []byte   // nil when nothing arrived
	utf8    bool     // it went with SMTPUTF8
	times   int      // transactions
}

// submitCorpus sends every message on every road to a server of others. The
// results are in the order of all.
func submitCorpus(t *testing.T, all []specimen) [][]submitted {
	t.Helper()
	box := start(t, sandbox.Options{})
	s := startServers(t)
	to, err := s.open(nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	results := make([][]submitted, len(all))
	for i := range results {
		results[i] = make([]submitted, len(roads))
	}
	settings := append(at(t, box, fmt.Sprint(to.port), s.cert), "DEFAULT_DOMAIN=contoso.example", "ALIASES_FILE=/dev/null",
		"SMTP_USER_NAME=noreply@contoso.example")
	var group sync.WaitGroup
	const workers = 8 // the server lets each connection wait for 100 ms
	for w := range workers {
		c := newClient(t, box, settings...) // a mailbox's connections are counted in its cache
		dead := t.TempDir()
		c.environ = append(c.environ, "SMTPSEND_DEAD_LETTER_DIR="+dead)
		group.Go(func() {
			for i := w; i < len(all); i += workers {
				for road := range roads {
					results[i][road] = c.submit(t.Context(), all[i].raw, road, i)
				}
			}
		})
	}
	group.Wait()
	collect(t, to, results)
	return results
}

// submit runs smtpsend once. The EHLO name tells the server whose message it is.
func (c *client) submit(ctx context.Context, raw []byte, road, i int) (s submitted) {
	cmd := exec.Command(binary, append([]string{"--env-file", c.envFile}, roads[road].args...)...)
	cmd.Env = append(slices.Clone(c.environ), fmt.Sprintf("SMTPSEND_EHLO_NAME=m%d.r%d.example", i, road))
	cmd.Stdin = strings.NewReader(string(raw))
	s.result, s.err = complete(ctx, cmd)
	return s
}

// collect puts what the server kept where it belongs.
func collect(t *testing.T, from *foreign, results [][]submitted) {
	t.Helper()
	kept, err := from.take()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range kept {
		var i, road int
		if _, err := fmt.Sscanf(m.EHLO, "m%d.r%d.example", &i, &road); err != nil {
			t.Fatalf("EHLO name %q: %v", m.EHLO, err)
		}
		s := &results[i][road]
		s.to, s.content, s.utf8, s.times = append(s.to, m.To...), m.Content, m.SMTPUTF8, s.times+1
		slices.Sort(s.to)
	}
}

// keepFor writes what the parsers read into dir.
func keepFor(t testing.TB, dir, name string, content []byte) string {
	t.Helper()
	path := filepath.Join(dir, name)
	if err := os.WriteFile(path, content, 0o600); err != nil {
		t.Fatal(err)
	}
	return path
}
