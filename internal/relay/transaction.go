package relay

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/localname"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/relay/admission"
	"github.com/smtpsend/smtpsend/internal/relay/budget"
	"github.com/smtpsend/smtpsend/internal/relay/event"
	"github.com/smtpsend/smtpsend/internal/relay/relayfile"
	"github.com/smtpsend/smtpsend/internal/relay/sender"
	"github.com/smtpsend/smtpsend/internal/relay/smarthost"
	"github.com/smtpsend/smtpsend/internal/smtpserver"
)

// transaction is a message from MAIL on, by the rules that were in force then.
type transaction struct {
	session  *session
	rules    *rules
	listener *relayfile.Listener
	client   *relayfile.Client
	decision *sender.Decision
	mail     smtpserver.Mail
	dsn      mailobject.DSN
	budget   *budget.Reservation // nil for one that is passed on
	passed   *smarthost.Message  // nil: the outbox takes it

	given      []string          // recipients, as they came
	recipients []address.Address // that they lead to
}

// end gives back what the message does not need any more.
func (t *transaction) end() {
	if t.passed != nil {
		t.passed.Close()
		return
	}
	t.budget.Release()
}

func (s *session) Mail(ctx context.Context, m smtpserver.Mail) smtpserver.Reply {
	event.See(&s.visit.Senders, m.ReversePath)
	r, l, gone := s.rulesNow()
	client, refused := r.table.Admit(l, s.who)
	learns := (refused != nil || s.stranger != "") && s.learns()
	switch {
	case learns:
		client, s.visit.Learned = &learned, true
	case refused != nil:
		return s.refuseClient(l, gone, m, refused)
	}
	s.visit.Client = client.Name
	if m.Size > l.Limits.Size {
		return s.refuse(tooLarge(event.StageMail, l, m.ReversePath))
	}
	if m.Body == "BINARYMIME" { // only content in lines can be kept
		return s.refuse(refusal{stage: event.StageMail, code: event.MessageBad, reply: 555, enhanced: "5.5.4", mail: m.ReversePath, text: "BODY=BINARYMIME is not offered"})
	}
	if learns && s.relay.opts.Learning.PassTo != nil {
		t := &transaction{session: s, rules: r, listener: l, client: client, mail: m}
		return t.beginPassing(ctx)
	}
	decision, unsuited := r.senders.AtMail(client, m.ReversePath)
	if unsuited != nil {
		return s.refuse(senderRefused(event.StageMail, unsuited))
	}
	if known := s.knownAtMail(ctx, decision, m.ReversePath); known != nil {
		return s.refuse(*known)
	}
	reserved := s.relay.used.Begin(client.Name, client.Budget)
	if exceeded := reserved.Take(0); exceeded != nil {
		return s.refuse(refusal{stage: event.StageMail, code: event.BudgetUsedUp, reply: 452, enhanced: "4.7.1", mail: m.ReversePath, text: exceeded.Error()})
	}
	s.tx = &transaction{session: s, budget: reserved, rules: r, listener: l, client: client, decision: decision, mail: m}
	s.tx.dsn = mailobject.OfMail(m.Params)
	return smtpserver.Say(250, "2.1.0 Sender OK")
}

// knownAtMail is the refusal of what Exchange Online is known to refuse, nil when it is not.
// A sender that is held with its own address in From is refused whatever the message says:
// the server compares both.
func (s *session) knownAtMail(ctx context.Context, d *sender.Decision, mail string) *refusal {
	r := &refusal{stage: event.StageMail, code: event.MailboxBlocked, reply: 550, enhanced: "5.7.1", mail: mail}
	if r.text = s.relay.known.Mailbox(ctx, d.Mailbox); r.text != "" {
		return r
	}
	path := d.ReversePath.Addr()
	r.code = event.SenderHeld
	if r.text = s.relay.known.Sender(ctx, d.Mailbox, path, path); r.text != "" {
		return r
	}
	return nil
}

