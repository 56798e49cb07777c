// Package config turns flags, environment and one env file into an immutable
// Config, and says where each value came from. Names and meanings are those of
// enaio's registry entries, with the prefix SMTPSEND_.
//
// # How a value is found
//
// Load asks, for each setting by itself, in this order: flags, the SMTPSEND_
// environment, the env file, the AZURE_ environment (ids, credential and
// authority only), the default. The first value that is not empty holds; an
// empty one counts as unset, because compose files produce those. Secrets may
// also come from a file, a command, a systemd credential or standard input.
//
// The env file is the one asked for, else $SMTPSEND_ENV_FILE, else
// smtpsend/smtpsend.env in the user's, then in the system's configuration
// directory. The working directory is never searched: a checkout could bring a
// file with another token endpoint, or a command. For the same reason relative
// paths in an env file are relative to that file.
//
// # Promises
//
// Load opens no network connection. It reports every problem at once, by the
// name of the variable and never with its value. A Config does not change once
// loaded and may be used by any number of goroutines.
package config

import (
	"crypto/x509"
	"net"
	"net/url"
	"strconv"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/credential"
	"github.com/smtpsend/smtpsend/internal/program"
	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/internal/setting"
	"github.com/smtpsend/smtpsend/internal/setting/choice"
)

// Prefix begins the name of every variable.
const Prefix = setting.Prefix

// Config is the configuration of one run. It has a field for each setting of
// the table, under the name of its variable without underscores. envconfig parses the
// switches and words. Texts have nothing to parse, numbers were parsed when they were
// checked, and secrets would have to be in the environment for it.
type Config struct {
	MailSender string `ignored:"true"` // From address when a message names none; may hold a display name
	NoMails    bool   // compose and check, but open no connection

	Service            choice.Service
	MailServer         string `ignored:"true"` // host name or IP address
	SMTPPort           int    `ignored:"true"` // 1 to 65535
	SMTPSecurity       choice.Security
	SMTPAuthenticating choice.Authentication
	SMTPUserName       string `ignored:"true"` // mailbox named in XOAUTH2; "" = the header From

	OfficeClientID                string        `ignored:"true"` // Application (client) ID
	OfficeTenantID                string        `ignored:"true"` // GUID or domain
	OfficeClientSecret            secret.String `ignored:"true"` // zero unless Credential is one
	OfficeTokenEndpoint           string        `ignored:"true"` // as written, with #TenantID#; see TokenURL
	OfficeAccessScopes            choice.Scopes
	OfficeTokenGraceTimeInSeconds int `ignored:"true"` // 0 to 86400

	// Credential is how the client proves who it is, and what follows belongs to it.
	Credential                      credential.Choice `ignored:"true"`
	OfficeClientSecretNext          secret.String     `ignored:"true"` // used when the first is refused
	OfficeClientSecretExpires       time.Time         `ignored:"true"` // the begin of that day; zero = not known
	OfficeClientCertificateKeyFile  string            `ignored:"true"` // "" = the key is with the certificate
	OfficeClientCertificatePassword secret.String     `ignored:"true"` // of the key, or of PKCS #12
	OfficeClientCertificateNextFile string            `ignored:"true"` // "" = Credential.Value with ".next"
	OfficeClientCertificateChain    bool              // send it with each request
	OfficeFederatedAudience         string            `ignored:"true"` // see FederatedAudience
	OfficeServiceConnectionID       string            `ignored:"true"` // of Azure Pipelines

	Cloud        Cloud
	CAFile       string        `ignored:"true"` // PEM with further roots; "" = the system's alone
	Proxy        secret.String `ignored:"true"` // may hold a password; see ProxyURL
	EHLOName     string        `ignored:"true"` // "" = the address literal of our end
	IPFamily     choice.IPFamily
	CacheDir     string `ignored:"true"` // "" = no cache: no directory is known
	IdentityFile string `ignored:"true"` // opens sealed values; "" = the default place

	DefaultDomain string `ignored:"true"` // for recipients without domain and alias; "" = they are refused
	AliasesFile   string `ignored:"true"` // "" = /etc/aliases, when it can be read
	DeadLetterDir string `ignored:"true"` // "" = dead.letter in the home directory
	ForceFrom     bool   // sendmail: From is MAIL_SENDER always

	Reencode          choice.Reencode // what of ready messages is put into 7 bits and short lines
	ReencodeLongLines bool            // the older name for less than Reencode's default; it changes nothing

	Queue             choice.QueueMode
	StateDir          string `ignored:"true"` // of the outbox; "" = no directory is known
	InDoubt           choice.InDoubt
	Operator          string        `ignored:"true"` // address for notices; "" = no mail is sent
	NotifyCommand     secret.String `ignored:"true"` // its arguments may hold a token; see Notify
	MessagesPerMinute int           `ignored:"true"` // of one mailbox; 0 = no limit
	RecipientsPerDay  int           `ignored:"true"` // of one mailbox; 0 = no limit
	TimeScale         int           `ignored:"true"` // 1 but beside a sandbox

	RelayFile   string // settings file of the relay; "" = none
	RelaySocket string // where sendmail finds a relay; "" = it submits itself

	notify       program.Program     // of NotifyCommand
	tokenCommand program.Program     // of Credential
	envFile      string              // the env file that was read, "" for none
	ownCAs       []*x509.Certificate // of CAFile, read once: it may be a pipe
	shown        map[string]entry
	warnings     []Problem
}

