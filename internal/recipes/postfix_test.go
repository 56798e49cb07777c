//go:build linux

package recipes_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/sandbox/inbox"
)

const postfixMail = "From: noreply@contoso.example\nTo: a@contoso.example\nCc: G: b@contoso.example;\nBcc: hidden@contoso.example\nSubject: x\n\nbody\n..dots\n"

// flag is one option of Postfix's sendmail(1), tried with both programs.
type flag struct {
	option string // as the manual's table has it
	args   string // in front of the recipient
	to     string // recipients behind it; "" = to@contoso.example
	input  string // "" = postfixMail

	// What differs, "" for nothing. With a difference, ours must be as said.
	differs          string
	code             int      // ours
	recipients       []string // ours, nil = those of Postfix
	postfixRefuses   bool
	noMessagePostfix bool // it does something else, such as listing
}

// only is the recipient that each run has by default.
var only = []string{"to@contoso.example"}

var flags = []flag{
	{option: "-Am", args: "-Am"}, {option: "-Ac", args: "-Ac"},
	{option: "-B", args: "-B 8BITMIME"}, {option: "-B", args: "-B7BIT"}, {option: "-B", args: "-B 9BIT", code: 64, postfixRefuses: true},
	{option: "-bd", args: "-bd", differs: "refused", code: 64, noMessagePostfix: true},
	{option: "-bl", args: "-bl", differs: "refused", code: 64, noMessagePostfix: true},
	{option: "-bh", args: "-bh", recipients: []string{}}, {option: "-bH", args: "-bH", recipients: []string{}},
	{option: "-bi", args: "-bi", differs: "does nothing", recipients: []string{}, noMessagePostfix: true},
	{option: "-bm", args: "-bm"}, {option: "-bm", args: "-b m"},
	{option: "-bp", args: "-bp", differs: "the queue is empty", recipients: []string{}, noMessagePostfix: true},
	{option: "-bv", args: "-bv", differs: "refused", code: 64},
	{option: "-C", args: "-C %DIR%", differs: "refused", code: 64},
	{option: "-F", args: "-F Name"}, {option: "-F", args: "-FName"},
	{option: "-f", args: "-f noreply@contoso.example"}, {option: "-f", args: "-fnoreply@contoso.example"},
	{option: "-G", args: "-G"},
	{option: "-h", args: "-h 5"},
	{option: "-I", args: "-I", differs: "does nothing", recipients: []string{}, noMessagePostfix: true},
	{option: "-i", args: "-i", input: "From: noreply@contoso.example\n\na\n.\nb\n"},
	{option: "-i", args: "", input: "From: noreply@contoso.example\n\na\n.\nb\n"},
	{option: "-L", args: "-L tag"},
	{option: "-m", args: "-m"},
	{option: "-N", args: "-N never"}, {option: "-N", args: "-N success,delay,failure"}, {option: "-N", args: "-N sometimes"},
	{option: "-n", args: "-n", differs: "ignored", recipients: only, postfixRefuses: true},
	{option: "-oA", args: "-oAhash:/nowhere"},
	{option: "-O", args: "-O Timeout=1"},
	{option: "-o7", args: "-o7"}, {option: "-o8", args: "-o8"}, {option: "-oi", args: "-oi", input: "From: noreply@contoso.example\n\na\n.\nb\n"}, {option: "-om", args: "-om"},
	{option: "-o", args: "-odb -oem -oQ/tmp"}, {option: "-o", args: "-o em"},
	{option: "-r", args: "-r noreply@contoso.example"},
	{option: "-R", args: "-R hdrs"}, {option: "-R", args: "-Rfull"}, {option: "-R", args: "-R some"},
	{option: "-q", args: "-q", recipients: []string{}, differs: "nothing is queued", noMessagePostfix: true},
	{option: "-qinterval", args: "-q30m", differs: "a message is submitted", recipients: only},
	{option: "-qI", args: "-qIABC", recipients: []string{}, differs: "nothing is queued", noMessagePostfix: true},
	{option: "-qR", args: "-qRcontoso.example", recipients: []string{}, differs: "nothing is queued", noMessagePostfix: true},
	{option: "-qS", args: "-qSx", recipients: []string{}, differs: "nothing is queued", noMessagePostfix: true},
	{option: "-t", args: "-t", to: " "}, {option: "-t", args: "-t", to: "more@contoso.example"}, {option: "-t", args: "-ti", to: " "},
	{option: "-U", args: "-U"},
	{option: "-V", args: "-V envelope-1"},
	{option: "-XV", args: "-XV", differs: "ignored"}, {option: "-XV", args: "-XV+=", differs: "ignored"},
	{option: "-v", args: "-v", differs: "says on standard error what happened"},
	{option: "-X", args: "-X /nowhere/log", differs: "ignored", recipients: only, postfixRefuses: true},
	{option: "--", args: "--", to: "to@contoso.example"},
	{option: "--", args: "", to: "to@contoso.example -i", differs: "refused", code: 64, recipients: []string{}},
	{option: "-Z", args: "-Z", code: 64, postfixRefuses: true},
}

// postfix is a Postfix whose queue nobody serves.
type postfix struct{ dir string }

