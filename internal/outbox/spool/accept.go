// Package spool is what is on disk of a message: it is taken in whole or not at all,
// known by its key, and read back as it was taken. A small content shares a commit
// with others, a large one goes in piece by piece. What happens to a message then is
// package outbox.
package spool

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"hash"
	"io"
	"slices"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
)

// Priority orders the due messages of one mailbox.
type Priority int

// A more urgent message goes before all that are less so.
const (
	Urgent Priority = iota - 1
	Normal
	Low
	Bulk
)

// Message is what the outbox has to know about a content. Mailbox, Envelope and
// MessageID are required.
type Message struct {
	Mailbox   string // the XOAUTH2 user to submit as
	Envelope  mailobject.Envelope
	From      string // who it says it is from (mailobject.Mail.From); "" when that is not known
	MessageID string // the same at every attempt
	Size      int64  // octets of content, when known: another count is ErrSize

	Key       string    // two messages with one key are one message
	Priority  Priority  // Normal
	ReadyAt   time.Time // not before; zero: at once
	ExpiresAt time.Time // dead when not accepted by then; zero: never, but see Options.GiveUp
	Batch     int64     // of Batch, 0 when in none
	Row       string    // names the row within the batch
	Source    string    // which verb took it
	Client    string    // for whom: a user, an address
	Notice    bool      // it is itself a notice to the operator, and causes none
}

// Limits of what is taken in; addresses as RFC 5321 4.5.3.1.3, recipients as
// Exchange's RecipientLimits goes at most, texts because they are shown.
const (
	maxPath       = 256
	maxRecipients = 1000
	maxText       = 998
)

// Check reports, as *InputError, what Accept would refuse whatever the content.
func (m *Message) Check() error {
	if m.Mailbox == "" {
		return &InputError{"mailbox", "is empty"}
	}
	if len(m.Envelope.ForwardPaths) == 0 {
		return &InputError{"forward-path", "there is none"}
	}
	if n := len(m.Envelope.ForwardPaths); n > maxRecipients {
		return &InputError{"forward-path", fmt.Sprintf("there are %d, a message may have %d", n, maxRecipients)}
	}
	if m.Priority < Urgent || m.Priority > Bulk {
		return &InputError{"priority", fmt.Sprintf("%d is none", m.Priority)}
	}
	for _, p := range append([]string{m.Envelope.ReversePath, m.Mailbox}, m.Envelope.ForwardPaths...) {
		if len(p) > maxPath {
			return &InputError{"address", fmt.Sprintf("has %d octets, %d are allowed", len(p), maxPath)}
		}
	}
	if err := m.Envelope.DSN.Check(); err != nil {
		return err
	}
	for _, text := range append([]string{m.MessageID, m.Key, m.Row, m.Source, m.Client, m.Mailbox, m.Envelope.ReversePath}, m.Envelope.ForwardPaths...) {
		if len(text) > maxText || strings.ContainsAny(text, "\r\n\x00") {
			return &InputError{"text", "is too long or holds a line end"}
		}
	}
	return nil
}

// Accept takes a message, whose mailbox is by its key, with the content that c writes.
// A Key that is known already gives the number of its first message, and known. Errors
// wrap store.ErrFull, store.ErrBroken, ErrSize, *InputError, or what c said; then
// nothing was taken.
func (s *Spool) Accept(ctx context.Context, m Message, c io.WriterTo) (id int64, known bool, err error) {
	if err := m.Check(); err != nil {
		return 0, false, err
	}
	m.Envelope.ForwardPaths = unique(m.Envelope.ForwardPaths)
	if err := s.db.Room(m.Size); err != nil {
		return 0, false, err
	}
	in := &intake{s: s, ctx: ctx, m: &m, hash: sha256.New()}
	if _, err = c.WriteTo(in); in.known != 0 {
		return in.known, true, nil
	}
	if err == nil && m.Size != 0 && in.size != m.Size {
		err = fmt.Errorf("%w: %d octets, not %d", ErrSize, in.size, m.Size)
	}
	if err == nil {
		id, known, err = in.finish()
	}
	if in.id != 0 && (err != nil || known) {
		_ = s.Remove(context.WithoutCancel(ctx), in.id) // what is left is removed after its lease
	}
	return id, known, err
}

