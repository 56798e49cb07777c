package exchangeonline

import (
	"bytes"
	"cmp"
	"context"
	"fmt"
	"io"
	"log/slog"
	"net/mail"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/lazyregexp"
	"github.com/smtpsend/smtpsend/internal/sandbox/fault"
	"github.com/smtpsend/smtpsend/internal/sandbox/inbox"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/smtpserver"
)

// Content takes the content and then decides: nearly all of Exchange's policy
// waits for its end.
func (x *session) Content(ctx context.Context, r io.Reader) smtpserver.Reply {
	if x.mailbox == nil { // a hook said yes to MAIL
		return smtpserver.Say(530, "5.7.57 Client not authenticated to send mail. "+x.bracket())
	}
	if _, _, ok := x.service.faults.Take(fault.PointContentStart, x.user); ok {
		return smtpserver.Reply{Raw: []byte{}, Close: true}
	}
	header := &headerCopy{}
	r = io.TeeReader(r, header)
	if _, _, ok := x.service.faults.Take(fault.PointContentKept, x.user); ok {
		r = newGarbler(r, x.utf8)
	}
	body, err := x.service.inbox.Take(r)
	if err != nil {
		x.service.log.LogAttrs(ctx, slog.LevelDebug, "content not taken", slog.String("reason", err.Error()))
		return smtpserver.Say(451, "4.3.0 Content could not be read")
	}
	f := readFields(header.Bytes())
	kept := false
	reply := x.answer(ctx, smtp.StageContent, func() smtpserver.Reply {
		if refusal := x.policy(ctx, f); refusal != nil {
			return *refusal
		}
		kept = true
		return x.accept(ctx, f, body)
	})
	switch {
	case kept:
	case reply.Code/100 == 2: // a hook, or the fault that loses the reply and not the mail
		x.accept(ctx, f, body)
	default:
		x.service.inbox.Drop(body)
	}
	return reply
}

func (x *session) accept(ctx context.Context, f fields, body inbox.Content) smtpserver.Reply {
	now := time.Now()
	delay := x.service.limits.pace(x.mailbox.Address, now)
	x.service.inbox.Add(inbox.Message{
		Mailbox: x.mailbox.Address, From: x.from, To: x.to,
		Subject: f.subject, MessageID: f.messageID, Received: now, TokenID: x.tokenID,
	}, body)
	x.service.accepted.Add(1)
	_ = fault.Wait(ctx, delay)
	id := f.messageID
	if id == "" {
		id = "<" + strings.ToLower(x.id) + "@" + x.host + ".eurprd06.prod.outlook.com>"
	}
	return smtpserver.Say(250, fmt.Sprintf("2.0.0 OK %s %s", id, x.hostname()))
}

// policy refuses in Exchange's order as far as that is known: the place among
// the connections first, as it is the store's to give.
func (x *session) policy(ctx context.Context, f fields) *smtpserver.Reply {
	mailbox := x.mailbox.Address
	if !x.placed {
		x.placed = x.service.limits.enter(mailbox)
	}
	switch {
	case !x.placed:
		return say(432, "4.3.2 Concurrent connections limit exceeded. Visit https://aka.ms/concurrent_sending for more information. "+x.hostname())
	case x.service.limits.throttled(mailbox):
		return say(550, "5.2.252 Sender throttled due to continuous send as denied errors. "+x.hostname())
	case f.err != nil:
		return say(550, "5.7.512 Access denied, message must be RFC 5322 section 3.6.2 compliant")
	case len(f.from) > 1 && !f.hasSender:
		return say(550, "5.1.20 Multiple From addresses are not allowed without Sender address "+x.hostname())
	}
	if x.service.opts.HVE {
		return identityHVE(ctx, x, f)
	}
	for _, from := range append(f.from, x.from) {
		if !x.service.tenant.MaySendAs(x.mailbox, x.app, from) {
			x.service.limits.deny(mailbox)
			return sendAsDenied(mailbox, cmp.Or(from, "<>"), x.hostname())
		}
	}
	if !x.service.limits.takeRecipients(mailbox, len(x.to), time.Now()) {
		return say(554, "5.2.0 STOREDRV.Submission.Exception:SubmissionQuotaExceededException; "+
			"Failed to process message due to a permanent exception with message [BeginDiagnosticData]"+
			"The message can't be submitted because the sender's submission quota was exceeded. "+diagnostics()+"[EndDiagnosticData] "+x.hostname())
	}
	return nil
}

