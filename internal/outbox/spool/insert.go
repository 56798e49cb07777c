package spool

import (
	"database/sql"
	"errors"
	"strings"

	"github.com/smtpsend/smtpsend/internal/outbox/store"
)

// stored is what is written about a content.
type stored struct {
	state    string
	body     []byte // of a small message
	size     int64
	sum      []byte
	eightBit bool
	lease    int64
}

// insertMail writes the row of a message; 0 when its key is known.
func insertMail(t *store.Tx, m *Message, c stored) (int64, error) {
	var key, batch any
	if m.Key != "" && c.state == "ready" { // a content that breaks off must not keep its key
		key = m.Key
	}
	if m.Batch != 0 {
		batch = m.Batch
	}
	var id int64
	err := t.Row(`INSERT INTO mail (mailbox, state, prio, ready_at, expires_at, lease_until, dedupe_key, batch_id, row_key,
			message_id, reverse_path, rcpt_count, rcpt_open, size, sha256, eight_bit, source, client, notice, created_at,
			dsn_notify, dsn_return, envelope_id, sender)
		VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?12, ?13, ?14, ?15, ?16, ?17, ?18, ?19, ?20, ?21, ?22, ?23)
		ON CONFLICT DO NOTHING RETURNING id`,
		[]any{m.Mailbox, c.state, int(m.Priority) + 1, max(t.Now, store.Millis(m.ReadyAt)), store.Millis(m.ExpiresAt), c.lease, key, batch, m.Row,
			m.MessageID, m.Envelope.ReversePath, len(m.Envelope.ForwardPaths), c.size, c.sum, store.Flag(c.eightBit), m.Source, m.Client, store.Flag(m.Notice), t.Now,
			m.Envelope.DSN.Notify, m.Envelope.DSN.Return, m.Envelope.DSN.EnvelopeID, store.Cut(strings.ToLower(m.From), maxPath)}, &id)
	if errors.Is(err, sql.ErrNoRows) {
		return 0, nil
	}
	return id, err
}

func insertPiece(t *store.Tx, id int64, seq int, data []byte) error {
	_, err := t.Exec("INSERT INTO body (mail_id, seq, data) VALUES (?1, ?2, ?3)", id, seq, data)
	return err
}

func insertRecipients(t *store.Tx, id int64, paths []string) error {
	for n, p := range paths {
		if _, err := t.Exec("INSERT INTO rcpt (mail_id, n, addr, state) VALUES (?1, ?2, ?3, ?4)", id, n, p, "open"); err != nil {
			return err
		}
	}
	return nil
}

// knownMail finds the message that m is already, 0 when there is none.
func knownMail(t *store.Tx, m *Message) (int64, error) {
	if m.Key == "" {
		return 0, nil
	}
	var id int64
	err := t.Row("SELECT id FROM mail WHERE dedupe_key = ?1", []any{m.Key}, &id)
	if errors.Is(err, sql.ErrNoRows) {
		return pastRow(t, m)
	}
	return id, err
}

// insertSmall writes a whole message.
func (s *Spool) insertSmall(t *store.Tx, m *Message, c stored, haveMailbox bool) (id int64, dup bool, err error) {
	if !haveMailbox {
		if err := s.ensure(t, m.Mailbox); err != nil {
			return 0, false, err
		}
	}
	if id, err = pastRow(t, m); err != nil || id != 0 {
		return id, true, err
	}
	if id, err = insertMail(t, m, c); err != nil {
		return 0, false, err
	}
	if id == 0 {
		id, err = knownMail(t, m)
		return id, true, err
	}
	if err := insertRecipients(t, id, m.Envelope.ForwardPaths); err != nil {
		return 0, false, err
	}
	return id, false, insertPiece(t, id, 0, c.body)
}

// completeMail makes a large message, whose pieces are there, ready.
func (s *Spool) completeMail(t *store.Tx, id int64, m *Message, c stored) error {
	var key any
	if m.Key != "" {
		key = m.Key
	}
	n, err := t.Exec(`UPDATE mail SET state = 'ready', dedupe_key = ?2, size = ?3, sha256 = ?4, eight_bit = ?5,
		ready_at = ?6, created_at = ?7, lease_until = 0 WHERE id = ?1 AND state = 'receiving'`,
		id, key, c.size, c.sum, store.Flag(c.eightBit), max(t.Now, store.Millis(m.ReadyAt)), t.Now)
	if err != nil {
		return err
	}
	if n == 0 {
		return store.ErrLost
	}
	if err := s.ensure(t, m.Mailbox); err != nil {
		return err
	}
	return insertRecipients(t, id, m.Envelope.ForwardPaths)
}
