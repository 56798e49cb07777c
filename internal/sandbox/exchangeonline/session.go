package exchangeonline

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"log/slog"
	"net"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/exchange"
	"github.com/smtpsend/smtpsend/internal/sandbox/fault"
	"github.com/smtpsend/smtpsend/internal/sandbox/tenant"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/smtpserver"
)

// session is one connection to the submission server. Its texts are those of
// smtp.office365.com, captured in November 2025.
type session struct {
	service *Service
	peer    *smtpserver.Peer
	frontEnd

	mailbox *tenant.Mailbox     // after AUTH
	user    string              // of the last AUTH, accepted or not
	app     *tenant.Application // whose token it was
	tokenID string              // uti of that token
	placed  bool                // holds one of the mailbox's places
	from    string              // reverse-path of the transaction
	utf8    bool                // it asked for SMTPUTF8
	to      []string
}

func randomBytes(n int) []byte {
	b := make([]byte, n)
	_, _ = rand.Read(b) // never fails
	return b
}

// answer gives way to the hook and to faults before it says what is right.
func (x *session) answer(ctx context.Context, stage smtp.Stage, right func() smtpserver.Reply) smtpserver.Reply {
	r, done := x.disturb(ctx, stage)
	if !done {
		r = right()
	}
	x.service.log.LogAttrs(ctx, slog.LevelDebug, "smtp reply", slog.String("stage", string(stage)),
		slog.Int("reply_code", r.Code), slog.String("session", x.id))
	return r
}

func (x *session) disturb(ctx context.Context, stage smtp.Stage) (smtpserver.Reply, bool) {
	if hook := x.service.opts.Hook; hook != nil {
		if r, ok := hook(ctx, stage, x.user); ok {
			return r, true
		}
	}
	f, entry, ok := x.service.faults.Take(fault.Point(stage), x.user)
	if !ok {
		return smtpserver.Reply{}, false
	}
	return x.act(ctx, f, entry)
}

func (x *session) Greeting(ctx context.Context) smtpserver.Reply {
	return x.answer(ctx, smtp.StageGreeting, func() smtpserver.Reply {
		return smtpserver.Say(220, fmt.Sprintf("%s.%s %s ready at %s [%s]",
			x.host, exchange.Resource, exchange.Banner, time.Now().UTC().Format(time.RFC1123Z), x.id))
	})
}

func (x *session) Hello(ctx context.Context, _ string, extended bool) smtpserver.Reply {
	return x.answer(ctx, smtp.StageEHLO, func() smtpserver.Reply {
		client, _, err := net.SplitHostPort(x.peer.RemoteAddr().String())
		if err != nil {
			client = x.peer.RemoteAddr().String()
		}
		first := fmt.Sprintf("%s.%s Hello [%s]", x.host, exchange.Resource, client)
		if !extended {
			return smtpserver.Say(250, first)
		}
		return smtpserver.Say(250, append([]string{first}, x.keywords()...)...)
	})
}

// keywords are in Exchange's order; after TLS, AUTH is where STARTTLS was.
func (x *session) keywords() []string {
	offer, point, missing := "STARTTLS", fault.PointHelloClear, ""
	if x.peer.TLS() != nil {
		offer, point, missing = "AUTH LOGIN XOAUTH2", fault.PointHelloTLS, "AUTH LOGIN"
	}
	if _, _, ok := x.service.faults.Take(point, ""); ok {
		offer = missing
	}
	list := []string{fmt.Sprintf("SIZE %d", x.service.MaxSize()), "PIPELINING", "DSN", "ENHANCEDSTATUSCODES"}
	if offer != "" {
		list = append(list, offer)
	}
	return append(list, "8BITMIME", "BINARYMIME", "CHUNKING", "SMTPUTF8")
}

func (x *session) StartTLS(ctx context.Context) smtpserver.Reply {
	return x.answer(ctx, smtp.StageStartTLS, func() smtpserver.Reply {
		return smtpserver.Say(220, "2.0.0 SMTP server ready")
	})
}

func (x *session) Mail(ctx context.Context, m smtpserver.Mail) smtpserver.Reply {
	return x.answer(ctx, smtp.StageMail, func() smtpserver.Reply {
		if x.peer.TLS() == nil {
			return smtpserver.Say(451, "5.7.3 STARTTLS is required to send mail "+x.bracket())
		}
		if x.mailbox == nil {
			return smtpserver.Say(530, "5.7.57 Client not authenticated to send mail. "+x.bracket())
		}
		if x.service.opts.HVE && !strings.EqualFold(m.ReversePath, x.mailbox.Address) {
			return refuseHVE(ctx, x, hveMailFrom)
		}
		x.from, x.utf8 = m.ReversePath, m.UTF8
		return smtpserver.Say(250, "2.1.0 Sender OK")
	})
}

func (x *session) Rcpt(ctx context.Context, r smtpserver.Rcpt) smtpserver.Reply {
	return x.answer(ctx, smtp.StageRcpt, func() smtpserver.Reply {
		// A bare local part is the one thing that is refused here: whether a
		// recipient exists is found out after acceptance.
		if !strings.Contains(r.ForwardPath, "@") {
			return smtpserver.Say(501, "5.1.3 Invalid address")
		}
		if x.service.opts.HVE && !x.service.tenant.Accepts(r.ForwardPath) {
			return refuseHVE(ctx, x, hveExternal)
		}
		x.to = append(x.to, r.ForwardPath)
		return smtpserver.Say(250, "2.1.5 Recipient OK")
	})
}

func (x *session) Data(ctx context.Context) smtpserver.Reply {
	return x.answer(ctx, smtp.StageData, func() smtpserver.Reply {
		return smtpserver.Say(354, "Start mail input; end with <CRLF>.<CRLF>")
	})
}

func (x *session) Reset() { x.from, x.to = "", nil }

func (x *session) Quit(ctx context.Context) smtpserver.Reply {
	x.leave()
	return x.answer(ctx, smtp.StageQuit, func() smtpserver.Reply {
		return smtpserver.Say(221, "2.0.0 Service closing transmission channel")
	})
}

func (x *session) Logout() { x.leave() }

func (x *session) leave() {
	if x.placed {
		x.placed = false
		x.service.limits.leave(x.mailbox.Address)
	}
}

// frontEnd is the server that a session runs on, with the session's number there,
// as both are in Exchange's replies.
type frontEnd struct {
	host string // "SBXP123CA0045", as in the banner
	id   string // 16 hex digits
}

func newFrontEnd() frontEnd {
	n := randomBytes(2)
	return frontEnd{
		host: fmt.Sprintf("SBXP%03dCA%04d", n[0], n[1]),
		id:   strings.ToUpper(hex.EncodeToString(randomBytes(8))),
	}
}

// bracket is what Exchange appends for its support: server, time, session.
func (f frontEnd) bracket() string {
	return fmt.Sprintf("[%s.eurprd06.prod.outlook.com %s %s]", f.host, time.Now().UTC().Format("2006-01-02T15:04:05.000Z"), f.id)
}

// hostname is the mailbox server that the front end hands on to.
func (f frontEnd) hostname() string {
	return fmt.Sprintf("[Hostname=%s.eurprd06.prod.outlook.com]", strings.Replace(f.host, "CA", "MB", 1))
}
