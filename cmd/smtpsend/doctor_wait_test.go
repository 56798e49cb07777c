package main

import (
	"bytes"
	"context"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/exit"
)

// watch calls seen when the text was written.
type watch struct {
	bytes.Buffer
	text string
	seen func()
}

func (w *watch) Write(p []byte) (int, error) {
	n, err := w.Buffer.Write(p)
	if strings.Contains(w.String(), w.text) {
		w.seen()
	}
	return n, err
}

// TestWaitGoesOnUntilItIsInterrupted: a broken setup is not given up, and the
// wait is announced.
func TestWaitGoesOnUntilItIsInterrupted(t *testing.T) {
	settings, end := sandboxFor(t, "auth-unsuccessful")
	defer end()
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	var out bytes.Buffer
	errs := &watch{text: "next check in 30:00", seen: cancel}
	p := &process{stdin: strings.NewReader(""), stdout: &out, stderr: errs, environ: settings}
	if code := run(ctx, p, []string{"doctor", "--wait"}); code != exit.Interrupted {
		t.Errorf("exit code %d, want %d", code, exit.Interrupted)
	}
	if !strings.Contains(out.String(), "not healthy: ") || !strings.HasSuffix(errs.String(), "smtpsend: error: interrupted\n") {
		t.Errorf("output %s\nerrors %s", &out, errs.String())
	}
}
