package config

import (
	"context"
	"errors"
	"fmt"
	"net/mail"
	"net/url"
	"path/filepath"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/smtpsend/smtpsend/internal/credential"
	"github.com/smtpsend/smtpsend/internal/hostname"
	"github.com/smtpsend/smtpsend/internal/setting/choice"

	"github.com/smtpsend/smtpsend/internal/loopback"

	"github.com/smtpsend/smtpsend/internal/certfile"
	"github.com/smtpsend/smtpsend/internal/exchange"
	"github.com/smtpsend/smtpsend/internal/lazy"
	"github.com/smtpsend/smtpsend/internal/lazyregexp"
	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/secret"
	"github.com/smtpsend/smtpsend/internal/setting"
)

// maxCAFile is the size in octets up to which CA_FILE is read; the bundle of
// all public roots has 230 kB.
const maxCAFile = 4 << 20

var (
	domainShape = lazyregexp.New(`^(?i)([a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])$`)
	ehloLiteral = lazyregexp.New(`^\[(IPv6:)?[0-9A-Fa-f:.]+\]$`)
)

// wellFormed checks a value by itself, as text, before it is parsed. Numbers
// are brought into the form without leading zeros.
func (f *findings) wellFormed(s setting.Setting, e *entry) bool {
	text := e.text.Reveal()
	reason := ""
	switch {
	case strings.TrimSpace(text) != text:
		reason = "begins or ends with a blank or line end"
	case !s.Command && inQuotes(text): // whose words may be in quotes
		reason = "is in quotes that were taken for part of the value: write it without them"
	case strings.ContainsFunc(text, unicode.IsControl) || !utf8.ValidString(text):
		reason = "holds a control character or is not UTF-8"
	case wholeNumber.Get()[s.Name]:
		reason = e.decimal()
	}
	if reason == "" {
		return true
	}
	f.values[s.Name] = *e
	f.problem(SeverityError, s.Name, reason)
	return false
}

// wholeNumber are the settings that are numbers.
var wholeNumber = &lazy.Value[map[string]bool]{Make: func() map[string]bool {
	return map[string]bool{
		"SMTP_PORT": true, "OFFICE_TOKEN_GRACE_TIME_IN_SECONDS": true,
		"MESSAGES_PER_MINUTE": true, "RECIPIENTS_PER_DAY": true, "TIME_SCALE": true,
	}
}}

// inQuotes reports a quote at either end; "Reports" <a@b> begins with a quote
// that belongs to it, so one end alone counts only without its partner.
func inQuotes(s string) bool {
	for _, q := range []string{`"`, `'`} {
		first, last := strings.HasPrefix(s, q), strings.HasSuffix(s, q)
		isPair := first && last
		isHalf := (first || last) && strings.Count(s, q)%2 == 1
		if isPair || isHalf {
			return true
		}
	}
	return false
}

// decimal rewrites the text as a decimal number, or says why it is none.
func (e *entry) decimal() string {
	n, err := strconv.ParseInt(e.text.Reveal(), 10, 32)
	switch {
	case errors.Is(err, strconv.ErrRange):
		return "is out of range"
	case err != nil:
		return "is not a whole number"
	}
	e.text = secret.New(strconv.FormatInt(n, 10))
	return ""
}

// checks look at the parsed values and at how they fit together.
type checks struct {
	o      Options
	cfg    *Config
	from   *sources
	found  *findings
	looked []string // for the env file that no one named, when there is none
}

// run makes all checks but those of secrets that are still to be read.
func (c checks) run(ctx context.Context) {
	c.addresses()
	c.server()
	c.endpoint()
	c.ids()
	c.mixture()
	c.local(ctx)
	c.queue()
	c.relaySocket()
}

// relaySocket refuses a directory that every user may write, such as /tmp: while the relay
// does not listen, anyone could do so there, take the mail, and say 250.
func (c checks) relaySocket() {
	if name := c.cfg.RelaySocket; name != "" && ownfile.EveryoneMayWrite(filepath.Dir(name)) {
		c.found.problem(SeverityError, "RELAY_SOCKET", "is in a directory that every user may write, and so could be anyone's: give it one that only the relay's user may write")
	}
}

