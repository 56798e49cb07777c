// Package deadletter keeps a message that could not be submitted where it is not
// lost, as every sendmail does.
//
//  1. A Copy takes the message while it is read, as it comes.
//  2. When it cannot be submitted, Keep writes the copy into the directory that is
//     named for it: the message in a file (.eml), and beside it a Note in JSON that
//     says why, for whom, and with which arguments of sendmail it is submitted again.
//  3. Without that directory, or when it cannot be written, the message is appended
//     to dead.letter in the home directory, in mbox form; else it becomes two files
//     in the directory for temporary files.
//
// Only the owner can read the files. When its context has ended, Keep ends soon, and
// says what of the message is missing.
package deadletter

import (
	"bufio"
	"context"
	"crypto/rand"
	"encoding/binary"
	"encoding/json"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/printable"
	"github.com/smtpsend/smtpsend/internal/stdio"
	"github.com/smtpsend/smtpsend/internal/until"
	"github.com/smtpsend/smtpsend/internal/view"
)

// Note is what is written beside a message that could not be submitted: enough to
// submit it again by hand. Keep sets SchemaVersion, Time and Cut.
type Note struct {
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

// Places are the directories where a message may be kept, "" for none. The one for
// temporary files comes after them.
type Places struct {
	Dir  string // gets two files for each message
	Home string // gets dead.letter
}

// Kept is where a message is.
type Kept struct {
	Name    string // of the file
	Note    string // of the file beside it, "" for dead.letter
	Missing string // what of the message is not there, "" for nothing
}

// String is the name, and in brackets what more there is to say.
func (k Kept) String() string {
	var more []string
	if k.Missing != "" {
		more = append(more, k.Missing)
	}
	if k.Note != "" {
		more = append(more, "why: "+k.Note)
	}
	if more == nil {
		return k.Name
	}
	return k.Name + " (" + strings.Join(more, "; ") + ")"
}

// Keep puts the copy, with the note, into the first of the places that takes it. The
// error has the reasons of all of them: the message is lost.
func Keep(ctx context.Context, c *Copy, note Note, at Places) (Kept, error) {
	note.SchemaVersion, note.Time = stdio.SchemaVersion, time.Now()
	var errs []error
	if at.Dir != "" {
		kept, err := writeFiles(ctx, at.Dir, c, note)
		if err == nil {
			return kept, nil
		}
		errs = append(errs, err)
	}
	if at.Home != "" {
		name := filepath.Join(at.Home, "dead.letter")
		missing, err := appendMbox(ctx, name, c, note)
		if err == nil {
			return Kept{Name: name, Missing: missing}, nil
		}
		errs = append(errs, err)
	}
	kept, err := writeFiles(ctx, os.TempDir(), c, note)
	if err == nil {
		return kept, nil
	}
	return Kept{}, errors.Join(append(errs, err)...)
}

func noteName(eml string) string { return strings.TrimSuffix(eml, ".eml") + ".json" }

// writeFiles makes two files that only their owner can read. Both are made before
// anything is written: whoever sees the first must not get to choose what the name
// of the second leads to.
func writeFiles(ctx context.Context, dir string, c *Copy, note Note) (Kept, error) {
	name := filepath.Join(dir, "smtpsend-"+note.Time.UTC().Format("20060102T150405Z")+"-"+randomDigits()+".eml")
	eml, err := ownfile.Create(name)
	if err != nil {
		return Kept{}, err
	}
	why, err := ownfile.Create(noteName(name))
	if err != nil {
		return Kept{}, errors.Join(err, eml.Close(), os.Remove(name))
	}
	err = errors.Join(
		writeOut(ctx, eml, func(w io.Writer) error {
			n, err := c.writeTo(ctx, w)
			note.Cut = c.missing(n)
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
		return Kept{}, errors.Join(err, os.Remove(name), os.Remove(noteName(name)))
	}
	return Kept{Name: name, Note: noteName(name), Missing: note.Cut}, nil
}

// randomDigits make a name that no one can guess.
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

// soonAfter is a context that ends shortly after ctx: for the wait for a lock that
// another process has for as long as it writes.
func soonAfter(ctx context.Context) (context.Context, context.CancelFunc) {
	soon, cancel := context.WithCancel(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() { time.AfterFunc(300*time.Millisecond, cancel) })
	return soon, func() { stop(); cancel() }
}
