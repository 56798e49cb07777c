// Package draft composes one message of what a command line and the settings say:
// texts of files and standard input, addresses, a template with its data, files to
// send along; or it takes a ready message. It goes so:
//
//  1. Options.Check refuses what contradicts itself, before anything is read.
//  2. Composer.Compose reads everything and makes the mail object.
//  3. Made.Keep writes the message, and a page that shows it, where Options say.
//
// Errors are *badinput.FieldError, *badinput.FileError and those of mailtemplate, or
// have an exit code (internal/exit). A *RefusedError is about the finished draft.
package draft

import (
	"context"
	"errors"
	"io"
	"path/filepath"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/account"
	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/attach"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/mailtemplate"
	"github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/textfile"
)

// ErrEmpty says that Options.SkipEmpty found nothing to submit.
var ErrEmpty = errors.New("the body is empty")

// The reasons why a message has no envelope. Callers add what gives the addresses.
var (
	ErrNoRecipient = errors.New("no recipient")
	ErrNoFrom      = errors.New("no From address")
)

// RefusedError is what cannot be sent of a finished draft, or of a ready message. Its
// cause may be a *badinput.FieldError that names the field of the message, such as To,
// whichever value filled it.
type RefusedError struct{ Err error }

// Error is the text of Err.
func (e *RefusedError) Error() string { return e.Err.Error() }

// Unwrap returns Err.
func (e *RefusedError) Unwrap() error { return e.Err }

// Environment is what composing has around it.
type Environment struct {
	Stdin  io.Reader // nil: standard input is not taken
	Budget *Budget
	// Warn gets what is allowed and perhaps not meant.
	Warn func(format string, args ...any)
	// Reading is told what of the message is now read from standard input.
	Reading func(what string)
}

// Composer composes the message of its options. It is for one goroutine. Close it
// after the message was submitted.
type Composer struct {
	o       Options
	env     Environment
	cfg     *config.Config
	texts   textfile.Reader
	files   attach.Finder
	readyAt time.Time
}

// New makes a composer. It refuses a charset or a time that is not one.
func New(o Options, env Environment) (*Composer, error) {
	c := &Composer{o: o, env: env, texts: textfile.Reader{Stdin: env.Stdin, CharsetBy: o.name("charset"), Warn: env.Warn}}
	if err := c.texts.ParseCharset(o.Charset); err != nil {
		return nil, err
	}
	c.files = attach.Finder{
		Stdin: env.Stdin, Reading: func() { env.Reading("the attachment") }, Limited: env.Budget.Run, Warn: env.Warn,
		AttachBy: o.name("attach"), InlineBy: o.name("inline"),
	}
	if o.At == "" {
		return c, nil
	}
	var err error
	c.readyAt, err = mailtemplate.ParseTime(o.name("at"), o.At)
	return c, err
}

// Close removes the copies of what came by pipes.
func (c *Composer) Close() { c.files.Close() }

// ReadyAt is the time to submit at, of Options or of the template that was filled in;
// zero for none.
func (c *Composer) ReadyAt() time.Time { return c.readyAt }

// Attached reports whether Options.Attach has named the file of that path.
func (c *Composer) Attached(path string) bool { return c.files.Found(path) }

// Compose makes the mail object, by what settings say beside the options.
func (c *Composer) Compose(ctx context.Context, cfg *config.Config) (*Made, error) {
	c.cfg = cfg
	if c.o.Message != "" {
		return c.ready(ctx)
	}
	d, err := c.draft(ctx)
	if err != nil {
		return nil, err
	}
	if c.o.SkipEmpty && strings.TrimSpace(d.Text+d.HTML+d.Markdown) == "" && len(d.Attachments) == 0 {
		return nil, ErrEmpty
	}
	var m *message.Composed
	err = c.env.Budget.Run(ctx, func(ctx context.Context) error {
		m, err = message.Compose(ctx, d)
		return err
	})
	if err != nil {
		return nil, &RefusedError{err}
	}
	return &Made{Mail: m.Mail, From: d.From.Addr(), Size: m.SizeReport(), Composed: m, draft: d, o: &c.o}, nil
}

// draft makes of the options what message.Compose needs.
func (c *Composer) draft(ctx context.Context) (message.Draft, error) {
	var d message.Draft
	if err := c.content(ctx, &d); err != nil {
		return d, err
	}
	if err := c.addresses(ctx, &d); err != nil {
		return d, err
	}
	if c.o.Subject != "" || c.o.given("subject") {
		d.Subject = c.o.Subject
	}
	for _, h := range c.o.Header {
		field, err := ParseHeader(c.o.name("header"), h)
		if err != nil {
			return d, err
		}
		d.Headers = append(d.Headers, field)
	}
	if c.o.Priority != "" {
		d.Priority = message.Priority(c.o.Priority)
	}
	d.InReplyTo, d.References, d.ListUnsubscribe = c.o.InReplyTo, c.o.References, c.o.Unsubscribe
	return d, c.sendAlong(ctx, &d)
}

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

// ParseHeader takes "Name: value" apart. by is what gave it, for the error.
func ParseHeader(by, text string) (message.Header, error) {
	name, value, ok := strings.Cut(text, ":")
	if !ok {
		return message.Header{}, exit.Usagef("%s %q: write 'Name: value'", by, text)
	}
	return message.Header{Name: name, Value: strings.TrimSpace(value)}, nil
}

// sendAlong finds the files that are sent along.
func (c *Composer) sendAlong(ctx context.Context, d *message.Draft) error {
	for _, value := range c.o.Attach {
		files, err := c.files.Find(ctx, value)
		if err != nil {
			return err
		}
		d.Attachments = append(d.Attachments, files...)
	}
	for _, value := range c.o.Inline {
		in, err := c.files.Inline(ctx, value)
		if err != nil {
			return err
		}
		d.Inline = append(d.Inline, in)
	}
	if c.o.Embed {
		d.EmbedDir = "."
		for _, file := range []string{c.o.HTMLFile, c.o.MarkdownFile, c.o.Template} {
			if file != "" && file != "-" {
				d.EmbedDir = filepath.Dir(file)
			}
		}
	}
	return nil
}
