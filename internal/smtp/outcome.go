package smtp

// Outcome is what happened to a message for one recipient.
type Outcome string

// The outcomes. Only Accepted means that the server took responsibility (RFC
// 5321 4.1.1.4); NotAttempted is the only other one that says that the server
// has nothing. The values are written to the outbox and to JSON; people read
// those of Word.
const (
	Accepted     Outcome = "accepted"
	Transient    Outcome = "transient"     // refused with 4yz
	Permanent    Outcome = "permanent"     // refused with 5yz, or by us because the server could not take it
	InDoubt      Outcome = "in_doubt"      // the final dot was sent and no reply came
	NotAttempted Outcome = "not_attempted" // the session failed before the final dot
)

// Outcomes lists all of them, the best first.
var Outcomes = []Outcome{Accepted, Transient, Permanent, InDoubt, NotAttempted}

// Open reports whether another attempt could serve the recipient.
func (o Outcome) Open() bool { return o == Transient || o == NotAttempted }

// Word is the outcome as people say it of mail, in the output of the command and
// in the report of a batch.
func (o Outcome) Word() string {
	switch o {
	case Transient:
		return "deferred"
	case Permanent:
		return "refused"
	case InDoubt:
		return "in doubt"
	case NotAttempted:
		return "not attempted"
	}
	return string(o)
}

// Recipient is one forward-path with its outcome.
type Recipient struct {
	ForwardPath string
	Outcome     Outcome
	Stage       Stage // where the outcome was decided
	Reply       Reply // that decided it; zero when none came
	Fault       Fault // that decided it without a reply: the server says before that it cannot take the message
}
