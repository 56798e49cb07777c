package submission

import (
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// Explained is what a receipt tells of failures, with their names.
type Explained struct {
	// Recipients are the findings for the recipients of the receipt, in their order;
	// nil for one that was accepted, or about which the server said nothing.
	Recipients []*diagnosis.Finding
	Failure    *session.Error // Receipt.Failure; nil when all have the message
	To         string         // whom Failure is about; "" when it is about all
	Finding    diagnosis.Finding
}

// Explain names the failures of r. Facts fill the commands of the findings, and
// claims, which may be nil, tell what the token says.
func (r *Receipt) Explain(f diagnosis.Facts, claims *diagnosis.Claims) Explained {
	f.MessageID = r.MessageID
	e := Explained{Recipients: make([]*diagnosis.Finding, len(r.Recipients))}
	find := func(symptom diagnosis.Symptom, recipient string) diagnosis.Finding {
		symptom.Claims, f.Recipient = claims, recipient
		return r.find(symptom, f)
	}
	for i, rcpt := range r.Recipients {
		said := !rcpt.Reply.IsZero() || rcpt.Fault != ""
		if said && rcpt.Outcome != smtp.Accepted {
			found := find(session.SymptomOf(rcpt), rcpt.ForwardPath)
			e.Recipients[i] = &found
		}
	}
	if e.Failure, e.To = r.Failure(); e.Failure != nil {
		e.Finding = find(e.Failure.Symptom(), e.To)
	}
	return e
}

// find names a failure, by who answered.
func (r *Receipt) find(s diagnosis.Symptom, f diagnosis.Facts) diagnosis.Finding {
	s.Relay = r.relay
	return diagnosis.Find(s, f)
}
