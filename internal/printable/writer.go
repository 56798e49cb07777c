package printable

import (
	"io"
	"strings"
	"sync"
	"unicode/utf8"
)

// Writer makes a stream printable as Text does. What may go on in the next
// Write, a rune of which the first octets came and a CR, waits for it; Flush
// ends the wait. It is safe for concurrent use.
type Writer struct {
	to      io.Writer
	lineEnd string

	mu   sync.Mutex
	left []byte
}

// NewWriter returns a Writer to w, whose line ends are LF.
func NewWriter(w io.Writer) *Writer { return &Writer{to: w, lineEnd: "\n"} }

// NewSMTPWriter returns a Writer to w, whose line ends are CRLF.
func NewSMTPWriter(w io.Writer) *Writer { return &Writer{to: w, lineEnd: "\r\n"} }

// Write takes all of p, unless writing fails: the error is that of the stream
// below.
func (w *Writer) Write(p []byte) (int, error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := append(w.left, p...)
	cut := len(text) - unfinished(text)
	w.left = append([]byte(nil), text[cut:]...)
	if err := w.put(string(text[:cut])); err != nil {
		return 0, err
	}
	return len(p), nil
}

// Flush writes what waits.
func (w *Writer) Flush() error {
	w.mu.Lock()
	defer w.mu.Unlock()
	text := string(w.left)
	w.left = nil
	return w.put(text)
}

func (w *Writer) put(text string) error {
	if text == "" {
		return nil
	}
	text = Text(text)
	if w.lineEnd != "\n" {
		text = strings.ReplaceAll(text, "\n", w.lineEnd)
	}
	_, err := io.WriteString(w.to, text)
	return err
}

// unfinished is how many octets at the end of text wait for the next ones.
func unfinished(text []byte) int {
	if len(text) > 0 && text[len(text)-1] == '\r' {
		return 1
	}
	for n := 1; n < utf8.UTFMax && n <= len(text); n++ {
		if c := text[len(text)-n]; utf8.RuneStart(c) {
			if c >= utf8.RuneSelf && !utf8.FullRune(text[len(text)-n:]) {
				return n
			}
			return 0
		}
	}
	return 0
}
