// Package smtpsend submits mail to Exchange Online by SMTP with OAuth 2
// (XOAUTH2), and says for each recipient what happened, in the server's words.
// The command of the same name (cmd/smtpsend) does the same for everything that
// is not a Go program.
//
// # How to begin
//
// A [Client] needs an application that Microsoft Entra ID knows and a mailbox that
// Exchange Online lets it submit as. README.md of this module says how an
// administrator makes both.
//
//	client, err := smtpsend.New(smtpsend.Options{
//		TenantID: tenant, ClientID: id, ClientSecret: secret, From: "noreply@contoso.com",
//	})
//	if err != nil {
//		return err
//	}
//	receipt, err := client.Send(ctx, &smtpsend.Message{
//		To: []string{"Ada <ada@contoso.com>"}, Subject: "Nightly report", Text: "All is well.\n",
//	})
//
// [FromEnv] takes the settings of the command instead: SMTPSEND_* in the
// environment, and its env file. docs/manual.md describes them.
//
// # Which function
//
//   - [Client.Send] composes and submits a [Message]. What is wrong with it is found
//     before any connection is made.
//   - [Client.SendAll] submits several over one session.
//   - [Client.SendMsg] submits a message of go-mail.
//   - [Client.SendRaw] submits a message that is RFC 5322 text already.
//   - [Client.Auth] and [Client.NetAuth] are the sign-in alone, for programs that keep
//     go-mail's client or net/smtp; [Client.Token] with package xoauth2 is the sign-in
//     for emersion/go-smtp and all others. These programs get no receipt.
//
// # Receipts
//
// A submission ends with a [Receipt]. Each recipient has one [Outcome] in it: the
// server may accept a message for some and refuse it for others. Accepted means that
// the server took responsibility, not that the message was delivered: Exchange
// reports later, to the mailbox, what it could not deliver.
//
// The error is nil only when every recipient was accepted. Otherwise it is an
// [*Error], which names stage, reply, cause and fixes, and the Receipt is there too.
// The Receipt is nil when nothing was tried: the message is wrong
// ([*MessageError]), it could not be read, or ctx had ended.
//
// Within one call, what may pass by itself is tried again with growing waits until
// [Options.Timeout], for the recipients that still lack the message, and always with
// the same Message-ID. Between calls nothing is kept: what is [Deferred] or
// [NotAttempted] at the end ([Receipt.Open]) is the caller's to send again.
//
// # Doubt
//
// When the connection ends after the last octet of a message and before the reply,
// no one can know whether the server has it. Such a recipient is [InDoubt], and
// smtpsend never sends the message to it again by itself, because that may make two
// messages of one. Look for the Message-ID in the message trace of Exchange, or send
// again and accept the duplicate. A context that ends while the reply is waited for
// makes doubt; Options.Timeout does not, because it ends before the last octet.
//
// # Concurrency
//
// A Client is safe for use by several goroutines and is meant to be kept. All its
// sessions use one token, which is kept encrypted in the cache directory and shared
// with other processes of the same user and settings, the command among them.
// Exchange Online allows few connections for each mailbox at the same time: those
// who come too late wait for a place, and their waiting counts as time of ctx and
// Options.Timeout.
//
// # Compatibility
//
// The API is kept from the first tag: no name goes, no type changes. Structs may get
// more fields: write them with field names. The texts of errors and findings, and
// the codes of new findings, are not promised; codes that exist keep their meaning.
package smtpsend

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"os"
	"strings"
	"time"

	"golang.org/x/oauth2"

	"github.com/smtpsend/smtpsend/internal/account"
	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/seal"
	"github.com/smtpsend/smtpsend/internal/secret"
)

// DefaultTimeout is Options.Timeout where it is zero.
const DefaultTimeout = 2 * time.Minute

// Options say as whom and how a Client submits. TenantID, ClientID and ClientSecret
// are needed, here or among the settings; every other zero value is the default.
type Options struct {
	TenantID     string // Directory (tenant) ID
	ClientID     string // Application (client) ID
	ClientSecret string // the Value of the client secret, not its ID
	From         string // author of messages that name none; may have a display name
	Mailbox      string // mailbox that signs in and submits; "": that of each message's author

	// Settings are further settings, each as "NAME=value" with the names that the
	// command has for them, such as "SMTPSEND_PROXY=http://proxy:3128". The fields
	// above come before them. Names that do not begin with SMTPSEND_ or AZURE_ are
	// ignored, so that os.Environ() can be given. Settings of the outbox and of
	// sendmail have no effect.
	Settings []string
	// EnvFile is a file with more of them, which Settings come before. It must
	// belong to the user or root, and no one else may write it. "": none is read.
	EnvFile string

	// Timeout bounds everything up to the final dot of one message, waits for a
	// place and for further attempts included. Zero: DefaultTimeout.
	Timeout time.Duration
	// Attempts is how often one message is tried at most. Zero: as often as fits
	// into Timeout.
	Attempts int
	// InMemory keeps the token in this process alone, and counts only its own
	// connections: for a host whose disk is not to be written.
	InMemory bool
	// Logger gets what happens: waits and troubles with the cache directory, and
	// with level Debug the dialogue with the server, without credentials and
	// content. nil: nothing is logged.
	Logger *slog.Logger

	usualEnvFile bool
}

