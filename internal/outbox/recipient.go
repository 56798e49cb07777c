package outbox

import "github.com/smtpsend/smtpsend/internal/outbox/store"

// RecipientState says how far a message has come for one recipient, over all its
// attempts. It is made of the outcomes of the attempts: what is transient, in doubt
// or not attempted leaves a recipient open.
type RecipientState string

// The states of recipients, as the column rcpt.state has them.
const (
	RecipientOpen     RecipientState = "open"     // waits for an attempt
	RecipientAccepted RecipientState = "accepted" // the server took responsibility
	RecipientRefused  RecipientState = "refused"  // for good
	RecipientUnsent   RecipientState = "unsent"   // was open when the message ended
)

// Each state as a term of SQL about a row of rcpt, for WHERE and SET.
const (
	recipientOpen     = "state = '" + string(RecipientOpen) + "'"
	recipientAccepted = "state = '" + string(RecipientAccepted) + "'"
	recipientRefused  = "state = '" + string(RecipientRefused) + "'"
	recipientUnsent   = "state = '" + string(RecipientUnsent) + "'"
)

// closeRecipients is for a message that ends although some still wait.
func closeRecipients(t *store.Tx, id int64) error {
	_, err := t.Exec("UPDATE rcpt SET "+recipientUnsent+" WHERE mail_id = ?1 AND "+recipientOpen, id)
	return err
}
