// Package sender says which mailbox submits the mail of a client, and what its MAIL and
// From become, by the rules of the relay's settings file.
//
// Exchange Online signs in as the mailbox and compares both, the reverse-path and the
// author in From, with what that mailbox may send as. Without a rule the mailbox is the
// sender of MAIL itself. The content comes later than MAIL, and so there are two steps:
// AtMail says mailbox and reverse-path, and AtContent what the header gets.
//
// A sender that no other host could know (root, device@localhost, nas@nas.local) and
// the null reverse-path of status mail name no mailbox: they become one. Nothing is
// opened or asked, and all of it may be called concurrently.
package sender

import (
	"cmp"
	"fmt"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/relay/admission"
	"github.com/smtpsend/smtpsend/internal/relay/relayfile"
)

// Reason is why a sender is refused. The catalogue of failures has an entry for each.
type Reason string

// The reasons.
const (
	Unreadable     Reason = "sender_unreadable"  // MAIL has something that is not an address
	NotAllowed     Reason = "sender_not_allowed" // the client may not use the sender
	NoMailbox      Reason = "no_mailbox"         // nothing says which mailbox submits
	FromUnreadable Reason = "from_unreadable"    // From cannot be read, and the client may use certain senders alone
	FromNotAllowed Reason = "from_not_allowed"   // the client may not use an author in From
)

// Reasons are all reasons.
func Reasons() []Reason {
	return []Reason{Unreadable, NotAllowed, NoMailbox, FromUnreadable, FromNotAllowed}
}

// Refusal is why a message cannot be taken: its sender will not be right later. It is
// an error.
type Refusal struct {
	Reason Reason
	Client string
	Sender string // as the client gave it, or an author in From; "" = the null reverse-path
}

// Error says what is wrong, and what to change, in a sentence without a full stop. The
// sender is quoted.
func (r *Refusal) Error() string {
	switch r.Reason {
	case Unreadable:
		return fmt.Sprintf("the sender %q is not an address", r.Sender)
	case NotAllowed:
		return fmt.Sprintf("client %s may not use the sender %q", r.Client, r.Sender)
	case FromUnreadable:
		return fmt.Sprintf("From cannot be read, and client %s may use certain senders alone", r.Client)
	case FromNotAllowed:
		return fmt.Sprintf("client %s may not use %q in From", r.Client, r.Sender)
	}
	if r.Sender == "" {
		return "mail without a sender has no mailbox: set one for it at the relay, or a sender with a domain at the device"
	}
	return fmt.Sprintf("the sender %q has no domain and no mailbox: set a sender with a domain at the device", r.Sender)
}

// Rules are those of a settings file. The zero value has none.
type Rules struct {
	senders []relayfile.SenderRule
	spare   address.Address // submits for who names no mailbox; zero = none
	domain  string          // completes names without one; "" = none
	account address.Address // submits for every sender without a rule; zero = none
}

// New returns the rules of a file. The settings of all commands fill in what it leaves
// out: domain completes names (SMTPSEND_DEFAULT_DOMAIN), and account is the mailbox of
// every sender that no rule is for (SMTPSEND_SMTP_USER_NAME). Both may be zero.
func New(f *relayfile.File, domain string, account address.Address) *Rules {
	return &Rules{senders: f.Senders, spare: f.DefaultMailbox, domain: cmp.Or(f.Domain, domain), account: account}
}

// Decision is what becomes of a sender.
type Decision struct {
	Mailbox     address.Address // that signs in and submits; never zero
	ReversePath address.Address // of MAIL; never zero, and never a name without a domain

	client *relayfile.Client
	given  address.Address // by the client; zero = the null reverse-path
	force  bool            // the mailbox is put into From, too
}

// AtMail decides by the argument of MAIL, without brackets and parameters; "" and "<>"
// are the null reverse-path. One of both results is nil.
func (r *Rules) AtMail(c *relayfile.Client, sender string) (*Decision, *Refusal) {
	given, ok := read(sender)
	if !ok {
		return nil, &Refusal{Unreadable, c.Name, sender}
	}
	d, reason := r.decide(c, given)
	if reason != "" {
		return nil, &Refusal{reason, c.Name, sender}
	}
	return d, nil
}

