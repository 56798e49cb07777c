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

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/printable"
	"github.com/smtpsend/smtpsend/internal/stdio"
	"github.com/smtpsend/smtpsend/internal/until"
	"github.com/smtpsend/smtpsend/internal/view"
)

// kept is what stands in a file beside a message that could not be submitted:
// enough to submit it again by hand.
type kept struct {
	SchemaVersion int              `json:"schema_version"`
	Time          time.Time        `json:"time"`
	ExitCode      int              `json:"exit_code"`
	Error         string           `json:"error"`
	Arguments     []string         `json:"arguments,omitempty"` // of sendmail, to submit it again; none after a doubt
	Mailbox       string           `json:"mailbox,omitempty"`
	ReversePath   string           `json:"reverse_path,omitempty"`
	Recipients    []view.Recipient `json:"recipients,omitempty"`
	Cut           string           `json:"cut,omitempty"` // what of the message is not there
}

// keep puts what could not be submitted, as it came, where it is not lost, and
// says where: the directory of the setting, else dead.letter in the home
// directory, else the directory for temporary files. With ctx it ends soon, and
// then says what it did not keep.
func (s *sendmail) keep(ctx context.Context, o *original, again resubmission, done *delivery, cause error) {
	note := kept{SchemaVersion: stdio.SchemaVersion, Time: time.Now(), ExitCode: exit.Of(cause), Error: advised(cause).Error(), Arguments: again.given}
	if done != nil {
		note.Arguments = again.arguments(done)
		note.Mailbox, note.ReversePath = done.mail.mailbox, done.mail.Envelope.ReversePath
		for _, r := range done.shown.Recipients {
			r.Finding = nil // the reply can be given to smtpsend explain
			note.Recipients = append(note.Recipients, r)
		}
	}
	var errs []error
	if dir := s.cfg.DeadLetterDir; dir != "" {
		if errs = append(errs, s.keepInDir(ctx, dir, o, note)); errs[0] == nil {
			return
		}
	}
	if home := s.home(); home != "" {
		name := filepath.Join(home, "dead.letter")
		cut, err := appendDeadLetter(ctx, name, o, note)
		if err == nil {
			s.Line("kept", "%s%s", name, brackets(cut))
			return
		}
		errs = append(errs, err)
	}
	err := s.keepInDir(ctx, os.TempDir(), o, note)
	if err != nil {
		s.Errorf("the message could not be kept and is lost: %v", errors.Join(append(errs, err)...))
	}
}

// brackets are around what more there is to say, if there is.
func brackets(more string) string {
	if more == "" {
		return ""
	}
	return " (" + more + ")"
}

