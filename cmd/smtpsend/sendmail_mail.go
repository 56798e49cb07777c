package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/aliases"
	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/mimetext"
	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/readymessage"
)

// systemAliases is where every other sendmail has them.
const systemAliases = "/etc/aliases"

// postmark makes an envelope of a message and of what the arguments, or the
// client of -bs, say. It turns local names such as root into addresses, because
// Exchange has none.
type postmark struct {
	cfg     *config.Config
	aliases *aliases.Map
	sender  address.Address // MAIL_SENDER, zero when unset
	host    ownHost
}

// newPostmark reads aliases and the sender's address. The system's aliases may
// be missing or unreadable, those of a setting may not.
func newPostmark(ctx context.Context, cfg *config.Config) (*postmark, error) {
	p := &postmark{cfg: cfg, aliases: &aliases.Map{}, host: newOwnHost(cfg)}
	if cfg.MailSender != "" {
		var err error
		if p.sender, err = address.Parse(config.Prefix+"MAIL_SENDER", cfg.MailSender); err != nil {
			return nil, exit.With(exit.Config, err)
		}
	}
	name, read := cfg.AliasesFile, ownfile.ReadTrusted
	if name == "" {
		name, read = systemAliases, ownfile.ReadAll
	}
	text, err := read(ctx, name, limits.Aliases)
	if cfg.AliasesFile == "" && (errors.Is(err, fs.ErrNotExist) || errors.Is(err, fs.ErrPermission)) {
		return p, nil
	}
	if err == nil {
		p.aliases, err = aliases.Read(bytes.NewReader(text))
	}
	if err != nil {
		return nil, exit.With(exit.Config, fmt.Errorf("aliases: %w", &badinput.FileError{Path: name, Err: err}))
	}
	return p, nil
}

// isLocal reports an address that only this host could know: one without a
// domain, at localhost, or at a name of this host.
func (p *postmark) isLocal(a address.Address) bool {
	return isBare(a) || p.host.has(a.Domain())
}

// isBare reports an address that no other host could make anything of.
func isBare(a address.Address) bool {
	switch strings.ToLower(a.Domain()) {
	case "", "localhost", "localhost.localdomain":
		return !a.IsZero()
	}
	return false
}

// resolve turns recipients into those that a server may know.
func (p *postmark) resolve(list []address.Address) ([]address.Address, error) {
	var known []address.Address
	expanded := map[address.Address]bool{} // an alias may be a thousand addresses
	for _, a := range list {
		if !p.isLocal(a) {
			known = append(known, a)
			continue
		}
		if expanded[a] {
			continue
		}
		expanded[a] = true
		some, err := p.expand(a)
		if err != nil {
			return nil, err
		}
		known = append(known, some...)
	}
	return known, nil
}

// expand is where the mail for a local name goes. One at this host's own name
// that would go nowhere is left as it stands: a server may know the host. The
// errors do not quote the file.
func (p *postmark) expand(a address.Address) ([]address.Address, error) {
	targets, err := p.aliases.Expand(a.Local())
	if err != nil {
		return nil, exit.With(exit.Data, err)
	}
	var known []address.Address
	for _, target := range targets {
		list, err := address.ParseLenient("alias", target)
		if err != nil || len(list) != 1 {
			return nil, &badinput.FieldError{Field: "alias", Value: a.Local(), Reason: "leads to something that is not an address"}
		}
		to := list[0]
		switch {
		case !isBare(to):
		case p.cfg.DefaultDomain != "":
			if to, err = to.At("alias", p.cfg.DefaultDomain); err != nil {
				return nil, err
			}
		case !isBare(a):
			return []address.Address{a}, nil
		default:
			return nil, &badinput.FieldError{Field: "recipient", Value: to.Local(),
				Reason: "has no domain and no alias: set " + config.Prefix + "DEFAULT_DOMAIN, or an alias in " + systemAliases}
		}
		known = append(known, to)
	}
	return known, nil
}

// letter is what is to be submitted, as somebody ordered it.
type letter struct {
	sender     string // reverse-path that was told; "" = none was, or the null one
	fullName   string // for a From that is missing or local
	readFrom   bool   // the reverse-path is the address in From
	recipients []address.Address
	dsn        mailobject.DSN
}

// stamped is a mail object with those who are behind it.
type stamped struct {
	*mailobject.Mail
	mailbox, from string
}

// stamp makes a mail object of raw. The mailbox is SMTP_USER_NAME, else the
// author's; the reverse-path is the mailbox unless another was told. The null one
// tells nothing: Exchange takes it from no client.
func (p *postmark) stamp(raw *readymessage.Message, l letter) (*stamped, error) {
	told, err := l.told()
	if err != nil {
		return nil, err
	}
	author, changes, err := p.author(raw, l, told)
	if err != nil {
		return nil, err
	}
	s := &stamped{mailbox: p.cfg.SMTPUserName, from: author.Addr()}
	if s.mailbox == "" || p.cfg.PlainUser() != "" {
		s.mailbox = author.Addr()
	}
	reversePath, err := p.reversePath(l, author, told)
	if err != nil {
		return nil, err
	}
	if s.Mail, err = raw.Mail(reversePath, l.recipients, l.dsn, changes); err != nil {
		return nil, err
	}
	if told := s.Envelope.ReversePath; told != s.mailbox {
		s.from = told // that is what Exchange will look at, too
	}
	return s, nil
}

