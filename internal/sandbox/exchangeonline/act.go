package exchangeonline

import (
	"context"
	"fmt"
	"strings"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/sandbox/fault"
	"github.com/smtpsend/smtpsend/internal/smtpserver"
)

// act turns a fault into a reply; false lets the dialogue go on as if nothing
// had happened.
func (x *session) act(ctx context.Context, f fault.Fault, entry diagnosis.Entry) (smtpserver.Reply, bool) {
	nothing := smtpserver.Reply{Raw: []byte{}, Close: true}
	if fault.Wait(ctx, f.Delay) != nil {
		return nothing, true
	}
	switch f.Name {
	case fault.ConnectionClosed:
		return nothing, true
	case fault.ConnectionReset:
		return smtpserver.Reply{Raw: []byte{}, Reset: true}, true
	case fault.ConnectionTimeout:
		_ = fault.Wait(ctx, fault.Silence)
		return nothing, true
	case fault.Slow:
		return smtpserver.Reply{}, false
	case fault.HalfReply:
		return smtpserver.Reply{Raw: []byte("250-2.0"), Close: true}, true
	case fault.ReplyLost:
		return smtpserver.Reply{Code: 250, Raw: []byte{}, Close: true}, true
	case fault.NotSMTP:
		return smtpserver.Reply{Raw: []byte("SSH-2.0-OpenSSH_9.6p1 Ubuntu-3ubuntu13\r\n"), Close: true}, true
	case fault.NotExchange:
		return smtpserver.Say(220, "mail.fabrikam.example ESMTP Postfix (Debian/GNU)"), true
	case fault.TLSNotSpoken:
		return smtpserver.Reply{Raw: []byte("220 2.0.0 SMTP server ready\r\n500 5.3.3 Unrecognized command\r\n"), Close: true}, true
	}
	return sampleReply(x.fill(entry.Sample)), true
}

// fill puts the session's values into a sample's placeholders.
func (x *session) fill(sample string) string {
	clientID, objectID := "", ""
	if x.app != nil {
		clientID, objectID = x.app.ClientID, x.app.ObjectID
	}
	recipient := ""
	if len(x.to) > 0 {
		recipient = x.to[0]
	}
	return strings.NewReplacer("{mailbox}", x.user, "{from}", x.from, "{recipient}", recipient,
		"{client-id}", clientID, "{object-id}", objectID, "{tenant-id}", x.service.tenant.ID).Replace(sample)
}

// sampleReply reads a reply from text such as "535 5.7.3 ...", its lines with
// or without their code. Text of a report that begins with the enhanced code
// gets the reply code that goes with it. After 421 the server closes (RFC 5321
// 3.8).
func sampleReply(sample string) smtpserver.Reply {
	var code int
	if _, err := fmt.Sscanf(sample, "%3d", &code); err != nil || code < 200 || code > 599 || len(sample) < 4 || sample[3] == '.' {
		code = 550
		if strings.HasPrefix(sample, "4.") {
			code = 450
		}
		sample = fmt.Sprintf("%d %s", code, sample)
	}
	lines := strings.Split(sample, "\n")
	prefix := sample[:3]
	for i, line := range lines {
		if rest, ok := strings.CutPrefix(line, prefix); ok && (rest == "" || rest[0] == ' ' || rest[0] == '-') {
			lines[i] = strings.TrimLeft(rest, " -")
		}
	}
	r := smtpserver.Say(code, lines...)
	r.Close = code == 421
	return r
}
