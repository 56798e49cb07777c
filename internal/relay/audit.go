package relay

import (
	"context"
	"crypto/tls"
	"log/slog"
	"strings"

	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/outbox/queueid"
	"github.com/smtpsend/smtpsend/internal/relay/event"
	"github.com/smtpsend/smtpsend/internal/smtpserver"
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

// logBroken is the line of a session that broke. Some devices never say QUIT: that is worth
// a line to who looks for it alone.
func (s *session) logBroken(b smtpserver.Broken) {
	level := slog.LevelWarn
	if b.Cause == smtpserver.CauseClosed || b.Cause == smtpserver.CauseIdle {
		level = slog.LevelDebug
	}
	attrs := append(s.where(), slog.String("cause", string(b.Cause)))
	if b.LastVerb != "" {
		attrs = append(attrs, slog.String("verb", b.LastVerb))
	}
	if b.LastRefusal != "" {
		attrs = append(attrs, slog.String("reply", b.LastRefusal))
	}
	if b.Err != nil {
		attrs = append(attrs, slog.String("err", b.Err.Error()))
	}
	if b.Offer != nil && len(b.Offer.Versions) > 0 {
		attrs = append(attrs, slog.String("offered", tls.VersionName(b.Offer.Versions[0])))
	}
	s.relay.opts.Logger.Log(context.Background(), level, "broken", attrs...)
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