// home is $HOME, else what the system knows of the user; "" when neither is
// known, as in a container.
func (s *sendmail) home() string {
	if s.became.Name != "" {
		return s.became.Home
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

// keepInDir makes two files that only their owner can read, and says so. Both are
// made before anything is written: whoever sees the first must not get to choose
// what the name of the second leads to.
func (s *sendmail) keepInDir(ctx context.Context, dir string, o *original, note kept) error {
	name := filepath.Join(dir, "smtpsend-"+note.Time.UTC().Format("20060102T150405Z")+"-"+randomDigits()+".eml")
	eml, err := ownfile.Create(name)
	if err != nil {
		return err
	}
	why, err := ownfile.Create(noteName(name))
	if err != nil {
		return errors.Join(err, eml.Close(), os.Remove(name))
	}
	err = errors.Join(
		writeOut(ctx, eml, func(w io.Writer) error {
			n, err := o.writeTo(ctx, w)
			note.Cut = o.missing(n)
			return err
		}),
		writeOut(ctx, why, func(w io.Writer) error {
			text, err := json.MarshalIndent(note, "", "  ")
			if err != nil {
				return err
			}
			_, err = io.WriteString(w, printable.JSON(string(text))+"\n") // people look at it on a terminal
			return err
		}))
	if err != nil {
		return errors.Join(err, os.Remove(name), os.Remove(noteName(name)))
	}
	more := "why: " + noteName(name)
	if note.Cut != "" {
		more = note.Cut + "; " + more
	}
	s.Line("kept", "%s%s", name, brackets(more))
	return nil
}

// randomDigits make a name that nobody can guess.
func randomDigits() string {
	var b [8]byte
	_, _ = rand.Read(b[:]) // never fails (crypto/rand)
	return strconv.FormatUint(binary.BigEndian.Uint64(b[:]), 10)
}

// writeOut writes, syncs and closes. What cannot be written wholly is taken back.
func writeOut(ctx context.Context, f *os.File, write func(io.Writer) error) error {
	before, err := f.Stat()
	if err != nil {
		return errors.Join(err, f.Close())
	}
	w := bufio.NewWriter(f)
	if err = write(w); err == nil {
		err = w.Flush()
	}
	if err == nil {
		err = syncSoon(ctx, f)
	}
	if err != nil {
		_ = f.Truncate(before.Size())
	}
	return errors.Join(err, f.Close())
}

// syncSoon waits for the disk, but not long once ctx has ended: what is written is
// the system's by then.
func syncSoon(ctx context.Context, f *os.File) error {
	soon, cancel := soonAfter(ctx)
	defer cancel()
	_, err := until.Do(soon, func() (struct{}, error) { return struct{}{}, f.Sync() })
	if soon.Err() != nil {
		return nil
	}
	return err
}

// appendDeadLetter adds a message in mbox form (RFC 4155, with ">" before every
// "From " in the body), which every mail program reads, and returns what of it is
// missing. Its lock keeps two processes apart.
func appendDeadLetter(ctx context.Context, name string, o *original, note kept) (cut string, err error) {
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
		m := &mboxWriter{w: w, fresh: true, head: true}
		n, err := o.writeTo(ctx, m)
		if err != nil {
			return err
		}
		cut = o.missing(n)
		return m.end(cut)
	})
	return cut, err
}

// soonAfter is a context that ends shortly after ctx: for the wait for a lock that
// another process has for as long as it writes.
func soonAfter(ctx context.Context) (context.Context, context.CancelFunc) {
	soon, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(300*time.Millisecond, cancel) })
	return soon, func() { stop(); cancel() }
}

// mboxWriter quotes lines that would begin another message: those of any number of
// ">" and "From ".
type mboxWriter struct {
	w       io.Writer
	out     bytes.Buffer
	fresh   bool // nothing is in the line yet
	head    bool // it may still be one to quote
	matched int  // octets of "From " that are held back
}

const fromLine = "From "

func (m *mboxWriter) Write(p []byte) (int, error) {
	m.out.Reset()
	for rest := p; len(rest) > 0; {
		if m.head {
			m.decide(rest[0])
			rest = rest[1:]
			continue
		}
		n := bytes.IndexByte(rest, '\n') + 1
		m.fresh = n > 0
		m.head = m.fresh
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
		m.fresh = false
		return
	}
	if c == fromLine[m.matched] {
		if m.matched++; m.matched == len(fromLine) {
			m.out.WriteString(">" + fromLine)
			m.fresh, m.head, m.matched = false, false, 0
		}
		return
	}
	m.out.WriteString(fromLine[:m.matched])
	m.out.WriteByte(c)
	m.fresh, m.head, m.matched = c == '\n', c == '\n', 0
}

// end makes the empty line that mbox has between messages, after what is to be
// said of the one before it.
func (m *mboxWriter) end(say string) error {
	text := fromLine[:m.matched]
	if !m.fresh || m.matched > 0 {
		text += "\n"
	}
	if say != "" {
		text += "[smtpsend: of this message here is " + say + "]\n"
	}
	_, err := io.WriteString(m.w, text+"\n")
	return err
}
