//go:build unix

package config_test

import (
	"context"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"
)

// The command gets what it is told on standard input, without a shell, and no
// secret of ours in its environment.
func TestNotifyCommandIsToldOnStandardInput(t *testing.T) {
	dir := t.TempDir()
	script := write(t, filepath.Join(dir, "told me"), "#!/bin/sh\ncat >\"$1\"\nenv >>\"$1\"\n")
	if err := os.Chmod(script, 0o700); err != nil {
		t.Fatal(err)
	}
	into := filepath.Join(dir, "$HOME;x")
	cfg := load(t, options(t, "SMTPSEND_NOTIFY_COMMAND='"+script+"' '"+into+"'", "PATH=/usr/bin:/bin", "OTHER=kept",
		"SMTPSEND_PROXY=http://user:"+hidden+"@proxy.contoso.example:3128", "SMTPSEND_OFFICE_CLIENT_SECRET_COMMAND=echo "+hidden,
		"AZURE_CLIENT_SECRET="+hidden, "SMTPSEND_OFFICE_CLIENT_ID="+guid, "SMTPSEND_OFFICE_TENANT_ID="+tenant))
	if err := cfg.Notify(t.Context(), []byte("{\"kind\": \"held\"}\n")); err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(into)
	if err != nil {
		t.Fatal(err)
	}
	text := string(got)
	if !strings.HasPrefix(text, "{\"kind\": \"held\"}\n") || !strings.Contains(text, "OTHER=kept") || strings.Contains(text, hidden) {
		t.Errorf("it was told %q", text)
	}
	for _, s := range cfg.Show() {
		told := s.Variable == "SMTPSEND_NOTIFY_COMMAND" && s.Value != script+" [arguments not shown]"
		if told || strings.Contains(s.Value, into) {
			t.Errorf("shown: %+v", s)
		}
	}
}

// How it can fail, each in one line, and soon.
func TestNotifyCommandThatFails(t *testing.T) {
	for _, tt := range []struct{ command, want string }{
		{"sh -c 'printf \"no route\\\\n\\033[2J\" >&2; exit 3'", `SMTPSEND_NOTIFY_COMMAND ended with exit status 3; it said: "no route \x1b[2J"`},
		{"/nowhere/at/all", "SMTPSEND_NOTIFY_COMMAND did not run: no such file or directory"},
		{"sleep 600", "SMTPSEND_NOTIFY_COMMAND took longer than 300ms"},
		{"true", ""}, // without reading what it is told
	} {
		o := options(t, ids("SMTPSEND_NOTIFY_COMMAND="+tt.command, "PATH=/usr/bin:/bin")...)
		o.CommandTimeout, o.Offline = time.Minute, true
		if tt.command == "sleep 600" {
			o.CommandTimeout = 300 * time.Millisecond
		}
		got := ""
		if err := load(t, o).Notify(t.Context(), []byte(strings.Repeat("x", 1<<20))); err != nil {
			got = err.Error()
		}
		if !strings.HasPrefix(got, tt.want) || (tt.want == "") != (got == "") {
			t.Errorf("%s: %q, want %q", tt.command, got, tt.want)
		}
	}
	ctx, end := context.WithCancel(t.Context())
	end()
	o := options(t, ids("SMTPSEND_NOTIFY_COMMAND=sleep 600", "PATH=/usr/bin:/bin")...)
	o.Offline = true
	if err := load(t, o).Notify(ctx, nil); err == nil {
		t.Error("it ran after its context had ended")
	}
}

// It is a setting like others: never a flag, and wrong when it cannot be split.
func TestNotifyCommandIsChecked(t *testing.T) {
	o := options(t, ids("SMTPSEND_NOTIFY_COMMAND=sh -c 'x")...)
	o.Offline = true
	wantLines(t, problems(t, o), "error: SMTPSEND_NOTIFY_COMMAND has an opening quote without a closing one")
	o = options(t, ids()...)
	o.Offline, o.Flags = true, map[string]string{"NOTIFY_COMMAND": "touch ran"}
	wantLines(t, problems(t, o), "error: SMTPSEND_NOTIFY_COMMAND cannot be given as a flag (flag --notify-command)")
}