// reversePath is that of a message from author: what was told, else the mailbox.
func (p *postmark) reversePath(l letter, author, told address.Address) (address.Address, error) {
	named := !told.IsZero() && !p.isLocal(told) // a local name, such as cron's root, tells nothing
	switch {
	case !p.cfg.ForceFrom && l.readFrom:
		return author, nil
	case !p.cfg.ForceFrom && named:
		return told, nil
	case p.cfg.SMTPUserName == "" || p.cfg.PlainUser() != "":
		return author, nil
	}
	return address.Parse(config.Prefix+"SMTP_USER_NAME", p.cfg.SMTPUserName)
}

// told is the address of -f, zero for none and for the null reverse-path.
func (l letter) told() (address.Address, error) {
	if strings.Trim(l.sender, "<> ") == "" {
		return address.Address{}, nil
	}
	list, err := address.ParseLenient("-f", l.sender)
	if err == nil && len(list) != 1 {
		err = &badinput.FieldError{Field: "-f", Value: l.sender, Reason: "must be one address"}
	}
	if err != nil {
		return address.Address{}, err
	}
	return list[0], nil
}

// author is who the message is from. A From that is missing, or that is a local
// name, becomes the address that was told, else MAIL_SENDER, else the name in
// the default domain; a display name is kept, so that readers see that it was
// root.
func (p *postmark) author(raw *readymessage.Message, l letter, told address.Address) (address.Address, readymessage.Changes, error) {
	now, err := p.readAuthor(raw)
	if name := onlyName(raw); err != nil && name != "" {
		now, err = address.Address{Name: name}, nil
	}
	if err != nil && strings.Contains(p.cfg.SMTPUserName, "@") && !p.cfg.ForceFrom && !l.readFrom && !severalAuthors(raw) {
		// The From cannot be read, but nothing depends on it: Exchange may judge.
		return address.Address{}, readymessage.Changes{}, nil
	}
	if err != nil && !p.cfg.ForceFrom {
		return now, readymessage.Changes{}, err
	}
	if !now.IsZero() && !p.isLocal(now) && !p.cfg.ForceFrom {
		return now, readymessage.Changes{}, nil
	}
	name := now.Name
	names := []string{l.fullName, now.Local()}
	if p.isLocal(told) {
		names = append(names, told.Local())
	}
	for _, other := range names {
		if name == "" {
			name = other
		}
	}
	for _, candidate := range p.candidates(now, told) {
		if candidate.IsZero() || p.isLocal(candidate) {
			continue
		}
		if name != "" {
			candidate.Name = name
		}
		return candidate, readymessage.Changes{From: candidate, ForceFrom: true}, nil
	}
	if !now.IsZero() && !isBare(now) && !p.cfg.ForceFrom {
		return now, readymessage.Changes{}, nil // a server that is not Exchange may know this host
	}
	what := "the message has no From address"
	switch {
	case p.cfg.ForceFrom:
		what = config.Prefix + "FORCE_FROM has no address for From"
	case !now.IsZero():
		what = fmt.Sprintf("From %q has no domain", now.Local())
	}
	return now, readymessage.Changes{}, exit.With(exit.Config, fmt.Errorf("%s: set %sMAIL_SENDER", what, config.Prefix))
}

// readAuthor is the first of those in From, zero when there is none. A local name
// beside others stays nobody's: completed, it would be the only author.
func (p *postmark) readAuthor(raw *readymessage.Message) (address.Address, error) {
	list, err := raw.From()
	if err != nil || len(list) == 0 {
		return address.Address{}, err
	}
	if i := slices.IndexFunc(list, p.isLocal); i >= 0 && len(list) > 1 {
		return address.Address{}, &badinput.FieldError{Field: "From", Value: list[i].Addr(), Reason: "a local name beside other authors"}
	}
	return list[0], nil
}

// severalAuthors reports a From that some reader might take for more than one,
// and so for somebody who did not write the message.
func severalAuthors(raw *readymessage.Message) bool {
	text, _ := raw.Field("From")
	return strings.ContainsAny(text, ",;")
}

// onlyName is a From that has a display name and forgot the address, as scripts
// write "From: Backup Server".
func onlyName(raw *readymessage.Message) string {
	text, _ := raw.Field("From")
	text = strings.Trim(text, `" `)
	if strings.ContainsAny(text, "@<>\"():") {
		return ""
	}
	return mimetext.CleanName(mimetext.DecodeWords(text))
}

func (p *postmark) candidates(now, told address.Address) []address.Address {
	if p.cfg.ForceFrom {
		return []address.Address{p.sender}
	}
	local := now
	for _, other := range []address.Address{told, now} {
		if !other.IsZero() {
			local = other
		}
	}
	if p.cfg.DefaultDomain != "" && !local.IsZero() {
		if completed, err := local.At("From", p.cfg.DefaultDomain); err == nil { // else it is too long
			local = completed
		}
	}
	return []address.Address{told, p.sender, local}
}
