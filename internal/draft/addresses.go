package draft

import (
	"context"
	"errors"
	"strings"

	"github.com/smtpsend/smtpsend/internal/account"
	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/message"
)

// The reasons why a message has no envelope. Callers add what gives the addresses.
var (
	ErrNoRecipient = errors.New("no recipient")
	ErrNoFrom      = errors.New("no From address")
)

// addresses fills in who writes to whom, beside what a template has said. The
// mailbox follows From unless a field or SMTP_USER_NAME names another.
func (c *Composer) addresses(ctx context.Context, d *message.Draft) error {
	from, err := c.sender()
	if err != nil {
		return err
	}
	if c.o.From != "" || d.From.IsZero() {
		d.From = from
	}
	if d.From.IsZero() {
		return exit.With(exit.Usage, ErrNoFrom)
	}
	mailbox, err := c.submitter()
	if err != nil {
		return err
	}
	if c.o.Mailbox != "" || d.Mailbox.IsZero() {
		d.Mailbox = mailbox
	}
	for _, list := range c.o.addressLists() {
		parsed, err := c.parse(ctx, list)
		if err != nil {
			return err
		}
		target := map[string]*[]address.Address{"to": &d.To, "cc": &d.Cc, "bcc": &d.Bcc, "reply-to": &d.ReplyTo}[list.field]
		*target = append(*target, parsed...)
	}
	if len(d.To)+len(d.Cc)+len(d.Bcc) == 0 {
		return exit.With(exit.Usage, ErrNoRecipient)
	}
	return nil
}

func (c *Composer) sender() (address.Address, error) {
	return account.Sender(c.cfg, c.o.name("from"), c.o.From)
}

func (c *Composer) submitter() (address.Address, error) {
	return account.Mailbox(c.cfg, c.o.name("mailbox"), c.o.Mailbox)
}

// addressList is what one field and its files have.
type addressList struct {
	field  string
	values []string
	files  []string
}

func (o *Options) addressLists() []addressList {
	return []addressList{
		{"to", o.To, o.ToFile}, {"cc", o.Cc, o.CcFile}, {"bcc", o.Bcc, o.BccFile}, {"reply-to", o.ReplyTo, nil},
	}
}

// parse reads the addresses; those of a file are one a line, and errors have the
// file's name.
func (c *Composer) parse(ctx context.Context, l addressList) (all []address.Address, err error) {
	name, fromFile := c.o.name(l.field), c.o.name(l.field+"-file")
	for _, value := range l.values {
		if file, ok := strings.CutPrefix(value, "@"); ok && l.field != "reply-to" { // as curl has it
			return nil, exit.Usagef("%s %q: a file with addresses is given by %s %s", name, value, fromFile, file)
		}
		parsed, err := address.ParseList(name, value)
		if err != nil {
			return nil, err
		}
		all = append(all, parsed...)
	}
	for _, file := range l.files {
		text, err := c.texts.Read(ctx, fromFile, file, limits.AddressList)
		if err != nil {
			return nil, err
		}
		for line := range strings.Lines(text) {
			line = strings.TrimSpace(line)
			if line == "" || strings.HasPrefix(line, "#") {
				continue
			}
			parsed, err := address.ParseList(fromFile+" "+file, line)
			if err != nil {
				return nil, err
			}
			if all = append(all, parsed...); len(all) > limits.Addresses {
				return nil, exit.Usagef("%s %s: more than %d addresses", fromFile, file, limits.Addresses)
			}
		}
	}
	return all, nil
}
