// Package exchange holds what is Exchange Online's own and no setting of ours: its
// limits, the hosts of Microsoft's clouds, how its servers greet; and which products
// are known to open TLS on the way to it. Each fact has the page that says it. The
// package knows nothing of the rest of the program and is safe for concurrent use.
package exchange

import "crypto/tls"

// Limits of a mailbox that no one can raise; all programs that use it count together
// (learn.microsoft.com/exchange/troubleshoot/send-emails/smtp-submission-improvements).
const (
	Connections       = 3      // at once; one more gets 432 4.3.2
	MessagesPerMinute = 30     // messages in any 60 s
	RecipientsPerDay  = 10_000 // recipients in any 24 h
)

// Limits of one message (learn.microsoft.com/office365/servicedescriptions,
// "Exchange Online limits"). An administrator can set the two defaults for a mailbox.
const (
	RecipientsPerMessage = 500       // recipients, by default (Set-Mailbox -RecipientLimits)
	DefaultMessageSize   = 35 << 20  // octets, encoded, by default (Set-Mailbox -MaxSendSize)
	MessageSize          = 150 << 20 // octets, encoded, at most: what the server says in SIZE
)

// Banner is in the first line that a server of Exchange's says, on premises too.
const Banner = "Microsoft ESMTP MAIL Service"

// MinTLS is the oldest version of TLS that Exchange Online takes; a client without it
// gets 421 4.7.66 and the address aka.ms/smtp_auth_tls. No connection of ours is made
// with less, whoever the server is.
const MinTLS = tls.VersionTLS12
