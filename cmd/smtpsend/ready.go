package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/readymessage"
)

// ready makes a mail object of a message that another program composed: its
// octets go out as they are, but for Bcc fields, which are removed, and for a
// From, Date or Message-ID that is missing. Recipients are those of the flags,
// else those of the header.
func (s *sendFlags) ready(ctx context.Context, g *globals, cfg *config.Config, given func(string) bool) (m *mailobject.Mail, from string, err error) {
	raw, err := s.openMessage(ctx, g, cfg)
	if err != nil {
		return nil, "", err
	}
	defer func() {
		if err != nil {
			_ = raw.Close()
		}
	}()
	author, missing, err := s.author(raw, cfg)
	if err != nil {
		return nil, "", err
	}
	mailbox, err := s.submitter(cfg)
	if err != nil {
		return nil, "", err
	}
	if mailbox.IsZero() {
		mailbox = author
	}
	recipients, err := s.readyRecipients(ctx, raw)
	if err != nil {
		return nil, "", err
	}
	changes := readymessage.Changes{From: missing, ForceFrom: s.from != ""}
	if m, err = raw.Mail(mailbox, recipients, mailobject.DSN{}, changes); err != nil {
		return nil, "", s.asFlags(err, given)
	}
	g.sizeDoubt(message.SizeReport{Encoded: m.Content.Size()})
	if err = s.saveMail(ctx, m); err != nil {
		return nil, "", errors.Join(err, m.Close())
	}
	return m, author.Addr(), nil
}

func (s *sendFlags) openMessage(ctx context.Context, g *globals, cfg *config.Config) (*readymessage.Message, error) {
	o := readymessage.Options{Reencode: readymessage.Reencode(cfg.Reencode)}
	if s.message == "-" {
		g.Reading("the message", g.stdin)
		raw, err := readymessage.Read(ctx, g.stdin, o)
		return raw, s.inMessage(err)
	}
	raw, err := readymessage.Open(ctx, s.message, o)
	return raw, s.inMessage(err)
}

// inMessage names the flag before what is wrong in the message.
func (s *sendFlags) inMessage(err error) error {
	if field, ok := errors.AsType[*badinput.FieldError](err); ok && field.Field == "message" {
		return &badinput.FieldError{Field: "--message", Value: s.message, Reason: field.Reason, Err: field.Err}
	}
	if _, ok := errors.AsType[*badinput.FileError](err); ok {
		return ofFlag("--message", err)
	}
	if err != nil {
		return fmt.Errorf("--message %q: %w", s.message, err)
	}
	return nil
}

// author is who the message is from, and what goes into From when --from says
// so or the message has none.
func (s *sendFlags) author(raw *readymessage.Message, cfg *config.Config) (author, missing address.Address, err error) {
	if missing, err = s.sender(cfg); err != nil {
		return author, missing, err
	}
	if s.from != "" {
		return missing, missing, nil
	}
	list, err := raw.From()
	if err != nil {
		return author, missing, s.inMessage(err)
	}
	if len(list) > 0 && list[0].Domain() != "" {
		return list[0], missing, nil
	}
	if missing.IsZero() {
		return author, missing, exit.Usagef("the message has no From address: use --from, or set %sMAIL_SENDER", config.Prefix)
	}
	return missing, missing, nil
}

// readyRecipients are those of the flags, else those of the header.
func (s *sendFlags) readyRecipients(ctx context.Context, raw *readymessage.Message) (recipients []address.Address, err error) {
	for _, list := range s.recipientLists() {
		parsed, err := list.parse(ctx, s.texts)
		if err != nil {
			return nil, err
		}
		recipients = append(recipients, parsed...)
	}
	if len(recipients) == 0 {
		if recipients, err = raw.Recipients(); err != nil {
			return nil, s.inMessage(err)
		}
	}
	if len(recipients) == 0 {
		return nil, errNoRecipient()
	}
	return recipients, nil
}