// Format writes the options without the client secret and the values of Settings, for
// every verb: options in a log shall not give them away.
func (o Options) Format(f fmt.State, verb rune) {
	fmt.Fprintf(f, fmt.FormatString(f, verb), plainOptions(o.withoutSecrets()))
}

// MarshalJSON leaves out what Format does.
func (o Options) MarshalJSON() ([]byte, error) { return json.Marshal(plainOptions(o.withoutSecrets())) }

// plainOptions are Options without their methods.
type plainOptions Options

func (o Options) withoutSecrets() Options {
	if o.ClientSecret != "" {
		o.ClientSecret = secret.Redacted
	}
	o.Settings = secret.Unassigned(o.Settings) // the secret again, the password of a proxy, and what is not ours
	return o
}

// Client submits mail for one application. It is safe for use by several goroutines.
// Make it with New or FromEnv. It holds no connection between calls and needs no
// closing.
type Client struct {
	o       Options
	cfg     *config.Config
	account *account.Account
	mailbox address.Address // zero: follows the author
}

// SettingsError is all that is wrong with the settings, each with the setting's name.
type SettingsError struct{ Problems []string }

// Error has one problem a line.
func (e *SettingsError) Error() string { return "smtpsend: " + strings.Join(e.Problems, "\n") }

// New returns a Client with the settings of o. It asks no server anything. No setting
// comes from the environment; what Go itself reads there for every program, such as
// the user's directories and HTTPS_PROXY, counts. Its error is a *SettingsError.
func New(o Options) (*Client, error) {
	if o.Timeout < 0 || o.Attempts < 0 { // nothing would be tried, and no one would know why
		return nil, &SettingsError{[]string{"Timeout or Attempts is negative"}}
	}
	o.Timeout, o.Logger = cmp.Or(o.Timeout, DefaultTimeout), cmp.Or(o.Logger, slog.New(slog.DiscardHandler))
	cfg, err := config.Load(context.Background(), config.Options{
		Environ: o.environ(), EnvFile: o.EnvFile, NoEnvFile: !o.usualEnvFile,
		Unseal: func(_ context.Context, identityFile, sealed string) (secret.String, error) {
			return seal.Open(identityFile, sealed)
		},
	})
	if err != nil {
		return nil, settingsError(err)
	}
	for _, w := range cfg.Warnings() {
		o.Logger.Warn(w.String())
	}
	o.ClientSecret, o.Settings = "", nil // a Client in a log shall not give the secret away
	how := account.Logged(o.Logger)
	if how.CountHere = o.InMemory; !o.InMemory {
		how.CacheDir = cfg.CacheDir
	}
	c := &Client{o: o, cfg: cfg, account: account.New(cfg, how)}
	_, fromErr := account.Sender(cfg, "", "")
	_, tokensErr := c.account.Tokens(0)
	c.mailbox, err = account.Mailbox(cfg, "", "")
	if err := cmp.Or(fromErr, err, tokensErr); err != nil {
		return nil, settingsError(err)
	}
	return c, nil
}

// FromEnv returns a Client with the settings of the command: SMTPSEND_* and AZURE_*
// in the environment of this process, and the env file that SMTPSEND_ENV_FILE names
// or that is in its usual place. Its error is a *SettingsError.
func FromEnv() (*Client, error) {
	return New(Options{Settings: os.Environ(), usualEnvFile: true})
}

// environ are the settings as an environment, where the last of a name counts.
func (o Options) environ() []string {
	environ := append([]string{}, o.Settings...)
	for _, s := range []struct{ name, value string }{
		{"OFFICE_TENANT_ID", o.TenantID}, {"OFFICE_CLIENT_ID", o.ClientID}, {"OFFICE_CLIENT_SECRET", o.ClientSecret},
		{"MAIL_SENDER", o.From}, {"SMTP_USER_NAME", o.Mailbox},
	} {
		if s.value != "" {
			environ = append(environ, config.Prefix+s.name+"="+s.value)
		}
	}
	return environ
}

// Token returns the access token for the application's mailboxes: that of the cache,
// or a new one. It is as good as a password. Its error is an *Error with StageToken.
func (c *Client) Token(ctx context.Context) (*oauth2.Token, error) {
	token, err := c.account.Token(ctx)
	if err != nil {
		return nil, c.tokenError(err)
	}
	return token, nil
}

// Invalidate says that a server refused the token, as with reply 535: it is not
// given again. Send and its like do so by themselves.
func (c *Client) Invalidate(token *oauth2.Token) { c.account.Invalidate(token) }

func settingsError(err error) error { return &SettingsError{config.Texts(err)} }
