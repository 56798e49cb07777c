package main

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/mailobject"
)

// args is a sendmailArgs with what has no simple zero.
func wantArgs(change func(*sendmailArgs)) sendmailArgs {
	a := sendmailArgs{mode: modeSubmit, settings: map[string]string{}}
	if change != nil {
		change(&a)
	}
	return a
}

func TestParseSendmail(t *testing.T) {
	sender := func(s string) func(*sendmailArgs) { return func(a *sendmailArgs) { a.sender = s } }
	to := func(list ...string) func(*sendmailArgs) { return func(a *sendmailArgs) { a.recipients = list } }
	mode := func(m byte) func(*sendmailArgs) { return func(a *sendmailArgs) { a.mode = m } }
	for _, tt := range []struct {
		line string // arguments with | between them
		want func(*sendmailArgs)
	}{
		{"", nil},
		{"a@b", to("a@b")},
		{"--|-a@b", to("-a@b")},
		{"a@b|c", to("a@b", "c")},
		{"-", to("-")},
		{"-t|-i", func(a *sendmailArgs) { a.fromHeader, a.dots = true, true }},
		{"-ti", func(a *sendmailArgs) { a.fromHeader, a.dots = true, true }},
		{"-oi", func(a *sendmailArgs) { a.dots = true }},
		{"-o|i", func(a *sendmailArgs) { a.dots = true }},
		{"-it|-fa@b", func(a *sendmailArgs) { a.fromHeader, a.dots = true, true; sender("a@b")(a) }},
		{"-fa@b", sender("a@b")},
		{"-f|a@b", sender("a@b")},
		{"-tfa@b", func(a *sendmailArgs) { a.fromHeader = true; sender("a@b")(a) }},
		{"-ra@b", sender("a@b")},
		{"-r|a@b|-f|c@d", sender("c@d")},
		{"-f|", sender("")},
		{"-f|-t", sender("-t")}, // as getopt has it
		{"-FJob Runner", func(a *sendmailArgs) { a.fullName = "Job Runner" }},
		{"-F|Job Runner|x", func(a *sendmailArgs) { a.fullName = "Job Runner"; to("x")(a) }},
		{"-bm|x", to("x")},
		{"-b|s", mode(modeSMTP)},
		{"-bs", func(a *sendmailArgs) { a.mode = modeSMTP }},
		{"-bp", mode(modeQueue)},
		{"-bi", mode(modeNone)},
		{"-bh", mode(modeNone)},
		{"-bH", mode(modeNone)},
		{"-I", mode(modeNone)},
		{"-q", mode(modeFlush)},
		{"-qIABC", mode(modeFlush)},
		{"-qRsite", mode(modeFlush)},
		{"-qSsite", mode(modeFlush)},
		{"-q30m", func(a *sendmailArgs) { a.interval = true }},
		{"-q1h30m|x", func(a *sendmailArgs) { a.interval = true; to("x")(a) }},
		{"-Am|-Ac|-h|25|-L|tag|-m|-n|-U|-G|-O|Timeout=1|-o7|-o8|-om|-oem|-oeq|-odb|-odi|-odq|-x|-c|-em|-e|q|-p|ESMTP:host|-X|/tmp/log|-XV|-D|/tmp/log|x", to("x")},
		{"-oA/etc/aliases|-bi", mode(modeNone)},
		{"-B|8BITMIME|-B7bit", nil},
		{"-N|never", func(a *sendmailArgs) { a.dsn.Notify = "NEVER" }},
		{"-Nsuccess,FAILURE|-Rhdrs|-Vid", func(a *sendmailArgs) {
			a.dsn = mailobject.DSN{Notify: "SUCCESS,FAILURE", Return: "HDRS", EnvelopeID: "id"}
		}},
		{"-R|full|-V|a b", func(a *sendmailArgs) { a.dsn = mailobject.DSN{Return: "FULL", EnvelopeID: "a b"} }},
		{"-v|-vv", func(a *sendmailArgs) { a.verbose = true }},
		{"-d0-99.1", func(a *sendmailArgs) { a.trace = true }},
		{"-d|x", func(a *sendmailArgs) { a.trace = true; to("x")(a) }},
		{"-P|-t", func(a *sendmailArgs) { a.dryRun, a.fromHeader = true, true }},
		{"--read-recipients|--from=a@b", func(a *sendmailArgs) { a.fromHeader = true; sender("a@b")(a) }},
		{"--timeout=90s|--trace|--verbose", func(a *sendmailArgs) { a.timeout, a.trace, a.verbose = 90*time.Second, true, true }},
		{"--queue|--reencode-long-lines", func(a *sendmailArgs) {
			a.settings = map[string]string{"QUEUE": "always", "REENCODE_LONG_LINES": "1"}
		}},
		{"--force-from|--read-envelope-from|--dry-run|--help", func(a *sendmailArgs) {
			a.readFrom, a.dryRun, a.help = true, true, true
			a.settings["FORCE_FROM"] = "1"
		}},
	} {
		var list []string
		if tt.line != "" {
			list = strings.Split(tt.line, "|")
		}
		got, err := parseSendmail(list)
		if err != nil {
			t.Errorf("%q: %v", tt.line, err)
			continue
		}
		want := wantArgs(tt.want)
		if len(got.recipients) == 0 {
			got.recipients = nil
		}
		if !reflect.DeepEqual(*got, want) {
			t.Errorf("%q is read as\n%+v, want\n%+v", tt.line, *got, want)
		}
	}
}