// read is an address, zero for the null reverse-path.
func read(sender string) (a address.Address, ok bool) {
	if sender == "" || sender == "<>" {
		return a, true
	}
	list, err := address.ParseLenient("MAIL", sender)
	if err != nil || len(list) != 1 {
		return a, false
	}
	a = list[0]
	a.Name = ""
	return a, true
}

// namesNone reports a sender that names no mailbox: none at all, a name without a
// domain, and one at what no mail can be sent to, as devices make of their own names.
func namesNone(a address.Address) bool { return !a.HasPublicDomain() }

// decide finds the mailbox in this order: the client's own, that of the first rule, the
// account of the settings. A sender without any is its own mailbox. For who names none,
// the only sender that the client may use counts, then the default mailbox, then the
// account, then the completed name.
func (r *Rules) decide(c *relayfile.Client, given address.Address) (*Decision, Reason) {
	d := &Decision{client: c, given: given, ReversePath: given}
	none := namesNone(given)
	completed := given
	if none {
		completed = r.complete(given)
		d.ReversePath = address.Address{}
	}
	rule := r.rule(given, completed)
	switch {
	case !c.Mailbox.IsZero():
		d.Mailbox, d.force = c.Mailbox, c.Force
	case rule != nil:
		d.Mailbox, d.force = rule.Mailbox, rule.Force || c.Force
		if none && !completed.IsZero() && admission.MaySend(c, completed) {
			d.ReversePath = completed // the rule says what the mailbox may send as
		}
	case none:
		return r.spareFor(d, completed)
	default:
		d.Mailbox, d.force = cmp.Or(r.account, given), c.Force
	}
	if !none && !admission.MaySend(c, given) {
		return nil, NotAllowed
	}
	return d.settled(), ""
}

// spareFor decides for a sender that names no mailbox and has no rule.
func (r *Rules) spareFor(d *Decision, completed address.Address) (*Decision, Reason) {
	c := d.client
	if only := onlySender(c); !only.IsZero() {
		if meant, reason := r.decide(c, only); reason == "" {
			meant.given = d.given
			return meant, ""
		}
	}
	d.force = c.Force
	switch {
	case !r.spare.IsZero():
		// Such mail can have any author in From, such as a mailer daemon's at this host,
		// and Exchange Online would refuse most of them.
		d.Mailbox, d.force = r.spare, true
	case !r.account.IsZero():
		d.Mailbox = r.account
	case completed.IsZero():
		return nil, NoMailbox
	case !admission.MaySend(c, completed):
		return nil, NotAllowed
	default:
		d.Mailbox = completed
	}
	return d.settled(), ""
}

// settled puts the mailbox into MAIL where it is to be, or nothing else is.
func (d *Decision) settled() *Decision {
	if d.force || d.ReversePath.IsZero() {
		d.ReversePath = d.Mailbox
	}
	return d
}

// complete is a name at the domain, zero when there is no name, or no domain for it.
func (r *Rules) complete(a address.Address) address.Address {
	if a.IsZero() || r.domain == "" {
		return address.Address{}
	}
	completed, err := a.At("MAIL", r.domain)
	if err != nil || namesNone(completed) { // too long, or a domain that is not one
		return address.Address{}
	}
	return completed
}

// rule is the first for the sender as it was given, or as it was completed; nil when
// there is none.
func (r *Rules) rule(given, completed address.Address) *relayfile.SenderRule {
	for i := range r.senders {
		s := &r.senders[i]
		isNull := given.IsZero() && s.From.IsNull()
		if isNull || s.From.Matches(given) || s.From.Matches(completed) {
			return s
		}
	}
	return nil
}

// onlySender is the address that is all that a client may use; zero when it may use
// others, too.
func onlySender(c *relayfile.Client) address.Address {
	if len(c.Senders) != 1 || c.Senders[0].IsDomain() {
		return address.Address{}
	}
	a, err := address.Parse("senders", c.Senders[0].String())
	if err != nil || namesNone(a) {
		return address.Address{}
	}
	return a
}
