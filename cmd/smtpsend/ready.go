package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/message"
)

// ready makes a mail object of a message that somebody else composed: its
// octets go out as they are, but for Bcc fields, which are removed, and for a
// From, Date or Message-ID that is missing. Recipients are those of the flags,
// else those of the header.
func (s *sendFlags) ready(ctx context.Context, g *globals, cfg *config.Config, given func(string) bool) (m *message.Mail, from string, err error) {
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
	envelope, err := s.readyEnvelope(ctx, raw, cfg, author)
	if err != nil {
		return nil, "", err
	}
	if m, err = raw.Mail(envelope, message.RawChanges{From: missing, ForceFrom: s.from != ""}); err != nil {
		return nil, "", s.asFlags(err, given)
	}
	g.doubts(m)
	if err = s.saveMail(ctx, m); err != nil {
		return nil, "", errors.Join(err, m.Close())
	}
	return m, author.Addr(), nil
}

func (s *sendFlags) openMessage(ctx context.Context, g *globals, cfg *config.Config) (*message.Raw, error) {
	o := message.RawOptions{Reencode: message.Reencode(cfg.Reencode)}
	if s.message == "-" {
		g.Reading("the message", g.stdin)
		raw, err := message.ReadRaw(ctx, g.stdin, o)
		return raw, s.inMessage(err)
	}
	raw, err := message.OpenRaw(ctx, s.message, o)
	return raw, s.inMessage(err)
}

// inMessage names the flag before what is wrong in the message.
func (s *sendFlags) inMessage(err error) error {
	if field, ok := errors.AsType[*message.FieldError](err); ok && field.Field == "message" {
		return &message.FieldError{Field: "--message", Value: s.message, Reason: field.Reason}
	}
	if _, ok := errors.AsType[*message.FileError](err); ok {
		return ofFlag("--message", err)
	}
	if err != nil {
		return fmt.Errorf("--message %q: %w", s.message, err)
	}
	return nil
}

// author is who the message is from, and what goes into From when --from says
// so or the message has none.
func (s *sendFlags) author(raw *message.Raw, cfg *config.Config) (author, missing message.Address, err error) {
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
	if len(list) > 0 && list[0].Domain != "" {
		return list[0], missing, nil
	}
	if missing.IsZero() {
		return author, missing, exit.Usagef("the message has no From address: use --from, or set %sMAIL_SENDER", config.Prefix)
	}
	return missing, missing, nil
}

func (s *sendFlags) readyEnvelope(ctx context.Context, raw *message.Raw, cfg *config.Config, author message.Address) (message.Envelope, error) {
	var e message.Envelope
	mailbox, err := s.submitter(cfg)
	if err != nil {
		return e, err
	}
	if mailbox.IsZero() {
		mailbox = author
	}
	e.ReversePath = mailbox.Addr()
	var recipients []message.Address
	for _, list := range s.recipientLists() {
		parsed, err := list.parse(ctx, s.texts)
		if err != nil {
			return e, err
		}
		recipients = append(recipients, parsed...)
	}
	if len(recipients) == 0 {
		if recipients, err = raw.Recipients(); err != nil {
			return e, s.inMessage(err)
		}
	}
	for _, a := range recipients {
		e.ForwardPaths = append(e.ForwardPaths, a.Addr())
	}
	if len(e.ForwardPaths) == 0 {
		return e, errNoRecipient()
	}
	return e, nil
}
