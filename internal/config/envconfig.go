package config

import (
	"crypto/rand"
	"errors"
	"os"
	"strconv"
	"strings"

	"github.com/kelseyhightower/envconfig"

	"github.com/smtpsend/smtpsend/internal/exchange"
	"github.com/smtpsend/smtpsend/internal/setting"
	"github.com/smtpsend/smtpsend/internal/setting/choice"
)

// defaults returns the table's defaults as envconfig would parse them. That would take
// a hundredth of what one send computes, at every start.
func defaults() *Config {
	return &Config{
		Service: choice.ServiceExchange, MailServer: exchange.SMTPHost, SMTPPort: 587, SMTPSecurity: choice.SecuritySTARTTLS, SMTPAuthenticating: choice.AuthenticationOAuth,
		OfficeTokenEndpoint: endpointAt("https://" + exchange.Authority), OfficeAccessScopes: choice.Scopes{exchange.Worldwide.Scope()},
		OfficeTokenGraceTimeInSeconds: 30,

		Cloud: CloudPublic, IPFamily: choice.IPAny, Reencode: choice.ReencodeAlways,
		Queue: choice.QueueNever, InDoubt: choice.InDoubtResend,
		MessagesPerMinute: exchange.MessagesPerMinute, RecipientsPerDay: exchange.RecipientsPerDay, TimeScale: 1,
	}
}

// fill puts the values that were given into cfg, which has the defaults. envconfig
// parses switches and words. It reads the process's environment only, while our values
// also come from flags, files and other variables, so they are lent to it under a prefix
// that nothing else can have. envconfig stops at the first value that it cannot parse:
// that one is taken away and the rest tried again, so that every problem is found. It
// finds a field by its name in capitals, so the underscores of the setting's go: to put
// them into the name it would take 90 searches by regular expressions, a twentieth of
// what one send computes.
func fill(cfg *Config, found *findings) {
	prefix := rand.Text()[:12]      // letters and digits; short, because envconfig writes it for each field
	lent := make(map[string]string) // names of settings
	texts, numbers := cfg.texts(), cfg.numbers()
	for _, s := range setting.All() {
		e, ok := found.values[s.Name]
		hasOwnWay := s.Secret || s.Command || s.Name == "PROXY" || ofChoice(s.Name)
		if !ok || e.isDefault(s) || hasOwnWay {
			continue
		}
		if found.bad[s.Name] {
			e = entry{} // the checks of other settings shall not take the default for what was meant
		}
		if text := texts[s.Name]; text != nil {
			*text = e.text.Reveal()
			continue
		}
		if number := numbers[s.Name]; number != nil {
			*number, _ = strconv.Atoi(e.text.Reveal()) // which wellFormed has looked at
			continue
		}
		if found.bad[s.Name] {
			continue
		}
		key := prefix + "_" + strings.ReplaceAll(s.Name, "_", "")
		lent[key] = s.Name
		if err := os.Setenv(key, e.text.Reveal()); err != nil {
			found.problem(SeverityError, s.Name, "cannot be an environment variable")
			continue
		}
		defer os.Unsetenv(key)
	}
	for len(lent) > 0 {
		err := envconfig.Process(prefix, cfg)
		var parse *envconfig.ParseError
		if !errors.As(err, &parse) {
			break
		}
		found.problem(SeverityError, lent[parse.KeyName], parseReason(parse))
		if os.Unsetenv(parse.KeyName) != nil {
			break
		}
	}
	cfg.Proxy = found.values["PROXY"].text
}

// parseReason says why a value was refused. Only the errors of our own types
// are quoted: the others hold the value.
func parseReason(e *envconfig.ParseError) string {
	var number *strconv.NumError
	if errors.As(e.Err, &number) {
		return "is neither 0 nor 1"
	}
	return e.Err.Error()
}
