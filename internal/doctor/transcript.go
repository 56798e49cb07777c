package doctor

import (
	"strings"
	"unicode"

	"github.com/smtpsend/smtpsend/internal/redact"
)

// maxLines and maxLine bound what is kept of a dialogue.
const (
	maxLines = 200
	maxLine  = 2000
)

// transcript is the dialogue with the server as submission traces it: "C: " and
// "S: " before the lines, credentials left out.
type transcript struct{ lines []string }

func (t *transcript) add(line string) {
	if len(t.lines) < maxLines {
		t.lines = append(t.lines, clip(redact.Text(line), maxLine))
	}
}

// reply returns the lines that followed the nth command (from 0) that begins
// with verb, their code and separator taken off. The verb "" stands for the
// greeting.
func (t *transcript) reply(verb string, n int) []string {
	var out []string
	inside := verb == ""
	for _, line := range t.lines {
		if command, ok := strings.CutPrefix(line, "C: "); ok {
			if len(out) > 0 {
				return out
			}
			inside = verb != "" && strings.HasPrefix(command, verb)
			if inside {
				inside, n = n == 0, n-1
			}
			continue
		}
		if text, ok := strings.CutPrefix(line, "S: "); ok && inside && len(text) >= 4 {
			out = append(out, text[4:])
		}
	}
	return out
}

// clip cuts a text for a report.
func clip(s string, n int) string {
	if len(s) <= n {
		return s
	}
	return strings.ToValidUTF8(s[:n], "") + "..."
}

// clean makes what a server said fit for one line of a report: no credentials,
// no control characters, bounded.
func clean(s string) string {
	s = strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.IsControl(r):
			return '?'
		}
		return r
	}, strings.ToValidUTF8(s, "?"))
	return clip(redact.Text(s), maxLine)
}
