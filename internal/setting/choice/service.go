package choice

import (
	"strconv"

	"github.com/smtpsend/smtpsend/internal/exchange"
)

// Service is which submission service of Exchange Online is used. It sets the defaults of
// other settings.
type Service string

// The values of SERVICE.
const (
	ServiceExchange Service = "exchange"
	ServiceHVE      Service = "hve" // High Volume Email
)

// UnmarshalText takes the values in any case.
func (s *Service) UnmarshalText(text []byte) error {
	return choose(s, text, ServiceExchange, ServiceHVE)
}

// String, Set and Type make it a flag.
func (s *Service) String() string { return string(*s) }

// Set takes the values in any case.
func (s *Service) Set(text string) error { return s.UnmarshalText([]byte(text)) }

// Type is what help calls it.
func (s *Service) Type() string { return "service" }

// Default is what the service makes of an unset setting, by its name without the prefix.
func (s Service) Default(name string) (value string, ok bool) {
	if s != ServiceHVE {
		return "", false
	}
	switch name {
	case "MAIL_SERVER":
		return exchange.HVEHost, true
	case "OFFICE_TOKEN_GRACE_TIME_IN_SECONDS":
		return strconv.Itoa(exchange.HVETokenLife), true
	case "MESSAGES_PER_MINUTE", "RECIPIENTS_PER_DAY":
		return "0", true
	}
	return "", false
}

// Bounds are the least and the most that the limit of that name may be; 0 is no limit.
func (s Service) Bounds(name string) (least, most int) {
	switch {
	case s == ServiceHVE:
		return 0, exchange.Uncounted
	case name == "MESSAGES_PER_MINUTE":
		return 1, exchange.MessagesPerMinute
	}
	return 1, exchange.RecipientsPerDay
}

// RecipientsPerMessage is how many recipients go into one transaction.
func (s Service) RecipientsPerMessage() int {
	if s == ServiceHVE {
		return exchange.HVERecipientsPerMessage
	}
	return exchange.RecipientsPerMessage
}
