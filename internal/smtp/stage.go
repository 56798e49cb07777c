package smtp

// Stage is the step of a submission at which a failure was seen.
type Stage string

// The stages in the order in which a submission passes them.
const (
	StageConfig   Stage = "config"   // settings, before any network
	StageToken    Stage = "token"    // the request to the token endpoint
	StageDial     Stage = "dial"     // name resolution and TCP
	StageGreeting Stage = "greeting" // the 220 banner
	StageEHLO     Stage = "ehlo"     // EHLO, before or after TLS
	StageStartTLS Stage = "starttls" // STARTTLS and the TLS handshake
	StageAuth     Stage = "auth"     // AUTH XOAUTH2
	StageMail     Stage = "mail"     // MAIL FROM
	StageRcpt     Stage = "rcpt"     // RCPT TO
	StageData     Stage = "data"     // DATA up to its 354
	StageContent  Stage = "content"  // the content and the reply to the final dot
	StageQuit     Stage = "quit"
	StageRelay    Stage = "relay" // before any of these: our own relay refuses what a client wants to submit
)
