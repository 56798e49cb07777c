package main

import (
	"bufio"
	"bytes"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/user"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/printable"
)

// kept is what stands in a file beside a message that could not be submitted:
// enough to submit it again by hand.
type kept struct {
	SchemaVersion int             `json:"schema_version"`
	Time          time.Time       `json:"time"`
	ExitCode      int             `json:"exit_code"`
	Error         string          `json:"error"`
	Arguments     []string        `json:"arguments"` // of sendmail
	Mailbox       string          `json:"mailbox,omitempty"`
	ReversePath   string          `json:"reverse_path,omitempty"`
	Recipients    []recipientView `json:"recipients,omitempty"`
}

// keep puts what could not be submitted, as it came, where it is not lost, and
// says where: the directory of the setting, else dead.letter in the home
// directory, else the directory for temporary files.
func (s *sendmail) keep(o *original, done *delivery, cause error) {
	note := kept{SchemaVersion: schemaVersion, Time: time.Now(), ExitCode: codeOf(cause), Error: cause.Error(), Arguments: s.given}
	if done != nil {
		note.Mailbox, note.ReversePath = done.mail.mailbox, done.mail.Envelope.ReversePath
		for _, r := range done.view.Recipients {
			r.Finding = nil // the reply can be given to smtpsend explain
			note.Recipients = append(note.Recipients, r)
		}
	}
	var errs []error
	if dir := s.cfg.DeadLetterDir; dir != "" {
		name, err := keepInDir(dir, o, note)
		if err == nil {
			s.line("kept", "%s (why: %s)", name, noteName(name))
			return
		}
		errs = append(errs, err)
	}
	if home := s.home(); home != "" {
		name := filepath.Join(home, "dead.letter")
		err := appendDeadLetter(name, o, note)
		if err == nil {
			s.line("kept", "%s", name)
			return
		}
		errs = append(errs, err)
	}
	name, err := keepInDir(os.TempDir(), o, note)
	if err == nil {
		s.line("kept", "%s (why: %s)", name, noteName(name))
		return
	}
	s.errorf("the message could not be kept and is lost: %v", errors.Join(append(errs, err)...))
}

// home is $HOME, else what the system knows of the user; "" when neither is
// known, as in a container.
func (s *sendmail) home() string {
	if s.became.name != "" {
		return s.became.home
	}
	if dir := s.variable("HOME"); dir != "" {
		return dir
	}
	if u, err := user.LookupId(strconv.Itoa(os.Getuid())); err == nil {
		return u.HomeDir
	}
	return ""
}

func noteName(eml string) string { return strings.TrimSuffix(eml, ".eml") + ".json" }

// keepInDir makes two files that only their owner can read. Both are made before
// anything is written: whoever sees the first must not get to choose what the
// name of the second leads to.
func keepInDir(dir string, o *original, note kept) (name string, err error) {
	text, err := json.MarshalIndent(note, "", "  ")
	if err != nil {
		return "", err
	}
	text = []byte(printable.JSON(string(text))) // people look at it on a terminal
	name = filepath.Join(dir, "smtpsend-"+note.Time.UTC().Format("20060102T150405Z")+"-"+randomDigits()+".eml")
	eml, err := ownfile.Create(name)
	if err != nil {
		return "", err
	}
	why, err := ownfile.Create(noteName(name))
	if err != nil {
		return "", errors.Join(err, eml.Close(), os.Remove(name))
	}
	err = errors.Join(
		writeOut(eml, func(w io.Writer) error { _, err := o.WriteTo(w); return err }),
		writeOut(why, func(w io.Writer) error { _, err := w.Write(append(text, '\n')); return err }))
	if err != nil {
		return "", errors.Join(err, os.Remove(name), os.Remove(noteName(name)))
	}
	return name, nil
}

// randomDigits make a name that nobody can guess.
func randomDigits() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return strconv.FormatUint(binary.BigEndian.Uint64(b[:]), 10)
}

// writeOut writes, syncs and closes.
func writeOut(f *os.File, write func(io.Writer) error) error {
	w := bufio.NewWriter(f)
	err := write(w)
	for _, step := range []func() error{w.Flush, f.Sync, f.Close} {
		err = errors.Join(err, step())
	}
	return err
}

// appendDeadLetter adds a message in mbox form (RFC 4155, with ">" before every
// "From " in the body), which every mail program reads. Its lock keeps two
// processes apart.
func appendDeadLetter(name string, o *original, note kept) error {
	f, release, err := ownfile.AppendLocked(context.Background(), name)
	if err != nil {
		return err
	}
	sender := note.ReversePath
	if sender == "" || strings.ContainsAny(sender, " \t") {
		sender = "MAILER-DAEMON"
	}
	err = writeOut(f, func(w io.Writer) error {
		fmt.Fprintf(w, "From %s %s\n", sender, note.Time.UTC().Format(time.ANSIC))
		m := &mboxWriter{w: w, lineStart: true}
		if _, err := o.WriteTo(m); err != nil {
			return err
		}
		return m.end()
	})
	_ = release() // closing again says that it is closed
	return err
}

// mboxWriter quotes lines that would begin another message.
type mboxWriter struct {
	w         io.Writer
	line      []byte // the beginning of a line, while it may be "From "
	lineStart bool
}

func (m *mboxWriter) Write(p []byte) (int, error) {
	var out bytes.Buffer
	for _, c := range p {
		if m.lineStart {
			m.line = append(m.line, c)
			m.decide(&out)
			continue
		}
		out.WriteByte(c)
		m.lineStart = c == '\n'
	}
	_, err := m.w.Write(out.Bytes())
	return len(p), err
}

// decide writes the beginning of a line once it is known whether it is quoted.
func (m *mboxWriter) decide(out *bytes.Buffer) {
	bare := bytes.TrimLeft(m.line, ">")
	if len(bare) < len("From ") && bytes.HasPrefix([]byte("From "), bare) {
		return
	}
	if string(bare) == "From " {
		out.WriteByte('>')
	}
	out.Write(m.line)
	m.lineStart = m.line[len(m.line)-1] == '\n'
	m.line = m.line[:0]
}

// end makes the empty line that mbox has between messages.
func (m *mboxWriter) end() error {
	blank := "\n\n"
	if m.lineStart && len(m.line) == 0 {
		blank = "\n"
	}
	_, err := m.w.Write(append(m.line, blank...))
	return err
}
