package sandbox

import (
	"context"
	"fmt"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/smtpserver"
)

// silence is how long a server that never replies holds the connection: longer
// than any client waits (RFC 5321 4.5.3.2.6), and not for ever.
const silence = 20 * time.Minute

// act turns a fault into a reply; false lets the dialogue go on as if nothing
// had happened.
func (x *session) act(ctx context.Context, f Fault, entry diagnosis.Entry) (smtpserver.Reply, bool) {
	nothing := smtpserver.Reply{Raw: []byte{}, Close: true}
	if wait(ctx, f.Delay) != nil {
		return nothing, true
	}
	switch f.Name {
	case faultConnectionClosed:
		return nothing, true
	case faultConnectionReset:
		return smtpserver.Reply{Raw: []byte{}, Reset: true}, true
	case faultConnectionTimeout:
		_ = wait(ctx, silence)
		return nothing, true
	case faultSlow:
		return smtpserver.Reply{}, false
	case faultHalfReply:
		return smtpserver.Reply{Raw: []byte("250-2.0"), Close: true}, true
	case faultReplyLost:
		return smtpserver.Reply{Code: 250, Raw: []byte{}, Close: true}, true
	case faultNotSMTP:
		return smtpserver.Reply{Raw: []byte("SSH-2.0-OpenSSH_9.6p1 Ubuntu-3ubuntu13\r\n"), Close: true}, true
	case faultNotExchange:
		return smtpserver.Say(220, "mail.fabrikam.example ESMTP Postfix (Debian/GNU)"), true
	case faultTLSNotSpoken:
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
		"{client-id}", clientID, "{object-id}", objectID, "{tenant-id}", x.box.tenant.id).Replace(sample)
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
