package account

import (
	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/config"
)

// Sender is the address in From: that of value, where it is not empty, else the
// settings'; zero when neither has one. The error is a *badinput.FieldError whose
// field is by, which is what gave the value, or the setting.
func Sender(cfg *config.Config, by, value string) (address.Address, error) {
	switch {
	case value != "":
		return address.Parse(by, value)
	case cfg.MailSender != "":
		return address.Parse(config.Prefix+"MAIL_SENDER", cfg.MailSender)
	}
	return address.Address{}, nil
}

// Mailbox is the mailbox to submit as: that of value, where it is not empty, else the
// settings'; zero when neither names one and it follows From, as it does where a user
// signs in by a plain name. Errors are as those of Sender.
func Mailbox(cfg *config.Config, by, value string) (address.Address, error) {
	switch {
	case value != "":
		return address.Parse(by, value)
	case cfg.SMTPUserName != "" && cfg.PlainUser() == "":
		return address.Parse(config.Prefix+"SMTP_USER_NAME", cfg.SMTPUserName)
	}
	return address.Address{}, nil
}
