package credential

import (
	"strings"

	"github.com/smtpsend/smtpsend/internal/lazyregexp"
)

const maxAnswers = 4 // lines behind a challenge that may be the answer to it

var (
	// challenge is a reply 334, or an AUTH to which one comes, in small letters.
	challenge = lazyregexp.New(`\b334(?:[ -]|\)|\\|$)|\bauth login\b|vxnlcm5hbwu6|ugfzc3dvcmq6|vxnlcibuyw1l|cgfzc3dvcmq6`)
	otherCode = lazyregexp.New(`(?:^|[^0-9])[2-5][0-5]\d[ -]`)
	// answer is a line of a client that is base64 alone, with what a transcript
	// puts before it and behind it.
	answer = lazyregexp.New(`^(?:[^\s:]{0,40}:\s*)?(?:(?:send|sent|c|client|data|write|>+):?\s*)?(?:b["'])?["']?([A-Za-z0-9+/]{4,}={0,2})(?:\\r|\\n|\r)*["']?,?\s*$`)
)

// dialogues finds what a client answers to a challenge of AUTH: name, password or
// response, in base64.
func (s *scan) dialogues() {
	if !strings.Contains(s.low, "334") && !strings.Contains(s.low, "auth login") && !strings.Contains(s.low, "vxnlcm5hbwu6") {
		return
	}
	left := 0
	for at := 0; at < len(s.text); {
		end := len(s.text)
		if i := strings.IndexByte(s.text[at:], '\n'); i >= 0 {
			end = at + i
		}
		line := s.text[at:min(end, at+maxLine)]
		switch {
		case challenge().MatchString(s.low[at : at+len(line)]):
			left = maxAnswers
		case left > 0:
			left--
			if otherCode().MatchString(line) && !strings.Contains(line, "334") {
				left = 0
			} else {
				s.answered(at, line)
			}
		}
		at = end + 1
	}
}

// answered marks the answer in a line.
func (s *scan) answered(at int, line string) {
	for _, from := range []int{0, lead(line)} {
		m := answer().FindStringSubmatchIndex(line[from:])
		if m == nil {
			continue
		}
		start, end := at+from+m[2], at+from+m[3]
		blob := s.text[start:end]
		if mechanisms[strings.ToLower(blob)] || !isResponse(blob) && !mixed(blob, 12) {
			continue
		}
		pieces := s.wrapped(start, ofBase64)
		if blob = s.value(pieces); pieces[len(pieces)-1].end > end {
			end = pieces[len(pieces)-1].end
		}
		s.mark(start, end, blob, true)
		if text, ok := decoded(blob); ok && printable(text) && !s.inResponse(text) && !strings.Contains(text, "@") {
			s.f.add(text, true)
		}
		return
	}
}

// rule is a line of hyphens below the head of a table.
var rule = lazyregexp.New(`^[ \t|+]*-{2,}[- \t|+]*$`)

const maxRows = 50 // of a table

// columns finds values in tables as PowerShell and the az command print them:
// the head names the columns, hyphens stand below, then the rows.
func (s *scan) columns() {
	if !strings.Contains(s.text, "---") {
		return
	}
	lines := strings.Split(s.text, "\n")
	at := 0
	for i := 0; i+2 < len(lines); i++ {
		head := lines[i]
		if next := lines[i+1]; len(head) < 1000 && len(next) < 1000 && rule().MatchString(strings.TrimRight(next, "\r")) {
			s.column(lines[i+2:min(len(lines), i+2+maxRows)], head, at+len(head)+len(next)+2)
		}
		at += len(head) + 1
	}
}

// column marks the values below the names of credentials. The columns of a table
// may be cut anywhere, so a value ends at the next blank behind the place where
// the next column begins.
func (s *scan) column(rows []string, head string, at int) {
	for _, name := range columnName().FindAllStringIndex(strings.ToLower(head), 4) {
		below := at
		for _, row := range rows {
			if strings.Trim(row, "-| \t\r") == "" {
				break // the end of the table, or the head of another one above
			}
			if from := name[0]; from < len(row) {
				for from > 0 && row[from-1] > ' ' && row[from-1] != '|' {
					from--
				}
				from += len(row[from:]) - len(strings.TrimLeft(row[from:], " |"))
				end := from
				for end < len(row) && row[end] > ' ' {
					end++
				}
				if s.plausible(row[from:end]) {
					s.mark(below+from, below+end, row[from:end], true)
				}
			}
			below += len(row) + 1
		}
	}
}

var columnName = lazyregexp.New(`\b(?:\w*password\w*|\w*secret\w*|\w*passwd|pwd|\w*token|\w*credential)\b`)