func TestParseSendmailRefuses(t *testing.T) {
	for _, line := range []string{
		"-Z", "-tZ", "-b", "-bd", "-bD", "-bl", "-bv", "-bt", "-bx", "-bss", "-b|", "-C|f", "-Cf", "-B|9BIT", "-f", "-F", "-o", "-a", "-N",
		"--nothing", "--trace=1", "--env-file", "--timeout=0", "--timeout=x", "a@b|-i", "a@b|--|c", "-Z", "-S", "--json",
		"-t|-bs", "-bs|-t", "-tbs", "-t|-i|-fa@b|-bs", "-t|-bp", "-t|-q", "-t|-qIx", "-t|-bi", "-It", "-t|-bs|--|a@b", "-t|-bh",
		"-a|web", "-taweb", "--account=web", "--profile|web", "--env-file=e", "--env-file|e", "--file=e", "--config=e", "--aliases|f", "--aliases=f",
		"--default-domain=d", "--domain=d", "--dead-letter-dir=/x", "-t|--dead-letter-dir|/x", "--logfile=x", "--passwordeval=id", "--host=x",
	} {
		got, err := parseSendmail(strings.Split(line, "|"))
		if err == nil || exit.Of(err) != exit.Usage {
			t.Errorf("%q is read as %+v, %v", line, got, err)
		}
	}
}

// FuzzParseSendmail checks that an argument list never makes a recipient of
// what is not one whole argument behind the options.
func FuzzParseSendmail(f *testing.F) {
	for _, s := range []string{"-t\x00-i", "-fa@b\x00c@d", "-oi\x00--\x00-x", "-b\x00s", "-N\x00never\x00r", "--aliases=x\x00r", "-qIa\x00-v\x00r"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, joined string) {
		args := strings.Split(joined, "\x00")
		a, err := parseSendmail(args)
		if err != nil {
			if exit.Of(err) != exit.Usage {
				t.Fatalf("%q: exit code %d: %v", args, exit.Of(err), err)
			}
			return
		}
		if n := len(args) - len(a.recipients); n < 0 || !reflect.DeepEqual(append([]string{}, args[n:]...), append([]string{}, a.recipients...)) {
			t.Fatalf("%q: recipients %q", args, a.recipients)
		}
		if err := a.dsn.Check(); err != nil {
			t.Fatalf("%q: %v", args, err)
		}
		if strings.ContainsAny(fmt.Sprint(a.dsn), "\r\n") {
			t.Fatalf("%q: a line break in %+v", args, a.dsn)
		}
	})
}
