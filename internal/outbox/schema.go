package outbox

import (
	"embed"

	"github.com/smtpsend/smtpsend/internal/outbox/queueid"
	"github.com/smtpsend/smtpsend/internal/outbox/store"
)

//go:embed schema/*.sql
var schemaFiles embed.FS

// schema is what an outbox keeps.
var schema = store.Schema{
	Steps:   schemaFiles,
	Begin:   func(t *store.Tx) error { return t.SetMeta("tag", string(queueid.NewTag())) },
	SetBack: setBack,
}

// setBack ends pauses and due times that were written in the future as if the clock,
// which was set back by so many ms, had gone on: nothing waits for the hour to come
// again. Times that someone asked for (Message.ReadyAt, ExpiresAt) stay.
func setBack(t *store.Tx, by int64) error {
	for table, columns := range map[string][]string{
		"mailbox": {"next_at", "paused_until", "probe_at", "since", "accepted_at"},
		"notice":  {"mail_at", "command_at", "since", "next_at"},
	} {
		for _, column := range columns {
			if _, err := t.Exec("UPDATE "+table+" SET "+column+" = CASE WHEN "+column+" - ?2 > ?1 THEN "+column+" - ?2 ELSE ?1 END WHERE "+column+" > ?1", t.Now, by); err != nil {
				return err
			}
		}
	}
	_, err := t.Exec(`UPDATE mail SET ready_at = CASE WHEN ready_at - ?2 > ?1 THEN ready_at - ?2 ELSE ?1 END
		WHERE state = 'ready' AND ready_at > ?1 AND (attempts > 0 OR ready_at <= created_at)`, t.Now, by)
	return err
}
