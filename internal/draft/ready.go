package draft

import (
	"context"
	"errors"
	"fmt"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/readymessage"
)

// ready makes a mail object of a message that another program composed: its
// octets go out as they are, but for Bcc fields, which are removed, and for a
// From, Date or Message-ID that is missing. Recipients are those of the options,
// else those of the header.
func (c *Composer) ready(ctx context.Context) (made *Made, err error) {
	raw, err := c.openMessage(ctx)
	if err != nil {
		return nil, err
	}
	defer func() {
		if err != nil {
			_ = raw.Close()
		}
	}()
	author, missing, err := c.author(raw)
	if err != nil {
		return nil, err
	}
	mailbox, err := c.submitter()
	if err != nil {
		return nil, err
	}
	if mailbox.IsZero() {
		mailbox = author
	}
	recipients, err := c.readyRecipients(ctx, raw)
	if err != nil {
		return nil, err
	}
	changes := readymessage.Changes{From: missing, ForceFrom: c.o.From != ""}
	m, err := raw.Mail(mailbox, recipients, mailobject.DSN{}, changes)
	if err != nil {
		return nil, &RefusedError{err}
	}
	return &Made{Mail: m, From: author.Addr(), Size: message.SizeReport{Encoded: m.Content.Size()}, o: &c.o}, nil
}

func (c *Composer) openMessage(ctx context.Context) (*readymessage.Message, error) {
	o := readymessage.Options{Reencode: readymessage.Reencode(c.cfg.Reencode)}
	if c.o.Message == "-" {
		c.env.Reading("the message")
		raw, err := readymessage.Read(ctx, c.env.Stdin, o)
		return raw, c.inMessage(err)
	}
	raw, err := readymessage.Open(ctx, c.o.Message, o)
	return raw, c.inMessage(err)
}

// inMessage names the field that gave the message before what is wrong in it.
func (c *Composer) inMessage(err error) error {
	name := c.o.name("message")
	if field, ok := errors.AsType[*badinput.FieldError](err); ok && field.Field == "message" {
		return &badinput.FieldError{Field: name, Value: c.o.Message, Reason: field.Reason, Err: field.Err}
	}
	if _, ok := errors.AsType[*badinput.FileError](err); ok {
		return fmt.Errorf("%s: %w", name, err)
	}
	if err != nil {
		return fmt.Errorf("%s %q: %w", name, c.o.Message, err)
	}
	return nil
}

// author is who the message is from, and what goes into From when the options say
// so or the message has none.
func (c *Composer) author(raw *readymessage.Message) (author, missing address.Address, err error) {
	if missing, err = c.sender(); err != nil {
		return author, missing, err
	}
	if c.o.From != "" {
		return missing, missing, nil
	}
	list, err := raw.From()
	if err != nil {
		return author, missing, c.inMessage(err)
	}
	if len(list) > 0 && list[0].Domain() != "" {
		return list[0], missing, nil
	}
	if missing.IsZero() {
		return author, missing, exit.With(exit.Usage, fmt.Errorf("the message has %w", ErrNoFrom))
	}
	return missing, missing, nil
}

// readyRecipients are those of the options, else those of the header.
func (c *Composer) readyRecipients(ctx context.Context, raw *readymessage.Message) (recipients []address.Address, err error) {
	for _, list := range c.o.addressLists() {
		parsed, err := c.parse(ctx, list)
		if err != nil {
			return nil, err
		}
		recipients = append(recipients, parsed...)
	}
	if len(recipients) == 0 {
		if recipients, err = raw.Recipients(); err != nil {
			return nil, c.inMessage(err)
		}
	}
	if len(recipients) == 0 {
		return nil, exit.With(exit.Usage, ErrNoRecipient)
	}
	return recipients, nil
}