func unique(paths []string) []string {
	seen := make(map[string]bool, len(paths))
	return slices.DeleteFunc(slices.Clone(paths), func(p string) bool {
		again := seen[p]
		seen[p] = true
		return again
	})
}

// Piece is the size of a row of content. One fits into a shared commit; two
// make a content large.
const Piece = 1 << 20

// lease is how long a large content may stop coming in before its pieces are
// taken for left over.
const lease = time.Hour

// intake receives a content. A small one stays in memory until the shared
// commit, a large one goes to disk in pieces, a transaction each, so that others
// can write in between.
type intake struct {
	s        *Spool
	ctx      context.Context // of the one call of Accept that made it: a Writer is given none
	m        *Message
	hash     hash.Hash
	size     int64
	eightBit bool
	buf      []byte
	id       int64 // of the large message, once it has a row
	seq      int
	known    int64 // an earlier message with the same key
}

// errKnown stops a large content whose message is there already.
var errKnown = errors.New("the key is known")

// Write takes content in.
func (in *intake) Write(p []byte) (int, error) {
	in.size += int64(len(p))
	if in.size > in.s.maxSize {
		return 0, &InputError{"content", fmt.Sprintf("has more than %d octets", in.s.maxSize)}
	}
	in.hash.Write(p)
	in.eightBit = in.eightBit || slices.ContainsFunc(p, func(b byte) bool { return b >= 0x80 })
	for rest := p; len(rest) > 0; {
		if len(in.buf) == Piece {
			if err := in.flush(); err != nil {
				return 0, err
			}
		}
		n := min(len(rest), Piece-len(in.buf))
		in.buf = append(in.buf, rest[:n]...)
		rest = rest[n:]
	}
	return len(p), nil
}

// flush writes a piece.
func (in *intake) flush() error {
	if err := in.s.db.Room(in.m.Size); err != nil {
		return err
	}
	err := in.s.db.Write(in.ctx, func(t *store.Tx) error {
		if err := in.row(t); err != nil {
			return err
		}
		return insertPiece(t, in.id, in.seq, in.buf)
	})
	in.seq++
	in.buf = in.buf[:0]
	return err
}

// row makes the row of a large message with its first piece, and renews its
// lease with every other.
func (in *intake) row(t *store.Tx) error {
	until := t.Now + lease.Milliseconds()
	if in.id != 0 {
		n, err := t.Exec("UPDATE mail SET lease_until = ?2 WHERE id = ?1 AND state = 'receiving'", in.id, until)
		if err == nil && n == 0 {
			err = store.ErrLost
		}
		return err
	}
	var err error
	if in.known, err = knownMail(t, in.m); err == nil && in.known != 0 {
		return errKnown
	}
	if err != nil {
		return err
	}
	in.id, err = insertMail(t, in.m, stored{state: "receiving", lease: until})
	return err
}

// finish takes the message.
func (in *intake) finish() (id int64, dup bool, err error) {
	whole := stored{state: "ready", body: in.buf, size: in.size, sum: in.hash.Sum(nil), eightBit: in.eightBit}
	if in.size == 0 {
		return 0, false, &InputError{"content", "is empty"}
	}
	if in.id == 0 {
		return in.s.commit(in.ctx, in.m, whole)
	}
	if err := in.flush(); err != nil {
		return 0, false, err
	}
	err = in.s.db.Write(in.ctx, func(t *store.Tx) error {
		if id, err = knownMail(t, in.m); err != nil || id != 0 {
			return err
		}
		return in.s.completeMail(t, in.id, in.m, whole)
	})
	if err != nil || id != 0 {
		return id, id != 0, err
	}
	in.s.mailboxes.Store(in.m.Mailbox, true)
	return in.id, false, nil
}
