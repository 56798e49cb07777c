package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync/atomic"
	"testing"

	"github.com/smtpsend/smtpsend/internal/sandbox"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/smtpserver"
)

// kills is how often a batch is killed before it may end.
const kills = 20

// TestBatchSurvivesKills kills a batch with SIGKILL at random points of its
// dialogue with the server, again and again. Every row must arrive, but for those
// that were in doubt twice, which are held; a row may arrive twice only where
// that is recorded as in doubt; and the account at the end must be what the
// server has.
func TestBatchSurvivesKills(t *testing.T) {
	const rows = 60
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	random := rand.New(rand.NewPCG(seed, 0))

	var process atomic.Pointer[os.Process]
	var countdown atomic.Int64 // stages until the process is killed
	box, err := sandbox.Start(t.Context(), sandbox.Options{
		TimeScale: 2000, Connections: -1,
		SMTPHook: func(context.Context, smtp.Stage, string) (smtpserver.Reply, bool) {
			if countdown.Add(-1) == 0 {
				if p := process.Load(); p != nil {
					p.Kill()
				}
			}
			return smtpserver.Reply{}, false
		},
	})
	if err != nil {
		t.Fatal(err)
	}
	defer box.Close()
	dir := t.TempDir()
	write(t, dir, "t.txt", "---\nto: '{{.id}}@contoso.example'\nsubject: 'row {{.id}}'\n---\nhi\n")
	var data strings.Builder
	data.WriteString("id\n")
	for i := range rows {
		fmt.Fprintf(&data, "r%d\n", i)
	}
	write(t, dir, "rows.csv", data.String())
	if err := box.WriteEnv(filepath.Join(dir, "e.env")); err != nil {
		t.Fatal(err)
	}

	run := func(stages int64) (string, error) {
		cmd := exec.Command(os.Args[0])
		cmd.Args = []string{"smtpsend", "--env-file", "e.env", "--json", "batch", "--template", "t.txt", "--key", "id", "rows.csv"}
		cmd.Dir, cmd.Env = dir, []string{"HOME=" + dir, "XDG_STATE_HOME=" + dir, "XDG_CACHE_HOME=" + dir, "PATH=" + os.Getenv("PATH")}
		var out bytes.Buffer
		cmd.Stdout, cmd.Stderr = &out, &out
		countdown.Store(stages)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		process.Store(cmd.Process)
		err := cmd.Wait()
		process.Store(nil)
		return out.String(), err
	}
	killed := 0
	for range kills {
		out, err := run(1 + random.Int64N(25))
		var exit *exec.ExitError
		if errors.As(err, &exit) && !exit.Exited() {
			killed++
		} else if !strings.Contains(out, `"waiting": 0`) {
			t.Fatalf("a run that was not killed ended badly:\n%s", out)
		}
	}
	out, err := run(0)
	if err != nil && !strings.Contains(out, `"exit_code": 4`) {
		t.Fatalf("the last run: %v\n%s", err, out)
	}
	var account struct {
		Accepted, Refused, Waiting, Doubts int
		InDoubt                            int `json:"in_doubt"`
	}
	if err := json.Unmarshal([]byte(out[strings.Index(out, "{"):]), &account); err != nil {
		t.Fatalf("%v in\n%s", err, out)
	}
	arrived := map[string]int{}
	for _, m := range box.Messages() {
		arrived[m.Subject]++
	}
	twice := len(box.Messages()) - len(arrived)
	t.Logf("%d kills, %d in doubt, %d of them held, %d arrived twice", killed, account.Doubts, account.InDoubt, twice)
	if len(arrived) < account.Accepted || account.Accepted+account.InDoubt != rows || account.Waiting != 0 {
		t.Errorf("%d of %d rows arrived; account %+v", len(arrived), rows, account)
	}
	if twice > account.Doubts+account.InDoubt {
		t.Errorf("%d rows arrived twice, but only %d are recorded as in doubt", twice, account.Doubts)
	}
	if killed == 0 {
		t.Error("nothing was killed")
	}
}

func write(t *testing.T, dir, name, text string) {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
