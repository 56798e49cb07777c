package main

import (
	"encoding/json"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"
)

// A relay tells by itself that its credential has ended, and a second one does not tell
// it again.
func TestRelayTellsOfAnEndOnce(t *testing.T) {
	dir := t.TempDir()
	pipe := filepath.Join(dir, "told")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("SMTPSEND_OFFICE_CLIENT_SECRET_EXPIRES", time.Now().AddDate(0, 0, -2).Format(time.DateOnly))
	t.Setenv("SMTPSEND_NOTIFY_COMMAND", "dd of="+pipe)
	r := startRelay(t)
	text, err := os.ReadFile(pipe)
	if err != nil {
		t.Fatal(err)
	}
	var told struct{ Kind, Summary string }
	if err := json.Unmarshal(text, &told); err != nil || told.Kind != "ended" || !strings.HasPrefix(told.Summary, "the client secret (SMTPSEND_OFFICE_CLIENT_SECRET) ended on ") {
		t.Errorf("told %s, %v", text, err)
	}
	r.end(t)
	// A command that fails is in the log, so nothing there says that none was run.
	t.Setenv("SMTPSEND_NOTIFY_COMMAND", "false")
	cmd, said := started(t, nil, "listening", "relay")
	again := &relayRun{dir: r.dir, box: r.box, cmd: cmd, said: said}
	if err := again.cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for {
		line, err := again.said.ReadString('\n')
		if strings.Contains(line, "the notice could not be sent") {
			t.Error(line)
		}
		if err != nil {
			break
		}
	}
	if err := again.cmd.Wait(); err != nil {
		t.Error(err)
	}
}
