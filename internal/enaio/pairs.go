package enaio

import (
	"fmt"
	"strings"

	"github.com/smtpsend/smtpsend/internal/limits"
)

// pair is a key of a file with its text.
type pair struct {
	path string // where the key stands: the registry key; "" elsewhere
	key  string // as written, with dots between the levels of YAML
	text string
}

// pairs are those of a file, in its order.
type pairs []pair

// add refuses more than an export has.
func (p *pairs) add(line int, one pair) error {
	if len(*p) >= limits.ImportValues {
		return &SyntaxError{line, fmt.Sprintf("is one entry too many: at most %d are read; export only the mail settings", limits.ImportValues)}
	}
	*p = append(*p, one)
	return nil
}

// lineReader gives one line after another, without its LF.
type lineReader struct {
	rest   string
	number int // of the line that was given last, from 1
	ended  bool
}

func (l *lineReader) next() (line string, more bool) {
	if l.ended {
		return "", false
	}
	line, rest, found := strings.Cut(l.rest, "\n")
	l.rest, l.ended = rest, !found
	l.number++
	return line, true
}
