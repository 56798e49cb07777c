package sendmail_test

import (
	"fmt"
	"reflect"
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/exit/ending"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/sendmail"
)

// args is a sendmail.Arguments with what has no simple zero.
func wantArgs(change func(*sendmail.Arguments)) sendmail.Arguments {
	a := sendmail.Arguments{Mode: sendmail.ModeSubmit, Settings: map[string]string{}}
	if change != nil {
		change(&a)
	}
	return a
}

func TestParse(t *testing.T) {
	sender := func(s string) func(*sendmail.Arguments) { return func(a *sendmail.Arguments) { a.Sender = s } }
	to := func(list ...string) func(*sendmail.Arguments) {
		return func(a *sendmail.Arguments) { a.Recipients = list }
	}
	mode := func(m sendmail.Mode) func(*sendmail.Arguments) { return func(a *sendmail.Arguments) { a.Mode = m } }
	for _, tt := range []struct {
		line string // arguments with | between them
		want func(*sendmail.Arguments)
	}{
		{"", nil},
		{"a@b", to("a@b")},
		{"--|-a@b", to("-a@b")},
		{"a@b|c", to("a@b", "c")},
		{"-", to("-")},
		{"-t|-i", func(a *sendmail.Arguments) { a.RecipientsFromHeader, a.IgnoreDots = true, true }},
		{"-ti", func(a *sendmail.Arguments) { a.RecipientsFromHeader, a.IgnoreDots = true, true }},
		{"-oi", func(a *sendmail.Arguments) { a.IgnoreDots = true }},
		{"-o|i", func(a *sendmail.Arguments) { a.IgnoreDots = true }},
		{"-it|-fa@b", func(a *sendmail.Arguments) { a.RecipientsFromHeader, a.IgnoreDots = true, true; sender("a@b")(a) }},
		{"-fa@b", sender("a@b")},
		{"-f|a@b", sender("a@b")},
		{"-tfa@b", func(a *sendmail.Arguments) { a.RecipientsFromHeader = true; sender("a@b")(a) }},
		{"-ra@b", sender("a@b")},
		{"-r|a@b|-f|c@d", sender("c@d")},
		{"-f|", sender("")},
		{"-f|-t", sender("-t")}, // as getopt has it
		{"-FJob Runner", func(a *sendmail.Arguments) { a.FullName = "Job Runner" }},
		{"-F|Job Runner|x", func(a *sendmail.Arguments) { a.FullName = "Job Runner"; to("x")(a) }},
		{"-bm|x", to("x")},
		{"-b|s", mode(sendmail.ModeSMTP)},
		{"-bs", func(a *sendmail.Arguments) { a.Mode = sendmail.ModeSMTP }},
		{"-bp", mode(sendmail.ModeQueue)},
		{"-bi", mode(sendmail.ModeNone)},
		{"-bh", mode(sendmail.ModeNone)},
		{"-bH", mode(sendmail.ModeNone)},
		{"-I", mode(sendmail.ModeNone)},
		{"-q", mode(sendmail.ModeFlush)},
		{"-qIABC", mode(sendmail.ModeFlush)},
		{"-qRsite", mode(sendmail.ModeFlush)},
		{"-qSsite", mode(sendmail.ModeFlush)},
		{"-q30m", func(a *sendmail.Arguments) { a.Interval = true }},
		{"-q1h30m|x", func(a *sendmail.Arguments) { a.Interval = true; to("x")(a) }},
		{"-Am|-Ac|-h|25|-L|tag|-m|-n|-U|-G|-O|Timeout=1|-o7|-o8|-om|-oem|-oeq|-odb|-odi|-odq|-x|-c|-em|-e|q|-p|ESMTP:host|-X|/tmp/log|-XV|-D|/tmp/log|x", to("x")},
		{"-oA/etc/aliases|-bi", mode(sendmail.ModeNone)},
		{"-B|8BITMIME|-B7bit", nil},
		{"-N|never", func(a *sendmail.Arguments) { a.DSN.Notify = "NEVER" }},
		{"-Nsuccess,FAILURE|-Rhdrs|-Vid", func(a *sendmail.Arguments) {
			a.DSN = mailobject.DSN{Notify: "SUCCESS,FAILURE", Return: "HDRS", EnvelopeID: "id"}
		}},
		{"-R|full|-V|a b", func(a *sendmail.Arguments) { a.DSN = mailobject.DSN{Return: "FULL", EnvelopeID: "a b"} }},
		{"-v|-vv", func(a *sendmail.Arguments) { a.Verbose = true }},
		{"-d0-99.1", func(a *sendmail.Arguments) { a.Trace = true }},
		{"-d|x", func(a *sendmail.Arguments) { a.Trace = true; to("x")(a) }},
		{"-P|-t", func(a *sendmail.Arguments) { a.DryRun, a.RecipientsFromHeader = true, true }},
		{"--read-recipients|--from=a@b", func(a *sendmail.Arguments) { a.RecipientsFromHeader = true; sender("a@b")(a) }},
		{"--timeout=90s|--trace|--verbose", func(a *sendmail.Arguments) { a.Timeout, a.Trace, a.Verbose = 90*time.Second, true, true }},
		{"--queue|--reencode-long-lines", func(a *sendmail.Arguments) {
			a.Settings = map[string]string{"QUEUE": "always", "REENCODE_LONG_LINES": "1"}
		}},
		{"--force-from|--read-envelope-from|--dry-run|--help", func(a *sendmail.Arguments) {
			a.SenderFromHeader, a.DryRun, a.Help = true, true, true
			a.Settings["FORCE_FROM"] = "1"
		}},
	} {
		var list []string
		if tt.line != "" {
			list = strings.Split(tt.line, "|")
		}
		got, err := sendmail.Parse(list)
		if err != nil {
			t.Errorf("%q: %v", tt.line, err)
			continue
		}
		want := wantArgs(tt.want)
		if len(got.Recipients) == 0 {
			got.Recipients = nil
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
		got, err := sendmail.Parse(strings.Split(line, "|"))
		if err == nil || ending.Code(err) != exit.Usage {
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
		a, err := sendmail.Parse(args)
		if err != nil {
			if ending.Code(err) != exit.Usage {
				t.Fatalf("%q: exit code %d: %v", args, ending.Code(err), err)
			}
			return
		}
		if n := len(args) - len(a.Recipients); n < 0 || !reflect.DeepEqual(append([]string{}, args[n:]...), append([]string{}, a.Recipients...)) {
			t.Fatalf("%q: recipients %q", args, a.Recipients)
		}
		if err := a.DSN.Check(); err != nil {
			t.Fatalf("%q: %v", args, err)
		}
		if strings.ContainsAny(fmt.Sprint(a.DSN), "\r\n") {
			t.Fatalf("%q: a line break in %+v", args, a.DSN)
		}
	})
}