// MaxTimeScale is the largest TIME_SCALE: how many times faster the outbox's minutes and
// days run beside a sandbox.
const MaxTimeScale = 10_000

// queue keeps the limits at or below the service's, which cannot be raised, and real time
// towards real servers.
func (c checks) queue() {
	within := func(name string, n, least, most int) {
		if c.found.good(name) && (n < least || n > most) {
			c.found.problem(SeverityError, name, fmt.Sprintf("is not between %d and %d", least, most))
		}
	}
	for name, n := range map[string]int{"MESSAGES_PER_MINUTE": c.cfg.MessagesPerMinute, "RECIPIENTS_PER_DAY": c.cfg.RecipientsPerDay} {
		least, most := c.cfg.Service.Bounds(name)
		within(name, n, least, most)
	}
	within("TIME_SCALE", c.cfg.TimeScale, 1, MaxTimeScale)
	if isOfService := c.found.values["MAIL_SERVER"].origin.Name == Prefix+"SERVICE"; isOfService && c.cfg.Cloud != CloudPublic {
		c.found.problem(SeverityError, "SERVICE", "is hve, whose server is known for "+Prefix+"CLOUD=public only: set "+Prefix+"MAIL_SERVER")
	}
	if c.found.good("TIME_SCALE") && c.cfg.TimeScale != 1 && !loopback.Host(unbracket(c.cfg.MailServer)) {
		c.found.problem(SeverityError, "TIME_SCALE", "is not 1, but "+Prefix+"MAIL_SERVER is not this machine: only a sandbox can have another time scale")
	}
	if c.found.good("OPERATOR") {
		if _, err := mail.ParseAddress(c.cfg.Operator); err != nil {
			c.found.problem(SeverityError, "OPERATOR", "is not an address such as postmaster@contoso.example")
		}
	}
}

func (c checks) missing() {
	missing := false
	for _, s := range setting.All() {
		_, set := c.found.values[s.Name]
		tenantUnused := s.Name == "OFFICE_TENANT_ID" && replaceTenant(c.cfg.OfficeTokenEndpoint, "") == c.cfg.OfficeTokenEndpoint
		isNeeded := s.Required && c.cfg.Credential.Kind.NeedsClient() && !tenantUnused
		if isNeeded && !set && !c.found.bad[s.Name] {
			what, _, _ := strings.Cut(s.Comment, ". ")
			what = strings.TrimSuffix(what, ".")
			c.found.problem(SeverityError, s.Name, "is not set: "+what)
			missing = true
		}
	}
	if c.cfg.Credential.Kind == "" && !c.found.bad[setting.ClientSecret] {
		c.found.problem(SeverityError, setting.ClientSecret, credential.Missing(c.from.environ))
		missing = true
	}
	if missing && len(c.looked) > 0 {
		c.found.add(Problem{Severity: SeverityWarning, Text: "no env file was read, because there is none at " +
			strings.Join(c.looked, " and ") + "; --env-file FILE names another one, and smtpsend config example prints one to fill in"})
	}
}

func (c checks) addresses() {
	if c.found.good("MAIL_SENDER") && c.found.values["MAIL_SENDER"].origin.Source != SourceSetting {
		if _, err := mail.ParseAddress(c.cfg.MailSender); err != nil {
			c.found.problem(SeverityError, "MAIL_SENDER", "is not an address such as reports@contoso.example")
		}
	}
	if !c.found.good("SMTP_USER_NAME") {
		return
	}
	switch user := c.cfg.SMTPUserName; {
	case strings.ContainsAny(user, " \t<>,;"):
		c.found.problem(SeverityError, "SMTP_USER_NAME", "is not a bare address such as reports@contoso.example")
	case !strings.Contains(user, "@"):
		c.found.problem(SeverityWarning, "SMTP_USER_NAME", "has no @: Exchange Online expects the address of a mailbox")
	}
}

