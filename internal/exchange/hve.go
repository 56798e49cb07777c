package exchange

// High Volume Email, the service of Exchange Online for mail within an organisation
// (learn.microsoft.com/exchange/mail-flow-best-practices/high-volume-mails-m365). The two
// limits are second-hand. It is known in the worldwide cloud alone. It counts no messages
// in a minute and no recipients in a day.
const (
	HVEHost                 = "smtp.hve.mx.microsoft" // takes submissions, on port 587
	HVERecipientsPerMessage = 50
	HVEMessageSize          = 10 << 20 // octets, encoded
	HVETokenLife            = 1200     // seconds that a token has to live when it is presented
	HVERole                 = "Mail.Send"
)

// Uncounted is a limit, of messages in a minute or recipients in a day, that nothing
// reaches.
const Uncounted = 1_000_000_000
