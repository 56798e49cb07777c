package config

import (
	"context"
	"errors"
	"net/mail"
	"net/netip"
	"net/url"
	"strconv"
	"strings"
	"unicode"
	"unicode/utf8"

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
	hostShape   = lazyregexp.New(`^(?i)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?(\.[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?)*\.?$`)
	ehloLiteral = lazyregexp.New(`^\[(IPv6:)?[0-9A-Fa-f:.]+\]$`)
)

// wellFormed checks a value by itself, as text, before it is parsed. Numbers
// are brought into the form without leading zeros, which envconfig would take
// for octal ones.
func (l *loader) wellFormed(s setting.Setting, e *entry) bool {
	text := e.text.Reveal()
	reason := ""
	switch {
	case strings.TrimSpace(text) != text:
		reason = "begins or ends with a blank or line end"
	case s.Name != setting.NotifyCommand && inQuotes(text): // whose words may be in quotes
		reason = "is in quotes that were taken for part of the value: write it without them"
	case strings.ContainsFunc(text, unicode.IsControl) || !utf8.ValidString(text):
		reason = "holds a control character or is not UTF-8"
	case wholeNumber.Get()[s.Name]:
		reason = e.decimal()
	}
	if reason == "" {
		return true
	}
	l.values[s.Name] = *e
	l.problem(SeverityError, s.Name, reason)
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

// check looks at the parsed values and at how they fit together.
func (l *loader) check(ctx context.Context, cfg *Config) {
	l.checkMissing(cfg)
	l.checkAddresses(cfg)
	l.checkServer(cfg)
	l.checkEndpoint(cfg)
	l.checkIDs(cfg)
	l.checkMixture()
	l.checkLocal(ctx, cfg)
	l.checkQueue(cfg)
}

// checkQueue keeps the limits at or below Exchange Online's, which cannot be
// raised, and real time towards real servers.
func (l *loader) checkQueue(cfg *Config) {
	for name, n := range map[string][2]int{
		"MESSAGES_PER_MINUTE": {cfg.MessagesPerMinute, exchange.MessagesPerMinute}, "RECIPIENTS_PER_DAY": {cfg.RecipientsPerDay, exchange.RecipientsPerDay}, "TIME_SCALE": {cfg.TimeScale, 10_000},
	} {
		if l.good(name) && (n[0] < 1 || n[0] > n[1]) {
			l.problem(SeverityError, name, "is not between 1 and "+strconv.Itoa(n[1]))
		}
	}
	if l.good("TIME_SCALE") && cfg.TimeScale != 1 && !loopback.Host(unbracket(cfg.MailServer)) {
		l.problem(SeverityError, "TIME_SCALE", "is not 1, but "+Prefix+"MAIL_SERVER is not this machine: only a sandbox has another time")
	}
	if l.good("OPERATOR") {
		if _, err := mail.ParseAddress(cfg.Operator); err != nil {
			l.problem(SeverityError, "OPERATOR", "is not an address such as postmaster@contoso.example")
		}
	}
}

// good reports that a setting has a value and nothing was found wrong with it.
func (l *loader) good(setting string) bool {
	_, ok := l.values[setting]
	return ok && !l.bad[setting]
}

func (l *loader) checkMissing(cfg *Config) {
	if l.o.Offline || cfg.NoMails || l.unread {
		return
	}
	missing := false
	for _, s := range setting.All() {
		_, set := l.values[s.Name]
		tenantUnused := s.Name == "OFFICE_TENANT_ID" && replaceTenant(cfg.OfficeTokenEndpoint, "") == cfg.OfficeTokenEndpoint
		if s.Required && !set && !l.bad[s.Name] && !tenantUnused {
			what, _, _ := strings.Cut(s.Comment, ". ")
			what = strings.TrimSuffix(what, ".")
			l.problem(SeverityError, s.Name, "is not set: "+what)
			missing = true
		}
	}
	if missing && len(l.looked) > 0 {
		l.problems = append(l.problems, Problem{Severity: SeverityWarning, Text: "no env file was read, there is none at " +
			strings.Join(l.looked, " and ") + "; --env-file FILE names one, smtpsend config example prints what it may hold"})
	}
}

func (l *loader) checkAddresses(cfg *Config) {
	if l.good("MAIL_SENDER") && l.values["MAIL_SENDER"].origin.Source != SourceSetting {
		if _, err := mail.ParseAddress(cfg.MailSender); err != nil {
			l.problem(SeverityError, "MAIL_SENDER", "is not an address such as reports@contoso.example")
		}
	}
	if !l.good("SMTP_USER_NAME") {
		return
	}
	switch user := cfg.SMTPUserName; {
	case strings.ContainsAny(user, " \t<>,;"):
		l.problem(SeverityError, "SMTP_USER_NAME", "is not a bare address such as reports@contoso.example")
	case !strings.Contains(user, "@"):
		l.problem(SeverityWarning, "SMTP_USER_NAME", "has no @: Exchange Online takes the address of a mailbox")
	}
}

func (l *loader) checkServer(cfg *Config) {
	server := unbracket(cfg.MailServer)
	if l.good("MAIL_SERVER") && !isHost(server) {
		text := "is not a host name or IP address"
		if strings.ContainsAny(server, ":/") {
			text += ": no scheme, no path, and the port goes into " + Prefix + "SMTP_PORT"
		}
		l.problem(SeverityError, "MAIL_SERVER", text)
	}
	if l.good("SMTP_PORT") && (cfg.SMTPPort < 1 || cfg.SMTPPort > 65535) {
		l.problem(SeverityError, "SMTP_PORT", "is not between 1 and 65535")
	}
	if l.good("SMTP_SECURITY") && l.good("MAIL_SERVER") {
		l.checkSecurity(cfg, server)
	}
}

func (l *loader) checkSecurity(cfg *Config, server string) {
	switch s := cfg.SMTPSecurity; {
	case s == SecurityNone && !loopback.Host(server):
		l.problem(SeverityError, "SMTP_SECURITY", "is 0 (no encryption), but "+Prefix+"MAIL_SERVER is not this machine: the token would travel in the clear")
	case s == SecurityNone && !cfg.Proxy.IsZero():
		l.problem(SeverityError, "SMTP_SECURITY", "is 0 (no encryption), but "+Prefix+"PROXY is set: the token would travel in the clear through the proxy")
	case s == SecurityImplicit && exchange.IsServer(server):
		l.problem(SeverityWarning, "SMTP_SECURITY", "is 1 (TLS from the start), which Exchange Online does not offer: use 2 with port 587")
	case s == SecurityImplicit && cfg.SMTPPort == 587:
		l.problem(SeverityWarning, "SMTP_SECURITY", "is 1 (TLS from the start), but port 587 begins in the clear: use 2, or port 465")
	case s == SecuritySTARTTLS && cfg.SMTPPort == 465:
		l.problem(SeverityWarning, "SMTP_SECURITY", "is 2 (STARTTLS), but port 465 speaks TLS from the start: use 1, or port 587")
	}
}

func isHost(s string) bool {
	_, err := netip.ParseAddr(s)
	isName := len(s) <= 253 && hostShape.Get().MatchString(s)
	return err == nil || isName
}

func (l *loader) checkLocal(ctx context.Context, cfg *Config) {
	if l.good("CA_FILE") {
		data, err := ownfile.ReadTrusted(ctx, cfg.CAFile, maxCAFile)
		if err != nil {
			l.problem(SeverityError, "CA_FILE", "cannot be read: "+ownfile.Reason(err))
		} else if cfg.ownCAs, err = certfile.Read(data); err != nil {
			l.problem(SeverityError, "CA_FILE", err.Error())
		}
	}
	if l.good("PROXY") {
		l.checkProxy(cfg)
	}
	if name := cfg.EHLOName; l.good("EHLO_NAME") && !hostShape.Get().MatchString(name) && !ehloLiteral.Get().MatchString(name) {
		l.problem(SeverityError, "EHLO_NAME", "is neither a host name nor an address in brackets (RFC 5321 4.1.3)")
	}
	if l.good("DEFAULT_DOMAIN") && !domainShape.Get().MatchString(cfg.DefaultDomain) {
		l.problem(SeverityError, "DEFAULT_DOMAIN", "is not a domain such as contoso.example")
	}
	if seconds := cfg.OfficeTokenGraceTimeInSeconds; seconds < 0 || seconds > 86400 {
		l.problem(SeverityError, "OFFICE_TOKEN_GRACE_TIME_IN_SECONDS", "is not between 0 and 86400")
	}
}

func (l *loader) checkProxy(cfg *Config) {
	u, err := url.Parse(cfg.Proxy.Reveal())
	switch {
	case err != nil && userInfo.Get().MatchString(cfg.Proxy.Reveal()):
		l.problem(SeverityError, "PROXY", "is not a URL: its user or password has a character that is written as % and two digits: @ is %40, : is %3A, / is %2F, % is %25, "+
			`a backslash is %5C, so that CONTOSO\user is CONTOSO%5Cuser`)
	case err != nil || u.Host == "" || u.Hostname() == "":
		l.problem(SeverityError, "PROXY", "is not a URL such as http://proxy.contoso.example:3128")
	case u.Scheme != "http" && u.Scheme != "https" && u.Scheme != "socks5":
		l.problem(SeverityError, "PROXY", "has a scheme that is not one of http, https, socks5")
	case strings.Trim(u.Path, "/") != "" || u.RawQuery != "" || u.Fragment != "":
		l.problem(SeverityError, "PROXY", "has more than scheme, user, host and port")
	}
}
