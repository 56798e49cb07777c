package account

import (
	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/config"
)

// Sender is the address for From that the settings have, zero when they have none.
// The error is a *badinput.FieldError that names the setting.
func Sender(cfg *config.Config) (address.Address, error) {
	if cfg.MailSender == "" {
		return address.Address{}, nil
	}
	return address.Parse(config.Prefix+"MAIL_SENDER", cfg.MailSender)
}

// Mailbox is the mailbox to submit as that the settings name, zero when they name
// none and it follows From: so also where a user signs in by a plain name. The error
// is a *badinput.FieldError that names the setting.
func Mailbox(cfg *config.Config) (address.Address, error) {
	if cfg.SMTPUserName == "" || cfg.PlainUser() != "" {
		return address.Address{}, nil
	}
	return address.Parse(config.Prefix+"SMTP_USER_NAME", cfg.SMTPUserName)
}