func (c checks) server() {
	server := unbracket(c.cfg.MailServer)
	if c.found.good("MAIL_SERVER") && !hostname.IsHost(server) {
		text := "is not a host name or IP address"
		if strings.ContainsAny(server, ":/") {
			text += ": no scheme, no path, and the port goes into " + Prefix + "SMTP_PORT"
		}
		c.found.problem(SeverityError, "MAIL_SERVER", text)
	}
	if c.found.good("SMTP_PORT") && (c.cfg.SMTPPort < 1 || c.cfg.SMTPPort > 65535) {
		c.found.problem(SeverityError, "SMTP_PORT", "is not between 1 and 65535")
	}
	if c.found.good("SMTP_SECURITY") && c.found.good("MAIL_SERVER") {
		c.security(server)
	}
}

func (c checks) security(server string) {
	switch s := c.cfg.SMTPSecurity; {
	case s == choice.SecurityNone && !loopback.Host(server):
		c.found.problem(SeverityError, "SMTP_SECURITY", "is 0 (no encryption), but "+Prefix+"MAIL_SERVER is not this machine: the token would be sent unencrypted")
	case s == choice.SecurityNone && !c.cfg.Proxy.IsZero():
		c.found.problem(SeverityError, "SMTP_SECURITY", "is 0 (no encryption), but "+Prefix+"PROXY is set: the token would be sent through the proxy unencrypted")
	case s == choice.SecurityImplicit && exchange.IsServer(server):
		c.found.problem(SeverityWarning, "SMTP_SECURITY", "is 1 (TLS from the start), which Exchange Online does not offer: use 2 with port 587")
	case s == choice.SecurityImplicit && c.cfg.SMTPPort == 587:
		c.found.problem(SeverityWarning, "SMTP_SECURITY", "is 1 (TLS from the start), but port 587 begins without TLS: use 2, or port 465")
	case s == choice.SecuritySTARTTLS && c.cfg.SMTPPort == 465:
		c.found.problem(SeverityWarning, "SMTP_SECURITY", "is 2 (STARTTLS), but port 465 speaks TLS from the start: use 1, or port 587")
	}
}

func (c checks) local(ctx context.Context) {
	if c.found.good("CA_FILE") {
		data, err := ownfile.ReadTrusted(ctx, c.cfg.CAFile, maxCAFile)
		if err != nil {
			c.found.problem(SeverityError, "CA_FILE", "cannot be read: "+ownfile.Reason(err))
		} else if c.cfg.ownCAs, err = certfile.Read(data); err != nil {
			c.found.problem(SeverityError, "CA_FILE", err.Error())
		}
	}
	if c.found.good("PROXY") {
		c.proxy()
	}
	if name := c.cfg.EHLOName; c.found.good("EHLO_NAME") && !hostname.IsName(name) && !ehloLiteral.Get().MatchString(name) {
		c.found.problem(SeverityError, "EHLO_NAME", "is neither a host name nor an address in brackets (RFC 5321 4.1.3)")
	}
	if c.found.good("DEFAULT_DOMAIN") && !domainShape.Get().MatchString(c.cfg.DefaultDomain) {
		c.found.problem(SeverityError, "DEFAULT_DOMAIN", "is not a domain such as contoso.example")
	}
	if seconds := c.cfg.OfficeTokenGraceTimeInSeconds; seconds < 0 || seconds > 86400 {
		c.found.problem(SeverityError, "OFFICE_TOKEN_GRACE_TIME_IN_SECONDS", "is not between 0 and 86400")
	}
}

func (c checks) proxy() {
	u, err := url.Parse(c.cfg.Proxy.Reveal())
	switch {
	case err != nil && userInfo.Get().MatchString(c.cfg.Proxy.Reveal()):
		c.found.problem(SeverityError, "PROXY", "is not a URL: its user or password has a character that is written as % and two digits: @ is %40, : is %3A, / is %2F, % is %25, "+
			`a backslash is %5C, so that CONTOSO\user is CONTOSO%5Cuser`)
	case err != nil || u.Host == "" || u.Hostname() == "":
		c.found.problem(SeverityError, "PROXY", "is not a URL such as http://proxy.contoso.example:3128")
	case u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "socks5":
		c.found.problem(SeverityError, "PROXY", "has a scheme that is not one of http, https, socks5")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		c.found.problem(SeverityError, "PROXY", "has more than scheme, user, host and port")
	}
}
