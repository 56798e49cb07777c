package deadletter

import (
	"bytes"
	"context"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// appendMbox adds a message to the file name in mbox form (RFC 4155, with ">"
// before every "From " in the body), which every mail program reads, and returns
// what of it is missing. A lock on the file keeps two processes apart.
func appendMbox(ctx context.Context, name string, c *Copy, note Note) (missing string, err error) {
	soon, cancel := soonAfter(ctx)
	defer cancel()
	f, release, err := ownfile.AppendLocked(soon, name)
	if err != nil {
		return "", err
	}
	defer release() // closing again says that it is closed
	sender := note.ReversePath
	if sender == "" || strings.ContainsAny(sender, " \t") {
		sender = "MAILER-DAEMON"
	}
	err = writeOut(ctx, f, func(w io.Writer) error {
		fmt.Fprintf(w, "From %s %s\n", sender, note.Time.UTC().Format(time.ANSIC))
		m := newMboxWriter(w)
		n, err := c.writeTo(ctx, m)
		if err != nil {
			return err
		}
		missing = c.missing(n)
		return m.end(missing)
	})
	return missing, err
}

// mboxWriter quotes lines that would begin another message: those of any number of
// ">" and "From ".
type mboxWriter struct {
	w         io.Writer
	out       bytes.Buffer
	lineEmpty bool // nothing is in the line yet
	undecided bool // it may still be one to quote
	matched   int  // octets of "From " that are held back
}

const fromLine = "From "

func newMboxWriter(w io.Writer) *mboxWriter {
	return &mboxWriter{w: w, lineEmpty: true, undecided: true}
}

func (m *mboxWriter) Write(p []byte) (int, error) {
	m.out.Reset()
	for rest := p; len(rest) > 0; {
		if m.undecided {
			m.decide(rest[0])
			rest = rest[1:]
			continue
		}
		n := bytes.IndexByte(rest, '\n') + 1
		m.lineEmpty = n > 0
		m.undecided = m.lineEmpty
		if n == 0 {
			n = len(rest)
		}
		m.out.Write(rest[:n])
		rest = rest[n:]
	}
	_, err := m.w.Write(m.out.Bytes())
	return len(p), err
}

// decide writes the beginning of a line once it is known whether it is quoted.
func (m *mboxWriter) decide(c byte) {
	if c == '>' && m.matched == 0 {
		m.out.WriteByte(c)
		m.lineEmpty = false
		return
	}
	if c == fromLine[m.matched] {
		if m.matched++; m.matched == len(fromLine) {
			m.out.WriteString(">" + fromLine)
			m.lineEmpty, m.undecided, m.matched = false, false, 0
		}
		return
	}
	m.out.WriteString(fromLine[:m.matched])
	m.out.WriteByte(c)
	m.lineEmpty, m.undecided, m.matched = c == '\n', c == '\n', 0
}

// end makes the empty line that mbox has between messages, after what is to be
// said of the one before it.
func (m *mboxWriter) end(say string) error {
	text := fromLine[:m.matched]
	if !m.lineEmpty || m.matched > 0 {
		text += "\n"
	}
	if say != "" {
		text += "[smtpsend: this message is cut off: " + say + "]\n"
	}
	_, err := io.WriteString(m.w, text+"\n")
	return err
}