func newPostfix(t *testing.T) *postfix {
	t.Helper()
	if os.Getuid() != 0 {
		lacking(t, "needs root, as a Postfix of one's own does")
	}
	p := &postfix{t.TempDir()}
	for _, dir := range []string{"queue/maildrop", "queue/public", "queue/pid", "data"} {
		if err := os.MkdirAll(filepath.Join(p.dir, dir), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	main := "compatibility_level = 3.6\nqueue_directory = " + p.dir + "/queue\ndata_directory = " + p.dir + "/data\n" +
		"maillog_file = /dev/stdout\nmyhostname = postfix.contoso.example\nalias_maps =\nalias_database =\n"
	for name, content := range map[string]string{"main.cf": main, "master.cf": ""} {
		if err := os.WriteFile(filepath.Join(p.dir, name), []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return p
}

// run is Postfix's sendmail. It returns whether it succeeded, and the
// recipients and content that it queued.
func (p *postfix) run(t *testing.T, input string, args []string) (ok bool, recipients []string, content string) {
	t.Helper()
	cmd := exec.Command("/usr/sbin/sendmail", args...)
	cmd.Env = []string{"MAIL_CONFIG=" + p.dir, "PATH=/usr/sbin:/usr/bin:/sbin:/bin", "HOME=" + p.dir}
	cmd.Stdin = strings.NewReader(input)
	ok = cmd.Run() == nil
	queued, err := filepath.Glob(filepath.Join(p.dir, "queue/maildrop/*"))
	if err != nil || len(queued) > 1 {
		t.Fatalf("%q: queued %q, %v", args, queued, err)
	}
	if len(queued) == 0 {
		return ok, nil, ""
	}
	cat := exec.Command("/usr/sbin/postcat", "-c", p.dir, queued[0])
	out, err := cat.Output()
	if err != nil {
		t.Fatalf("postcat: %v", err)
	}
	if err := os.Remove(queued[0]); err != nil {
		t.Fatal(err)
	}
	_, text, _ := strings.Cut(string(out), "*** MESSAGE CONTENTS")
	_, text, _ = strings.Cut(text, "\n")
	content, _, _ = strings.Cut(text, "*** HEADER EXTRACTED")
	for line := range strings.Lines(string(out)) {
		if path, is := strings.CutPrefix(strings.TrimSpace(line), "recipient: "); is {
			recipients = append(recipients, path)
		}
	}
	return ok, recipients, content
}

// TestFlagsBesidePostfix tries every option of Postfix's sendmail(1) with both.
func TestFlagsBesidePostfix(t *testing.T) {
	need(t, "/usr/sbin/postcat")
	theirs, s := newPostfix(t), newSite(t)
	s.environ = append(s.environ, "SMTPSEND_DEAD_LETTER_DIR="+s.dir)
	for _, f := range flags {
		args := strings.Fields(strings.ReplaceAll(f.args, "%DIR%", theirs.dir))
		to := strings.Fields(f.to)
		if f.to == "" {
			to = []string{"to@contoso.example"}
		}
		args = append(args, to...)
		input := f.input
		if input == "" {
			input = postfixMail
		}
		before := len(s.Messages())
		r := s.run(t, input, append([]string{program("sendmail")}, args...)...)
		ours := s.Messages()[before:]
		if r.code != f.code || (r.stdout != "" && f.option != "-bp") {
			t.Errorf("%q: %v, want exit code %d", args, r, f.code)
		}
		if f.noMessagePostfix {
			if len(ours) != 0 {
				t.Errorf("%q: a message was submitted", args)
			}
			continue // what Postfix does there needs its queue
		}
		ok, recipients, content := theirs.run(t, input, args)
		if ok == f.postfixRefuses {
			t.Errorf("%q: Postfix ends well: %v", args, ok)
		}
		s.compare(t, f, args, ours, recipients, content)
	}
}

// compare holds what arrived in the sandbox against what Postfix queued.
func (s *site) compare(t *testing.T, f flag, args []string, ours []inbox.Message, recipients []string, content string) {
	t.Helper()
	want := recipients
	if f.recipients != nil || f.code != 0 {
		want = f.recipients
	}
	var got []string
	text := ""
	for _, m := range ours {
		got = append(got, m.To...)
		raw, _ := s.Raw(m.ID)
		text = strings.ReplaceAll(string(raw), "\r\n", "\n")
	}
	slices.Sort(got)
	want = slices.Clone(want)
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%q: recipients %q, want %q (Postfix: %q)", args, got, want, recipients)
	}
	if len(got) == 0 {
		return
	}
	_, ourBody, _ := strings.Cut(text, "\n\n")
	_, theirBody, _ := strings.Cut(content, "\n\n")
	if ourBody != theirBody && content != "" {
		t.Errorf("%q: body %q, Postfix's %q", args, ourBody, theirBody)
	}
}

// Each option that is tried has its line in the manual, and says there what
// differs.
func TestManualHasEveryFlag(t *testing.T) {
	text, err := os.ReadFile("../../docs/manual.md")
	if err != nil {
		t.Fatal(err)
	}
	for _, f := range flags {
		if f.option == "-Z" || f.option == "--" {
			continue
		}
		i := strings.Index(string(text), "| `"+f.option)
		if i < 0 {
			t.Errorf("the manual's table has no %s", f.option)
			continue
		}
		row, _, _ := strings.Cut(string(text)[i:], "\n")
		if same := strings.Contains(row, "| the same |"); same == (f.differs != "") {
			t.Errorf("%s differs by %q, and the manual says %q", f.option, f.differs, row)
		}
	}
}
