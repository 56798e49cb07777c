package stdio

import (
	"errors"
	"fmt"
	"io"
	"log/slog"

	"golang.org/x/term"

	"github.com/smtpsend/smtpsend/internal/printable"
)

// Printer writes results to standard output and what people are told to standard
// error. Standard output may be full: the first error counts (Unwritten), and the
// verb goes on, because a message must not depend on its receipt. It is as safe
// for several goroutines as its writers are.
type Printer struct {
	stdout, stderr io.Writer
	// Verbose is -v: say on standard error what happens.
	Verbose bool

	unwritten *error // the first of standard output, also of printers made from this one
}

// NewPrinter writes results to stdout and the rest to stderr.
func NewPrinter(stdout, stderr io.Writer) *Printer {
	return &Printer{stdout: stdout, stderr: stderr, unwritten: new(error)}
}

// To is p with its results in out.
func (p *Printer) To(out io.Writer) *Printer {
	other := *p
	other.stdout = out
	return &other
}

// ToStderr is p with its results on standard error: standard output belongs to the
// program that called.
func (p *Printer) ToStderr() *Printer { return p.To(p.stderr) }

// Unwritten is the first error of standard output, nil when everything was
// written.
func (p *Printer) Unwritten() error { return *p.unwritten }

// results is standard output, with its first error kept.
type results struct{ p *Printer }

func (r results) Write(octets []byte) (int, error) {
	n, err := r.p.stdout.Write(octets)
	if err != nil && *r.p.unwritten == nil {
		*r.p.unwritten = err
	}
	return n, err
}

// Printf writes a result to standard output. The line ends are those of format:
// one in an argument becomes a blank, and what steers a terminal is escaped.
func (p *Printer) Printf(format string, args ...any) {
	if false {
		_ = fmt.Sprintf(format, args...) // by which go vet knows that this is a printf
	}
	fmt.Fprintf(results{p}, format, printable.Args(args)...)
}

// Text writes a text of several lines to standard output, which keeps its line
// ends and nothing else that steers a terminal.
func (p *Printer) Text(text string) { _, _ = io.WriteString(results{p}, printable.Text(text)) }

// Exactly writes to standard output what a program or a file gets octet by octet,
// such as a token. A terminal gets it as from Text.
func (p *Printer) Exactly(text string) {
	if IsTerminal(p.stdout) {
		text = printable.Text(text)
	}
	_, _ = io.WriteString(results{p}, text)
}

// Copy is Exactly for a stream. It returns the error of either side.
func (p *Printer) Copy(from io.Reader) error {
	if !IsTerminal(p.stdout) {
		_, err := io.Copy(p.stdout, from)
		return err
	}
	shown := printable.NewWriter(p.stdout)
	_, err := io.Copy(shown, from)
	return errors.Join(err, shown.Flush())
}

// Help is standard output for the command's help, which repeats arguments.
func (p *Printer) Help() io.Writer { return printable.NewWriter(results{p}) }

// Replies is standard output for an SMTP server on standard input and output.
func (p *Printer) Replies() io.Writer { return printable.NewSMTPWriter(p.stdout) }

// Width is the width of the terminal that standard output is, 0 when it is not
// one.
func (p *Printer) Width() int {
	f, ok := Terminal(p.stdout)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// Remarks is standard error for what others write there line by line: the log,
// and the command's parser.
func (p *Printer) Remarks() io.Writer { return printable.NewWriter(p.stderr) }

// Journal is the log of a verb that serves, on standard error: text, or an object of JSON
// on each line. With -v it has more.
func (p *Printer) Journal(objects bool) *slog.Logger {
	o := &slog.HandlerOptions{}
	if p.Verbose {
		o.Level = slog.LevelDebug
	}
	if objects {
		return slog.New(slog.NewJSONHandler(p.Remarks(), o))
	}
	return slog.New(slog.NewTextHandler(p.Remarks(), o))
}

// Logger logs to standard error with -v, and nowhere without.
func (p *Printer) Logger() *slog.Logger {
	if !p.Verbose {
		return slog.New(slog.DiscardHandler)
	}
	return slog.New(slog.NewTextHandler(p.Remarks(), &slog.HandlerOptions{Level: slog.LevelDebug}))
}