func say(code int, text string) *smtpserver.Reply {
	r := smtpserver.Say(code, text)
	return &r
}

func sendAsDenied(mailbox, from, hostname string) *smtpserver.Reply {
	return say(554, fmt.Sprintf("5.2.252 SendAsDenied; %s not allowed to send as %s; "+
		"STOREDRV.Submission.Exception:SendAsDeniedException.MapiExceptionSendAsDenied; "+
		"Failed to process message due to a permanent exception with message [BeginDiagnosticData]Cannot submit message. %s[EndDiagnosticData] %s",
		mailbox, from, diagnostics(), hostname))
}

// diagnostics is a tail of the length and look of Exchange's, which overflows
// clients that expect RFC 5321's 512 octets.
func diagnostics() string {
	var b strings.Builder
	for i := range 120 {
		fmt.Fprintf(&b, "%d.%d:%X, ", i%4*85, 1200+i*523%64000, randomBytes(4))
	}
	return strings.TrimSuffix(b.String(), ", ")
}

// fields are what policy and receipt need of the header section.
type fields struct {
	from               []string
	hasSender          bool
	subject, messageID string
	err                error // the From field cannot be read
}

// angleAddress finds an address in a From that RFC 5322 does not allow.
var angleAddress = lazyregexp.New(`<([^<>@\s]+@[^<>@\s]+)>`)

func readFields(header []byte) fields {
	m, err := mail.ReadMessage(bytes.NewReader(header))
	if err != nil {
		return fields{err: fmt.Errorf("reading header section: %w", err)}
	}
	f := fields{
		hasSender: m.Header.Get("Sender") != "", subject: inbox.DecodeHeader(m.Header.Get("Subject")),
		messageID: strings.TrimSpace(m.Header.Get("Message-Id")),
	}
	if strings.ContainsFunc(f.messageID, func(r rune) bool { return r <= ' ' || r > '~' }) {
		f.messageID = ""
	}
	parser := mail.AddressParser{WordDecoder: inbox.WordDecoder()}
	// A display name in Latin-1 is nothing that Exchange refuses.
	text := strings.ToValidUTF8(m.Header.Get("From"), "?")
	list, err := parser.ParseList(text)
	if err != nil {
		text = withoutComments(text)
		list, err = parser.ParseList(text)
	}
	if found := angleAddress.Get().FindAllStringSubmatch(text, -1); err != nil && len(found) > 0 {
		err = nil // an @ in a name without quotes does no harm either
		for _, match := range found {
			list = append(list, &mail.Address{Address: match[1]})
		}
	}
	if err != nil {
		f.err = fmt.Errorf("reading From: %w", err)
		return f
	}
	for _, a := range list {
		f.from = append(f.from, a.Address)
	}
	return f
}

// comment finds a comment (RFC 5322 3.2.2), or a quoted string, which may look as if
// it held one.
var comment = lazyregexp.New(`"(?:[^"\\]|\\.)*"|\((?:[^()\\]|\\.|\((?:[^()\\]|\\.)*\))*\)`)

// aroundDots finds the blanks that the obsolete syntax has around dots (4.4).
var aroundDots = lazyregexp.New(`[ \t]*([.@])[ \t]*`)

// withoutComments is what net/mail can read of addresses that RFC 5322 allows and
// that it refuses: those with comments and blanks within.
func withoutComments(text string) string {
	text = comment.Get().ReplaceAllStringFunc(text, func(found string) string {
		if found[0] == '"' {
			return found
		}
		return ""
	})
	return aroundDots.Get().ReplaceAllString(text, "$1")
}

// headerCopy keeps what passes up to the end of the header section.
type headerCopy struct {
	bytes.Buffer
	done bool
}

// Write never fails.
func (h *headerCopy) Write(p []byte) (int, error) {
	if h.done {
		return len(p), nil
	}
	from := max(0, h.Len()-3)
	h.Buffer.Write(p[:min(len(p), inbox.MaxHeader-h.Len())])
	if i := bytes.Index(h.Bytes()[from:], []byte("\r\n\r\n")); i >= 0 {
		h.Truncate(from + i + 4)
		h.done = true
	}
	h.done = h.done || h.Len() == inbox.MaxHeader
	return len(p), nil
}
