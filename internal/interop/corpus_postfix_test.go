//go:build linux

package interop_test

import (
	"context"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"testing"
)

// postfixQueue is a Postfix for `sendmail -t` of many messages.
type postfixQueue struct {
	*relay
	to *foreign // keeps what it relays
}

func startPostfixQueue(t testing.TB) *postfixQueue {
	t.Helper()
	need(t, "postfix", "postconf")
	needRoot(t)
	to, err := startServers(t).open(nil, map[string]any{"authOptional": true, "disabledCommands": []string{"AUTH", "STARTTLS"}})
	if err != nil {
		t.Fatal(err)
	}
	return &postfixQueue{startRelay(t, to.port), to}
}

// judgement is what Postfix made of `sendmail -t` with a message.
type judgement struct {
	result
	err     error
	to      []string // sorted
	bounced bool     // to some
}

// judge gives every message to Postfix, waits until its queue is empty, and
// returns who got each. The reverse-path tells the messages apart.
func (r *postfixQueue) judge(t *testing.T, all []specimen) []judgement {
	t.Helper()
	results := make([]judgement, len(all))
	var group sync.WaitGroup
	const workers = 2
	for w := range workers {
		group.Go(func() {
			for i := w; i < len(all); i += workers {
				results[i].result, results[i].err = r.sendmail(t.Context(), all[i].raw, i)
			}
		})
	}
	group.Wait()
	for i := range results {
		if results[i].code == 0 {
			line := r.await(t, "postfix/pickup", fmt.Sprintf("from=<m%d@", i))
			_, rest, _ := strings.Cut(line, "]: ")
			id, _, _ := strings.Cut(rest, ":")
			r.await(t, "postfix/", "]: "+id+": removed")
		}
	}
	kept, err := r.to.take()
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range kept {
		var i int
		if _, err := fmt.Sscanf(m.From, "m%d@", &i); err == nil {
			results[i].to = append(results[i].to, m.To...)
			slices.Sort(results[i].to)
		} else if _, err := fmt.Sscanf(strings.Join(m.To, " "), "m%d@", &i); err == nil {
			results[i].bounced = true
		}
	}
	return results
}

func (r *postfixQueue) sendmail(ctx context.Context, raw []byte, i int) (result, error) {
	cmd := exec.Command("/usr/sbin/sendmail", "-i", "-t", "-f", fmt.Sprintf("m%d@contoso.example", i))
	cmd.Env = []string{"MAIL_CONFIG=" + r.conf, "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=/"}
	cmd.Stdin = strings.NewReader(string(raw))
	return complete(ctx, cmd)
}
