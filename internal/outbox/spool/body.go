package spool

import (
	"bytes"
	"context"
	"crypto/sha256"
	"database/sql"
	"fmt"
	"hash"
	"io"

	"github.com/smtpsend/smtpsend/internal/outbox/store"
)

// Body reads the content of message id, called name in errors, as it was taken, one
// piece in memory at a time and without holding a transaction open. Reading to the
// end checks size and sum: ErrDamaged comes in place of io.EOF, and when a part is
// missing. Errors wrap store.ErrNotFound when there is no such message, ErrNoContent
// when it was sent or cancelled and its content deleted.
func (s *Spool) Body(ctx context.Context, id int64, name string) (io.ReadCloser, error) {
	b := &body{v: s.db.View(ctx), name: name, id: id, hash: sha256.New()}
	found := false
	err := store.Each(b.v, func(rows *sql.Rows) error {
		found = true
		return rows.Scan(&b.left, &b.sum)
	}, "SELECT size, sha256 FROM mail WHERE id = ?1 AND state <> 'receiving'", id)
	if err != nil {
		return nil, fmt.Errorf("reading %s: %w", name, err)
	}
	if !found {
		return nil, fmt.Errorf("%w: %s", store.ErrNotFound, name)
	}
	if err := b.next(); err != nil {
		return nil, err
	}
	return b, nil
}

type body struct {
	v    store.View
	name string
	id   int64
	seq  int
	left int64 // octets that are still to come
	sum  []byte
	hash hash.Hash
	data []byte // rest of the present piece
}

// next fetches a piece.
func (b *body) next() error {
	found := false
	err := store.Each(b.v, func(rows *sql.Rows) error {
		found = true
		return rows.Scan(&b.data)
	}, "SELECT data FROM body WHERE mail_id = ?1 AND seq = ?2", b.id, b.seq)
	if err != nil {
		return fmt.Errorf("reading content of %s: %w", b.name, err)
	}
	if !found {
		return b.missing()
	}
	b.seq++
	b.left -= int64(len(b.data))
	b.hash.Write(b.data)
	return nil
}

// missing is why there is no such piece: the message may have ended since the
// reading began.
func (b *body) missing() error {
	var now string
	err := store.Each(b.v, func(rows *sql.Rows) error { return rows.Scan(&now) }, "SELECT state FROM mail WHERE id = ?1", b.id)
	switch {
	case err != nil:
		return fmt.Errorf("reading content of %s: %w", b.name, err)
	case now == "":
		return fmt.Errorf("%w: %s", store.ErrNotFound, b.name)
	case now == "sent", now == "cancelled":
		return fmt.Errorf("%s is %s: %w", b.name, now, ErrNoContent)
	}
	return fmt.Errorf("reading content of %s: %w", b.name, ErrDamaged)
}

// Read is io.Reader's.
func (b *body) Read(p []byte) (int, error) {
	for len(b.data) == 0 {
		if b.left <= 0 {
			return 0, b.end()
		}
		if err := b.next(); err != nil {
			return 0, err
		}
	}
	n := copy(p, b.data)
	b.data = b.data[n:]
	return n, nil
}

func (b *body) end() error {
	if b.left < 0 || !bytes.Equal(b.hash.Sum(nil), b.sum) {
		return fmt.Errorf("reading content of %s: %w", b.name, ErrDamaged)
	}
	return io.EOF
}

// Close is io.Closer's. There is nothing to let go.
func (b *body) Close() error { return nil }

// Drop deletes the content of a message piece by piece, so that no other writer waits
// long for the deletion of a large one.
func (s *Spool) Drop(ctx context.Context, id int64) error {
	for n := int64(1); n > 0; {
		err := s.db.Write(ctx, func(t *store.Tx) (err error) {
			n, err = t.Exec("DELETE FROM body WHERE mail_id = ?1 AND seq IN (SELECT seq FROM body WHERE mail_id = ?1 ORDER BY seq DESC LIMIT 16)", id)
			if err == nil && n == 0 {
				_, err = t.Exec("UPDATE mail SET body_left = 0 WHERE id = ?1", id)
			}
			return err
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// Remove deletes a message without a trace.
func (s *Spool) Remove(ctx context.Context, id int64) error {
	if err := s.Drop(ctx, id); err != nil {
		return err
	}
	return s.db.Write(ctx, func(t *store.Tx) error {
		_, err := t.Exec("DELETE FROM mail WHERE id = ?1 AND state <> 'sending'", id)
		return err
	})
}
