package main

import (
	"context"
	"strings"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/message"
)

// addresses fills in who writes to whom, beside what a template has said. The
// mailbox follows From unless a flag or SMTP_USER_NAME names another.
func (s *sendFlags) addresses(ctx context.Context, d *message.Draft, cfg *config.Config) error {
	from, err := s.sender(cfg)
	if err != nil {
		return err
	}
	if s.from != "" || d.From.IsZero() {
		d.From = from
	}
	if d.From.IsZero() {
		return exit.Usagef("no From address: use --from, or set %sMAIL_SENDER", config.Prefix)
	}
	mailbox, err := s.submitter(cfg)
	if err != nil {
		return err
	}
	if s.mailbox != "" || d.Mailbox.IsZero() {
		d.Mailbox = mailbox
	}
	for _, list := range s.recipientLists() {
		parsed, err := list.parse(ctx, s.texts)
		if err != nil {
			return err
		}
		target := map[string]*[]address.Address{"--to": &d.To, "--cc": &d.Cc, "--bcc": &d.Bcc, "--reply-to": &d.ReplyTo}[list.flag]
		*target = append(*target, parsed...)
	}
	if len(d.To)+len(d.Cc)+len(d.Bcc) == 0 {
		return errNoRecipient()
	}
	return nil
}

func errNoRecipient() error {
	return exit.Usagef("no recipient: use --to, --cc or --bcc, or name them as arguments")
}

// sender is the address in From, zero when neither a flag nor a setting has
// one.
func (s *sendFlags) sender(cfg *config.Config) (address.Address, error) {
	if s.from != "" {
		return address.Parse("--from", s.from)
	}
	if cfg.MailSender != "" {
		return address.Parse(config.Prefix+"MAIL_SENDER", cfg.MailSender)
	}
	return address.Address{}, nil
}

// submitter is the mailbox to submit as, zero when it follows From, as it does
// where a user signs in by a plain name.
func (s *sendFlags) submitter(cfg *config.Config) (address.Address, error) {
	if s.mailbox != "" {
		return address.Parse("--mailbox", s.mailbox)
	}
	if cfg.SMTPUserName != "" && cfg.PlainUser() == "" {
		return address.Parse(config.Prefix+"SMTP_USER_NAME", cfg.SMTPUserName)
	}
	return address.Address{}, nil
}

// addressList is what one flag and its file have.
type addressList struct {
	flag   string
	values []string
	files  []string
}

func (s *sendFlags) recipientLists() []addressList {
	return []addressList{
		{"--to", s.to, s.toFile}, {"--cc", s.cc, s.ccFile}, {"--bcc", s.bcc, s.bccFile}, {"--reply-to", s.replyTo, nil},
	}
}

// parse reads the addresses; those of a file stand one a line, and what is
// wrong is said with the file's name.
func (l addressList) parse(ctx context.Context, t *texts) ([]address.Address, error) {
	var all []address.Address
	for _, value := range l.values {
		if file, ok := strings.CutPrefix(value, "@"); ok && l.flag != "--reply-to" { // as curl has it
			return nil, exit.Usagef("%s %q: a file with addresses is given by %s-file %s", l.flag, value, l.flag, file)
		}
		parsed, err := address.ParseList(l.flag, value)
		if err != nil {
			return nil, err
		}
		all = append(all, parsed...)
	}
	for _, file := range l.files {
		text, err := t.read(ctx, l.flag+"-file", file, limits.AddressList)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(text) {
			line = strings.TrimSpace(line)
			if line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			parsed, err := address.ParseList(l.flag+"-file "+file, line)
			if err != nil {
				return nil, err
			}
			if all = append(all, parsed...); len(all) > limits.Addresses {
				return nil, exit.Usagef("%s-file %s: more than %d addresses", l.flag, file, limits.Addresses)
			}
		}
	}
	return all, nil
}
