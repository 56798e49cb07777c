//go:build linux

package interop_test

import (
	"encoding/json"
	"fmt"
	"os/exec"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// said is what a parser finds in a message: fields, decoded, with names in lower
// case, and the parts from the outside inwards.
type said struct {
	Error  string      `json:"error"`
	Fields [][2]string `json:"fields"`
	Parts  []saidPart  `json:"parts"`
}

// saidPart is a part; SHA256 is of its decoded content, in text with LF and
// without the line ends after it, and "" of what only holds parts. ASCII, of a
// parser that decodes charsets, is the same without what is not ASCII.
type saidPart struct {
	Type   string `json:"type"`
	Name   string `json:"name"`
	Text   bool   `json:"text"`
	SHA256 string `json:"sha256"`
	ASCII  string `json:"ascii"`
}

// corpusParser reads many messages in one process. Some guess what octets above
// 127 mean that have no charset, so that what left, which says it, reads
// otherwise; the octets are Python's to judge.
type corpusParser struct {
	name    string
	guesses bool
	command func(testing.TB) *exec.Cmd
}

// corpusParsers know nothing of each other.
var corpusParsers = []corpusParser{
	{"Python's email", false, func(testing.TB) *exec.Cmd { return exec.Command("python3", "testdata/corpus.py") }},
	{"mailparser", true, func(t testing.TB) *exec.Cmd { return node(t, "corpus.js") }},
	{"MIME::Tools", true, func(testing.TB) *exec.Cmd { return exec.Command("perl", "testdata/corpus.pl") }},
}

// parseAll is what one parser finds in files.
func parseAll(t testing.TB, cmd *exec.Cmd, files []string) []said {
	t.Helper()
	cmd.Stdin = strings.NewReader(strings.Join(files, "\n") + "\n")
	r, err := completeWithin(t.Context(), cmd, 5*limit)
	if err != nil || r.code != 0 {
		t.Fatalf("%v: %v\n%.2000v", cmd.Args, err, r)
	}
	lines := strings.Split(strings.TrimSpace(r.stdout), "\n")
	if len(lines) != len(files) {
		t.Fatalf("%v: %d answers to %d messages\n%s", cmd.Args, len(lines), len(files), r.stderr)
	}
	list := make([]said, len(lines))
	for i, line := range lines {
		if err := json.Unmarshal([]byte(line), &list[i]); err != nil {
			t.Fatalf("%v: %q: %v", cmd.Args, line, err)
		}
	}
	return list
}

// misread are messages that one parser takes for something else as they were
// written, with the reason.
var misread = []struct{ parser, name, reason string }{
	{"mailparser", "quoted-printable-invalid.raw", "octets above 127 stand in quoted-printable, and it takes half of each character"},
}

// blanks are where a field may be folded, and guess is text that only a guess
// can read: octets above 127 without a charset.
var (
	blanks = regexp.MustCompile(`\s+`)
	guess  = regexp.MustCompile(`([^\x00-\x7f]|\\x[0-9A-F]{2})+`)
)

// mayDiffer are fields that smtpsend takes out, or has to write when it
// re-encodes.
var mayDiffer = []string{"bcc", "resent-bcc", "content-transfer-encoding", "content-type", "content-disposition",
	"mime-version", "content-length", "lines"}

// differences compares what a parser found in the message as it was written and
// as it left. In fields that name no charset only the rest can be compared.
func differences(was, is said, guessing bool) (list []string) {
	if was.Error != "" {
		return nil // it cannot read what was written; that it reads more now is well
	}
	if is.Error != "" {
		return []string{"it can no longer be read: " + is.Error}
	}
	had := map[string]bool{}
	for _, f := range was.Fields {
		had[f[0]] = true
	}
	a, b := comparable(was.Fields, had, guessing), comparable(is.Fields, had, guessing)
	if !slices.Equal(a, b) {
		list = append(list, fmt.Sprintf("fields %q became %q", without(a, b), without(b, a)))
	}
	if len(was.Parts) != len(is.Parts) {
		return append(list, fmt.Sprintf("%d parts became %d", len(was.Parts), len(is.Parts)))
	}
	for i, p := range was.Parts {
		q := is.Parts[i]
		p.Name, q.Name = plain(p.Name, guessing), plain(q.Name, guessing)
		if guessing && p.Name == "" { // it could not be read
			p.Name = q.Name
		}
		if guessing && p.ASCII == q.ASCII && p.ASCII != "" {
			p.SHA256 = q.SHA256
		}
		p.ASCII = q.ASCII
		if p != q {
			list = append(list, fmt.Sprintf("part %d %+v became %+v", i, p, q))
		}
	}
	return list
}

// comparable are the fields that must be the same: those that the message had.
func comparable(fields [][2]string, had map[string]bool, guessing bool) (list []string) {
	for _, f := range fields {
		if had[f[0]] && !slices.Contains(mayDiffer, f[0]) {
			list = append(list, f[0]+": "+plain(f[1], guessing))
		}
	}
	slices.Sort(list)
	return list
}

// plain is a text without what folding and guessing change.
func plain(text string, guessing bool) string {
	text = strings.TrimSpace(blanks.ReplaceAllString(text, " "))
	if guessing {
		text = guess.ReplaceAllString(text, "?")
	}
	return text
}

func without(a, b []string) (rest []string) {
	for _, s := range a {
		if !slices.Contains(b, s) {
			rest = append(rest, s)
		}
	}
	return rest
}
