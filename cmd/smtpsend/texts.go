package main

import (
	"context"
	"fmt"
	"io"
	"strings"
	"unicode/utf8"

	"github.com/smtpsend/smtpsend/internal/charset"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/mimetext"
)

// texts reads the files of text that flags name, and standard input: in the
// charset of --charset, unless they begin with a byte order mark. Without
// --charset, what is not UTF-8 is read all the same, with a warning for each file.
type texts struct {
	g       *globals
	stdin   io.Reader // nil = is not taken
	charset charset.Charset
}

// newTexts finds the charset by the name of --charset, "" for none.
func newTexts(g *globals, stdin io.Reader, name string) (*texts, error) {
	t := &texts{g: g, stdin: stdin}
	if name == "" {
		return t, nil
	}
	var err error
	if t.charset, err = charset.Parse(name); err != nil {
		return nil, exit.Usagef("--charset %v", err)
	}
	return t, nil
}

// read reads what flag names, of at most that many octets.
func (t *texts) read(ctx context.Context, flag, file string, most int) (string, error) {
	text, err := readBody(ctx, file, t.stdin, most)
	if err != nil {
		return "", ofFlag(flag, err)
	}
	where := fmt.Sprintf("%s %q", flag, file)
	if file == "-" {
		where = flag + ": standard input"
	}
	if t.charset.IsZero() {
		return t.guess(where, text), nil
	}
	decoded, err := t.charset.Decode(text)
	if err != nil {
		return "", exit.With(exit.Data, fmt.Errorf("%s %w", where, err))
	}
	if decoded != text && utf8.ValidString(text) && !mimetext.IsASCII(text) && !strings.HasPrefix(text, "\ufeff") {
		t.g.Warningf("%s could be UTF-8: it was read as %s, as --charset says", where, t.charset)
	}
	return decoded, nil
}

// guess reads a text of which nobody said what it is in.
func (t *texts) guess(where, text string) string {
	decoded, taken := charset.Guess(text)
	if said := taken.String(); said != "" {
		t.g.Warningf("%s %s; --charset says what it is in, such as cp850 for the output of cmd.exe", where, said)
	}
	return decoded
}

// arguments warns of texts of the command line that are not UTF-8, to which
// --charset does not apply.
func (t *texts) arguments(values map[string]string) {
	for _, flag := range []string{"--subject", "--text", "--html"} {
		if _, taken := charset.Guess(values[flag]); taken.Name != "" {
			t.g.Warningf("%s %s; a file can be in any charset, with --charset", flag, taken)
		}
	}
}