// refuseClient answers the MAIL of one that may not submit.
func (s *session) refuseClient(l *relayfile.Listener, gone bool, m smtpserver.Mail, why *admission.Refusal) smtpserver.Reply {
	r := refusal{stage: event.StageMail, code: event.CodeOf(why.Reason), mail: m.ReversePath, reply: 550, enhanced: "5.7.1", text: why.Error()}
	switch {
	case gone:
		r.code, r.reply, r.enhanced = event.ListenerRemoved, 421, "4.3.2"
		r.text = "this listener is closed, connect to another one"
		return s.refuse(r).ThenClose()
	case why.Reason == admission.AuthRequired && !s.mayAuth(l):
		r.code, r.reply, r.enhanced = event.TLSRequired, 530, "5.7.0"
		r.text = "Must issue a STARTTLS command first, and then sign in: switch on TLS and a user name at the device"
	case why.Reason == admission.AuthRequired:
		r.reply, r.enhanced = 530, "5.7.0"
		r.text += ": set a user name and a password at the device"
	case why.Reason == admission.NotAllowedHere:
		r.text += ": ask for a client with this address in the settings of the relay"
	}
	return s.refuse(r)
}

// senderRefused is the refusal of a sender.
func senderRefused(stage event.Stage, why *sender.Refusal) refusal {
	r := refusal{stage: stage, code: event.CodeOf(why.Reason), mail: why.Sender, reply: 550, enhanced: "5.7.1", text: why.Error()}
	if why.Reason == sender.Unreadable {
		r.reply, r.enhanced = 553, "5.1.7"
	}
	return r
}

func tooLarge(stage event.Stage, l *relayfile.Listener, mail string) refusal {
	return refusal{stage: stage, code: event.TooLarge, reply: 552, enhanced: "5.3.4", mail: mail,
		text: fmt.Sprintf("the message is larger than %d octets (%.1f MB), which is the most that this relay takes", l.Limits.Size, float64(l.Limits.Size)/(1<<20))}
}

func (s *session) Rcpt(_ context.Context, rc smtpserver.Rcpt) smtpserver.Reply {
	t := s.tx
	if t.passed != nil {
		return t.passRcpt(rc)
	}
	list, refused := s.resolve(rc.ForwardPath)
	if refused != nil {
		return s.refuse(*refused)
	}
	for _, a := range list {
		event.See(&s.visit.Domains, strings.ToLower(a.Domain()))
		if !admission.MayWriteTo(t.client, a) {
			return s.refuse(refusal{stage: event.StageRcpt, code: event.RecipientElsewhere, reply: 550, enhanced: "5.7.1", rcpt: rc.ForwardPath,
				text: fmt.Sprintf("client %s may not write to %s", t.client.Name, a.Domain())})
		}
	}
	most := t.listener.Limits.Recipients
	if len(t.recipients)+len(list) > most {
		return s.refuse(refusal{stage: event.StageRcpt, code: event.TooManyRecipients, reply: 452, enhanced: "4.5.3", rcpt: rc.ForwardPath,
			text: fmt.Sprintf("a message may have %d recipients: send it to the others as another message", most)})
	}
	if exceeded := t.budget.Take(len(list)); exceeded != nil {
		return s.refuse(refusal{stage: event.StageRcpt, code: event.BudgetUsedUp, reply: 452, enhanced: "4.7.1", rcpt: rc.ForwardPath, text: exceeded.Error()})
	}
	t.dsn.Join(rc.Params["NOTIFY"], len(t.given) == 0)
	t.given = append(t.given, rc.ForwardPath)
	t.recipients = append(t.recipients, list...)
	return smtpserver.Say(250, "2.1.5 Recipient OK")
}

// resolve is where a recipient leads.
func (s *session) resolve(path string) ([]address.Address, *refusal) {
	list, err := address.ParseLenient("recipient", path)
	if err != nil || len(list) != 1 {
		return nil, &refusal{stage: event.StageRcpt, code: event.RecipientBad, reply: 553, enhanced: "5.1.3", rcpt: path, text: fmt.Sprintf("%q is not an address", path)}
	}
	local := refusal{stage: event.StageRcpt, code: event.RecipientLocal, reply: 550, enhanced: "5.1.1", rcpt: path}
	if s.relay.opts.Resolve != nil {
		list, err = s.relay.opts.Resolve(list)
		switch {
		case errors.Is(err, localname.ErrUnknown):
			local.text = err.Error()
			return nil, &local
		case err != nil: // in a file of this host
			return nil, &refusal{stage: event.StageRcpt, code: event.AliasesWrong, reply: 451, enhanced: "4.3.5", rcpt: path, text: "the aliases of the relay's host are wrong: " + err.Error()}
		}
	}
	for _, a := range list {
		if a.IsLocalName() {
			local.text = fmt.Sprintf("%q has no domain and no alias: write the whole address at the device", path)
			return nil, &local
		}
	}
	return list, nil
}

func (s *session) Data(context.Context) smtpserver.Reply {
	return smtpserver.Say(354, "Start mail input; end with <CRLF>.<CRLF>")
}
