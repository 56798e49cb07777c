package main

import (
	"errors"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/message"
)

// ready makes a mail object of a message that somebody else composed: its
// octets go out as they are, but for Bcc fields, which are removed, and for a
// From, Date or Message-ID that is missing. Recipients are those of the flags,
// else those of the header.
func (s *sendFlags) ready(g *globals, cfg *config.Config) (m *message.Mail, from string, err error) {
	raw, err := s.openMessage(g)
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
	envelope, err := s.readyEnvelope(raw, cfg, author)
	if err != nil {
		return nil, "", err
	}
	if m, err = raw.Mail(envelope, message.RawChanges{From: missing, ForceFrom: s.from != ""}); err != nil {
		return nil, "", asFlags(err)
	}
	if err = s.saveMail(m); err != nil {
		return nil, "", errors.Join(err, m.Close())
	}
	return m, author.Addr(), nil
}

func (s *sendFlags) openMessage(g *globals) (*message.Raw, error) {
	if s.message == "-" {
		g.askFor("the message")
		return message.ReadRaw(g.stdin, message.RawOptions{})
	}
	return message.OpenRaw(s.message, message.RawOptions{})
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
		return author, missing, err
	}
	if len(list) > 0 && list[0].Domain != "" {
		return list[0], missing, nil
	}
	if missing.IsZero() {
		return author, missing, usagef("the message has no From address: use --from, or set %sMAIL_SENDER", config.Prefix)
	}
	return missing, missing, nil
}

func (s *sendFlags) readyEnvelope(raw *message.Raw, cfg *config.Config, author message.Address) (message.Envelope, error) {
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
		parsed, err := list.parse()
		if err != nil {
			return e, err
		}
		recipients = append(recipients, parsed...)
	}
	if len(recipients) == 0 {
		if recipients, err = raw.Recipients(); err != nil {
			return e, err
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
