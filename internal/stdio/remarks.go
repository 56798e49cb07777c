package stdio

// This file writes to people on standard error, one line at a time, in which
// nothing foreign steers the terminal. Its rules: a line begins with "smtpsend: ",
// then "error", "warning", "cause", "fix", "more" or "note"; no capitalised initial
// and no full stop unless a whole sentence is quoted from the catalogue; commands
// are on lines of their own, four blanks in, ready to paste.

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"runtime"
	"strings"

	"golang.org/x/term"

	"github.com/smtpsend/smtpsend/internal/printable"
)

// Errorf says what went wrong.
func (p *Printer) Errorf(format string, args ...any) { p.Line("error", format, args...) }

// Warningf says what may go wrong, or not be meant.
func (p *Printer) Warningf(format string, args ...any) { p.Line("warning", format, args...) }

// Line says something of the kind, such as "note" or "cause".
func (p *Printer) Line(kind, format string, args ...any) {
	fmt.Fprintf(p.stderr, "smtpsend: %s: %s\n", kind, printable.Line(fmt.Sprintf(format, args...)))
}

// Verbosef says what happens, with -v.
func (p *Printer) Verbosef(format string, args ...any) {
	if p.Verbose {
		fmt.Fprintf(p.stderr, "smtpsend: %s\n", printable.Line(fmt.Sprintf(format, args...)))
	}
}

// Plainf is a line of a dialogue, or a command.
func (p *Printer) Plainf(format string, args ...any) {
	fmt.Fprintf(p.stderr, "%s\n", printable.Line(fmt.Sprintf(format, args...)))
}

// Watched reports whether a person looks at standard error, as far as can be
// known.
func (p *Printer) Watched() bool { return IsTerminal(p.stderr) }

// Progress shows how far something is. At a terminal it takes the place of what
// it showed before, and "" takes that away; elsewhere it is a line.
func (p *Printer) Progress(text string) {
	if !p.Watched() {
		if text != "" {
			fmt.Fprintf(p.stderr, "smtpsend: %s\n", printable.Line(text))
		}
		return
	}
	fmt.Fprintf(p.stderr, "\r\033[K%s", printable.Line(text))
}

// Reading says at a terminal that standard input is read, which otherwise looks
// as if nothing happened.
func (p *Printer) Reading(what string, stdin io.Reader) {
	if !IsTerminal(stdin) {
		return
	}
	end := "Ctrl-D"
	if runtime.GOOS == "windows" {
		end = "Ctrl-Z and Enter"
	}
	p.Line("note", "reading %s from standard input, end with %s", what, end)
}

// Agreed asks a question at the terminal that stdin is. Everything but yes is no.
func (p *Printer) Agreed(stdin io.Reader, question string) (bool, error) {
	if _, err := io.WriteString(p.stderr, "smtpsend: "+printable.Line(question)); err != nil {
		return false, err
	}
	answer, err := bufio.NewReader(io.LimitReader(stdin, 100)).ReadString('\n')
	if err != nil && !errors.Is(err, io.EOF) {
		return false, err
	}
	switch strings.ToLower(strings.TrimSpace(answer)) {
	case "y", "yes":
		return true, nil
	}
	return false, nil
}

// Password asks for a line at a terminal without echo. The terminal is raw
// meanwhile, where Ctrl-C is a key, and becomes what it was however this ends.
func (p *Printer) Password(tty *os.File, stdin io.Reader, prompt string) (string, error) {
	before, err := term.MakeRaw(int(tty.Fd()))
	if err != nil {
		return "", err
	}
	defer func() { _ = term.Restore(int(tty.Fd()), before) }()
	conversation := struct {
		io.Reader
		io.Writer
	}{stdin, p.stderr}
	text, err := term.NewTerminal(conversation, "").ReadPassword(prompt)
	if errors.Is(err, io.EOF) { // Ctrl-C, or Ctrl-D before anything else
		return "", context.Canceled
	}
	return text, err
}
