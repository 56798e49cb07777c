package relay

import (
	"bufio"
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"log/slog"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/clientnet"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/relay/event"
	"github.com/smtpsend/smtpsend/internal/relay/relayfile"
	"github.com/smtpsend/smtpsend/internal/relay/sender"
	"github.com/smtpsend/smtpsend/internal/relay/smarthost"
	"github.com/smtpsend/smtpsend/internal/smtpserver"
)

// Learning is the mode in which the relay gets to know the devices of a network. Those
// that the settings file does not admit are admitted, whatever they sign in with; their
// passwords are read, because they are sent, and neither checked nor kept.
type Learning struct {
	Networks relayfile.Networks // whose clients are admitted
	// PassTo gets their mail while they wait; nil: the outbox keeps it, by the sender
	// rules of the file.
	PassTo *smarthost.Host
	// Grace takes the place of Options.Grace when the time of this mode is over.
	Grace time.Duration
}

// ErrTimeOver is the cause with which the context of Run ends when the time of the learning
// mode is over. It wraps context.Canceled.
var ErrTimeOver = fmt.Errorf("the time of the learning mode is over: %w", context.Canceled)

// learned is the client of the settings file that they are instead.
var learned = relayfile.Client{Name: "observed"}

// learns reports a client that the learning mode is for.
func (s *session) learns() bool {
	l := s.relay.opts.Learning
	return l != nil && !s.who.Unix && l.Networks.Contain(s.who.Addr)
}

// learnAuth answers AUTH of such a client. Only a user that the file knows is checked.
func learnAuth(ctx context.Context, s *session, r *rules, mechanism string, initial []byte, challenge func([]byte) ([]byte, error)) smtpserver.Reply {
	name, password, err := credentials(mechanism, initial, challenge)
	if errors.Is(err, errDialogue) {
		return smtpserver.Say(501, "5.5.2 Authentication ended")
	}
	if r.users != nil && r.users.Has(name) {
		if known, err := checked(ctx, r.users, clientnet.Key(s.peer.RemoteAddr()), name, password); err == nil {
			return s.signedIn(known, nil)
		}
	}
	s.stranger = name
	return smtpserver.Say(235, "2.7.0 Authentication successful")
}

// beginPassing answers the MAIL of a message that is handed on.
func (t *transaction) beginPassing(ctx context.Context) smtpserver.Reply {
	passed, reply := t.session.relay.opts.Learning.PassTo.Begin(ctx, t.mail)
	if passed == nil {
		return t.notPassed(event.StageMail, reply)
	}
	t.passed = passed
	t.session.tx = t
	return reply
}

// passRcpt answers the RCPT of such a message.
func (t *transaction) passRcpt(rc smtpserver.Rcpt) smtpserver.Reply {
	s := t.session
	if list, err := address.ParseLenient("recipient", rc.ForwardPath); err == nil && len(list) == 1 {
		event.See(&s.visit.Domains, strings.ToLower(list[0].Domain()))
	}
	reply := t.passed.Rcpt(rc)
	if reply.Code/100 != 2 {
		return t.notPassed(event.StageRcpt, reply)
	}
	t.given = append(t.given, rc.ForwardPath)
	return reply
}

// passContent hands the content on, with a Received field before it.
func (t *transaction) passContent(in io.Reader) smtpserver.Reply {
	s := t.session
	sized := &sizedReader{in: in, left: t.listener.Limits.Size}
	rest := bufio.NewReader(sized)
	header, err := headerSection(rest)
	if err != nil {
		return t.unread(err)
	}
	if why := s.relay.loops(valuesOf(header, "Received")); why != "" {
		return s.refuse(*looping(why))
	}
	t.seeAuthors(sender.ReadFrom(valuesOf(header, "From")...))
	trace := strings.NewReader("Received: " + folded(t.received()) + "\r\n")
	reply, err := t.passed.Content(io.MultiReader(trace, bytes.NewReader(header), rest))
	switch {
	case err != nil:
		return t.unread(err)
	case reply.Code/100 != 2:
		return t.notPassed(event.StageContent, reply)
	}
	octets := t.listener.Limits.Size - sized.left
	s.visit.Took(len(t.given), octets)
	s.relay.opts.Logger.Info("passed on", append(s.where(), slog.String("to", s.relay.opts.Learning.PassTo.Addr), slog.String("mail", t.mail.ReversePath),
		slog.Int("recipients", len(t.given)), slog.Int64("octets", octets), slog.String("reply", fmt.Sprint(reply.Code, " ", strings.Join(reply.Lines, " "))))...)
	return reply
}

// headerSection reads up to the empty line, or to the end of what has none.
func headerSection(in *bufio.Reader) ([]byte, error) {
	var header []byte
	for len(header) < limits.HeaderSection {
		line, err := in.ReadSlice('\n')
		header = append(header, line...)
		switch {
		case errors.Is(err, io.EOF), len(line) == 2 && err == nil:
			return header, nil
		case err != nil && !errors.Is(err, bufio.ErrBufferFull):
			return nil, err
		}
	}
	return header, nil
}

// valuesOf are the unfolded values of a field. The header may be one that no one else
// would take: it is passed on as it is.
func valuesOf(header []byte, name string) (values []string) {
	var isOurs bool
	for line := range strings.Lines(string(header)) {
		text := strings.TrimRight(line, "\r\n")
		if continues := strings.HasPrefix(text, " ") || strings.HasPrefix(text, "\t"); continues {
			if isOurs {
				values[len(values)-1] += text
			}
			continue
		}
		field, value, ok := strings.Cut(text, ":")
		if isOurs = ok && strings.EqualFold(strings.TrimRight(field, " \t"), name); isOurs {
			values = append(values, strings.TrimLeft(value, " \t"))
		}
	}
	return values
}

// folded is a value of a field in lines that are not too long.
func folded(value string) string {
	words := strings.Split(value, " ")
	var b strings.Builder
	length := len("Received: ")
	for i, w := range words {
		switch {
		case i == 0:
		case length+len(w) > 76:
			b.WriteString("\r\n\t")
			length = 8
		default:
			b.WriteByte(' ')
			length++
		}
		b.WriteString(w)
		length += len(w)
	}
	return b.String()
}

// unread answers a content that could not be read.
func (t *transaction) unread(err error) smtpserver.Reply {
	if errors.Is(err, errSize) || errors.Is(err, smtpserver.ErrTooLarge) {
		return t.session.refuse(tooLarge(event.StageContent, t.listener, ""))
	}
	return smtpserver.Say(451, "4.3.0 The message did not come to its end") // which is not used
}

// notPassed tells of a refusal by the smart host, and gives the client its reply.
func (t *transaction) notPassed(stage event.Stage, reply smtpserver.Reply) smtpserver.Reply {
	enhanced, text, _ := strings.Cut(strings.Join(reply.Lines, " "), " ")
	return t.session.refuse(refusal{stage: stage, code: event.SmartHost, reply: reply.Code, enhanced: enhanced, text: text, mail: t.mail.ReversePath})
}
