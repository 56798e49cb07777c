// Package stdio is the standard streams of a process, as every verb uses them.
// Input is standard input that ends with a context. Printer is the only writer to
// standard output (results) and standard error (what people are told): what comes
// from elsewhere goes through internal/printable on its way, so that no caller can
// forget it.
package stdio

import (
	"os"

	"golang.org/x/term"
)

// Terminal returns the terminal that stream is, false when it is not one. The
// stream may be an Input.
func Terminal(stream any) (*os.File, bool) {
	if i, ok := stream.(*Input); ok {
		stream = i.in
	}
	f, ok := stream.(*os.File)
	return f, ok && term.IsTerminal(int(f.Fd()))
}

// IsTerminal reports whether stream is a terminal.
func IsTerminal(stream any) bool {
	_, ok := Terminal(stream)
	return ok
}
