package relay

import (
	"log/slog"
	"strings"

	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/outbox/queueid"
	"github.com/smtpsend/smtpsend/internal/relay/event"
)

// loggedRecipients is how many of a message are named in its audit line.
const loggedRecipients = 20

// logTaken is the audit line of a message that was taken. Its outcome is another one, by
// the same queue id. Neither has content.
func (t *transaction) logTaken(id queueid.ID, m *mailobject.Mail, octets int64) {
	paths := m.Envelope.ForwardPaths
	t.session.relay.opts.Logger.Info("taken", append(t.session.where(),
		slog.String("client", t.client.Name), slog.String("mail", t.mail.ReversePath), slog.String("mailbox", t.decision.Mailbox.Addr()),
		slog.Int("recipients", len(paths)), slog.String("rcpt", strings.Join(paths[:min(len(paths), loggedRecipients)], " ")),
		slog.Int64("octets", octets), slog.String("mail_id", string(id)), slog.String("message_id", m.MessageID))...)
}

// logRefusal is the line of a refusal.
func (s *session) logRefusal(e *event.Refusal) {
	attrs := append(s.where(), slog.String("stage", string(e.Stage)), slog.String("code", string(e.Code)))
	if e.Client != "" {
		attrs = append(attrs, slog.String("client", e.Client))
	}
	if e.Stage != event.StageAuth {
		attrs = append(attrs, slog.String("mail", e.Mail))
	}
	if e.Rcpt != "" {
		attrs = append(attrs, slog.String("rcpt", e.Rcpt))
	}
	s.relay.opts.Logger.Warn("refused", append(attrs, slog.String("reply", e.Reply))...)
}

// where is who is at the other end, for a line.
func (s *session) where() []any {
	attrs := []any{slog.String("listener", s.port.entry.Load().Address.String()), slog.String("address", s.place())}
	if s.who.User != "" {
		attrs = append(attrs, slog.String("user", s.who.User))
	}
	if state := tlsOf(s.peer); !state.IsZero() {
		attrs = append(attrs, slog.String("tls", state.String()))
	}
	return attrs
}
