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
//   - [Client.SendAll] submits several messages over one session.
//   - [Client.SendMsg] submits a message of go-mail.
//   - [Client.SendRaw] submits a message that is already RFC 5322 text.
//   - [Client.Auth] and [Client.NetAuth] only sign in, for programs that keep go-mail's
//     client or net/smtp. For emersion/go-smtp and all other clients, use
//     [Client.Token] with package xoauth2. These programs get no receipt.
//
// # Receipts
//
// A submission ends with a [Receipt], in which each recipient has one [Outcome]. The
// server may accept a message for some recipients and refuse it for others. Accepted
// means that the server took responsibility, not that the message was delivered. If
// Exchange cannot deliver it, the mailbox gets a report later.
//
// The error is nil only when every recipient was accepted. Otherwise it is an
// [*Error], which names stage, reply, cause and fixes, and the Receipt is there too.
// The Receipt is nil when nothing was tried: the message is wrong
// ([*MessageError]), it could not be read, or ctx had ended.
//
// Within one call, a failure that may pass by itself leads to another attempt. The
// waits between attempts grow, and [Options.Timeout] limits them all. An attempt is for
// the recipients that do not have the message yet, and always has the same Message-ID.
// Between calls nothing is kept: the caller decides whether to send the message again
// to recipients that are [Deferred] or [NotAttempted] ([Receipt.Open]).
//
// # Doubt
//
// When the connection ends after the last octet of a message and before the reply,
// no one can know whether the server has it. Such a recipient is [InDoubt], and
// smtpsend never sends the message to it again by itself, because the recipient may
// then get it twice. Look for the Message-ID in the message trace of Exchange, or send
// again and accept the duplicate. If the context ends while smtpsend waits for the
// reply, the message is in doubt. Options.Timeout does not have this effect, because it
// applies only up to the last octet.
//
// # Concurrency
//
// Several goroutines may use a Client at the same time. Make one and keep it. All its
// sessions use one token. The token is kept encrypted in the cache directory, and other
// processes of the same user with the same settings, such as the command, share it.
// Exchange Online allows three connections for a mailbox at the same time. A submission
// that finds none free waits, and ctx and Options.Timeout limit this wait too.
//
// # Compatibility
//
// From the first tag on, no name of the API is removed and no type changes. Structs may
// get more fields, so use field names in composite literals. The texts of errors and
// findings may change, and there may be new codes. A code that exists keeps its meaning.
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

// DefaultTimeout is used when Options.Timeout is zero.
const DefaultTimeout = 2 * time.Minute

// Options say as which mailbox and how a Client submits. TenantID, ClientID and
// ClientSecret are needed, here or among the settings. Every other zero value means the
// default.
type Options struct {
	TenantID     string // Directory (tenant) ID
	ClientID     string // Application (client) ID
	ClientSecret string // the Value of the client secret, not its ID
	From         string // author of messages that have none; may have a display name
	Mailbox      string // mailbox that signs in and submits; "": the author of each message

	// Settings are further settings, each as "NAME=value". The names are those of the
	// command, such as "SMTPSEND_PROXY=http://proxy:3128". If a field above gives the
	// same setting, the field counts. Of other names, those count by which a CI system or
	// a host in Azure offers a credential, so you can pass os.Environ(). Settings of the
	// outbox and of sendmail have no effect.
	Settings []string
	// EnvFile is a file with more settings; those in Settings count before them. It must
	// belong to the user or root, and no one else may write it. "": none is read.
	EnvFile string

	// Timeout limits everything up to the final dot of one message, with the waits for
	// a connection and for further attempts. Zero: DefaultTimeout.
	Timeout time.Duration
	// Attempts is how often one message is tried at most. Zero: as often as Timeout
	// allows.
	Attempts int
	// InMemory keeps the token in this process only, and counts only the connections of
	// this process. It is for a host whose disk must not be written.
	InMemory bool
	// Logger gets waits and problems with the cache directory. With level Debug it also
	// gets the dialogue with the server, without credentials and content. nil: nothing
	// is logged.
	Logger *slog.Logger

	usualEnvFile bool
}

// Format writes the options without the client secret and the values of Settings, for
// every verb, so that a log of the options does not reveal them.
func (o Options) Format(f fmt.State, verb rune) {
	fmt.Fprintf(f, fmt.FormatString(f, verb), plainOptions(o.withoutSecrets()))
}

// MarshalJSON leaves out what Format leaves out.
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

// SettingsError lists everything that is wrong with the settings. Each problem has the
// name of its setting.
type SettingsError struct{ Problems []string }

// Error has one problem on each line.
func (e *SettingsError) Error() string { return "smtpsend: " + strings.Join(e.Problems, "\n") }

// New returns a Client with the settings of o. It makes no connection. It takes no
// setting from the environment, except what Go reads there for every program, such as
// the user's directories and HTTPS_PROXY. Its error is a *SettingsError.
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
// or that is in its usual place (docs/manual.md). Its error is a *SettingsError.
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

// Token returns the access token for the mailboxes of the application, from the cache
// or a new one. Treat it as a password. Its error is an *Error with StageToken.
func (c *Client) Token(ctx context.Context) (*oauth2.Token, error) {
	token, err := c.account.Token(ctx)
	if err != nil {
		return nil, c.tokenError(err)
	}
	return token, nil
}

// Invalidate records that a server refused the token, as with reply 535, so that it is
// not used again. Send, SendAll, SendMsg and SendRaw do this by themselves.
func (c *Client) Invalidate(token *oauth2.Token) { c.account.Invalidate(token) }

func settingsError(err error) error { return &SettingsError{config.Texts(err)} }
