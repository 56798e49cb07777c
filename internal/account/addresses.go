package account

import (
	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/badinput"
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

// Envelope is who submits a ready message, and who gets it.
type Envelope struct {
	Author     address.Address // for a message without From; who signs in, unless the settings name a mailbox
	Mailbox    address.Address
	Recipients []address.Address
}

// NewEnvelope is the envelope from an author ("": that of the settings) to the
// recipients. Errors are *badinput.FieldError, of "from" and "to", and those of Sender
// and Mailbox.
func NewEnvelope(cfg *config.Config, from string, to []string) (e Envelope, err error) {
	if e.Author, err = Sender(cfg, "from", from); err != nil {
		return e, err
	}
	if e.Mailbox, err = Mailbox(cfg, "", ""); err != nil {
		return e, err
	}
	if e.Mailbox.IsZero() {
		e.Mailbox = e.Author
	}
	if e.Mailbox.IsZero() {
		return e, badinput.Field("from", "", "missing, and the settings name none")
	}
	e.Recipients, err = address.ParseEach("to", to)
	return e, err
}