// texts are the fields that are taken as they were written, by the setting's name.
func (c *Config) texts() map[string]*string {
	return map[string]*string{
		"MAIL_SENDER": &c.MailSender, "MAIL_SERVER": &c.MailServer, "SMTP_USER_NAME": &c.SMTPUserName,
		"OFFICE_CLIENT_ID": &c.OfficeClientID, "OFFICE_TENANT_ID": &c.OfficeTenantID, "OFFICE_TOKEN_ENDPOINT": &c.OfficeTokenEndpoint,
		setting.ClientCertificateKeyFile: &c.OfficeClientCertificateKeyFile, setting.ClientCertificateNextFile: &c.OfficeClientCertificateNextFile,
		setting.FederatedAudience: &c.OfficeFederatedAudience, setting.ServiceConnectionID: &c.OfficeServiceConnectionID,
		"CA_FILE": &c.CAFile, "EHLO_NAME": &c.EHLOName, "CACHE_DIR": &c.CacheDir, "IDENTITY_FILE": &c.IdentityFile,
		"DEFAULT_DOMAIN": &c.DefaultDomain, "ALIASES_FILE": &c.AliasesFile, "DEAD_LETTER_DIR": &c.DeadLetterDir,
		"STATE_DIR": &c.StateDir, "OPERATOR": &c.Operator,
	}
}

// numbers are the fields that are whole numbers, by the setting's name.
func (c *Config) numbers() map[string]*int {
	return map[string]*int{
		"SMTP_PORT": &c.SMTPPort, "OFFICE_TOKEN_GRACE_TIME_IN_SECONDS": &c.OfficeTokenGraceTimeInSeconds,
		"MESSAGES_PER_MINUTE": &c.MessagesPerMinute, "RECIPIENTS_PER_DAY": &c.RecipientsPerDay, "TIME_SCALE": &c.TimeScale,
	}
}

// TokenURL returns the token endpoint with the tenant in the place of
// #TenantID# (written in any case).
func (c *Config) TokenURL() string {
	return replaceTenant(c.OfficeTokenEndpoint, url.PathEscape(c.OfficeTenantID))
}

func replaceTenant(endpoint, tenant string) string {
	i := strings.Index(strings.ToLower(endpoint), strings.ToLower(setting.TenantPlaceholder))
	if i < 0 {
		return endpoint
	}
	return endpoint[:i] + tenant + endpoint[i+len(setting.TenantPlaceholder):]
}

// PlainUser is SMTP_USER_NAME when it is not an address but a name, as some servers
// other than Exchange have it, and "" otherwise. It says who signs in, and not
// from where mail comes.
func (c *Config) PlainUser() string {
	if strings.Contains(c.SMTPUserName, "@") {
		return ""
	}
	return c.SMTPUserName
}

// Addr returns server and port as net.Dial takes them.
func (c *Config) Addr() string {
	return net.JoinHostPort(unbracket(c.MailServer), strconv.Itoa(c.SMTPPort))
}

// unbracket takes the brackets from an IPv6 address such as "[::1]".
func unbracket(host string) string {
	if inner, ok := strings.CutPrefix(host, "["); ok {
		return strings.TrimSuffix(inner, "]")
	}
	return host
}

// GraceTime returns the grace time of a token, before which it counts as
// expired.
func (c *Config) GraceTime() time.Duration {
	return time.Duration(c.OfficeTokenGraceTimeInSeconds) * time.Second
}

// ProxyURL returns the proxy, nil when none is set. Its password is in the
// clear: print it only with URL.Redacted.
func (c *Config) ProxyURL() *url.URL {
	if c.Proxy.IsZero() {
		return nil
	}
	u, err := url.Parse(c.Proxy.Reveal())
	if err != nil {
		return nil // reported by Load
	}
	return u
}

// RootCAs returns the system's roots and those of CAFile. It is nil without
// CAFile when the system's cannot be read; crypto/tls then says so, should there
// be TLS. Reading them takes some 15 ms.
func (c *Config) RootCAs() *x509.CertPool {
	pool, err := x509.SystemCertPool()
	switch {
	case err == nil:
	case c.ownCAs == nil:
		return nil
	default:
		pool = x509.NewCertPool() // a container may have no roots at all
	}
	for _, certificate := range c.ownCAs {
		pool.AddCert(certificate)
	}
	return pool
}

// EnvFile returns the path of the env file that was read, "" when there is none.
func (c *Config) EnvFile() string { return c.envFile }

// Warnings returns what is suspicious but prevents nothing.
func (c *Config) Warnings() []Problem { return append([]Problem(nil), c.warnings...) }

// Origin returns where the value of a setting came from, by its name with or
// without the prefix. An unknown or unset one has the zero Origin.
func (c *Config) Origin(name string) Origin {
	return c.shown[strings.TrimPrefix(name, Prefix)].origin
}
