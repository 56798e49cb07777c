package batch

import (
	"context"
	"errors"
	"slices"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/account"
	"github.com/smtpsend/smtpsend/internal/attach"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/draft"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/mailtemplate"
	"github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/rows"
	"github.com/smtpsend/smtpsend/internal/textfile"
)

// Plan says how a row becomes a message.
type Plan struct {
	Template *mailtemplate.Template
	Base     message.Draft // what every message has: From, Mailbox, ...

	Attachments []message.Attachment // of every message, after those of the template
}

// Draft fills in the template for one row and returns when the message is to be
// submitted (zero: at once). The error is *badinput.FieldError, or the cause of
// ctx, with which filling in ends.
func (p Plan) Draft(ctx context.Context, row rows.Row) (message.Draft, time.Time, error) {
	d := p.draft()
	if err := p.Template.Fill(ctx, &d, row.Data); err != nil {
		return d, time.Time{}, err
	}
	d.Attachments = append(d.Attachments, p.Attachments...)
	at, err := p.Template.At(ctx, row.Data)
	return d, at, err
}

// draft is what a row is filled into.
func (p Plan) draft() message.Draft {
	d := p.Base
	// Appending to the base's lists would share their memory among rows.
	d.To, d.Cc, d.Bcc = slices.Clip(d.To), slices.Clip(d.Cc), slices.Clip(d.Bcc)
	d.ReplyTo, d.Headers, d.Attachments = slices.Clip(d.ReplyTo), slices.Clip(d.Headers), slices.Clip(d.Attachments)
	return d
}

// ErrNoBody says that a batch has no text at all.
var ErrNoBody = errors.New("no body")

// Options are what the messages of a batch are made of. Texts are templates, which
// each row fills in.
type Options struct {
	Template                         string // a file
	Subject, From, Mailbox, At       string // over those of Template
	To, Cc, Bcc                      []string
	Attach, Header                   []string
	TextFile, HTMLFile, MarkdownFile string
	AttachDir                        string // of the files that templates and rows name; "": the template's
	// Name is what the caller calls a field, such as --text-file for "text-file".
	// Errors and warnings have it.
	Name func(field string) string
}

// IsTemplate reports a text that depends on the row.
func IsTemplate(text string) bool { return strings.Contains(text, "{{") }

// Plan reads the template, and finds the files that all rows have.
func (o *Options) Plan(ctx context.Context, cfg *config.Config, texts *textfile.Reader, found *attach.Finder) (Plan, error) {
	source, name, err := o.source(ctx, texts)
	if err != nil {
		return Plan{}, err
	}
	if len(source.To)+len(source.Cc)+len(source.Bcc) == 0 {
		source.To = mailtemplate.List{"{{.email}}"}
	}
	if source.Text == "" && source.HTML == "" && source.Markdown == "" {
		return Plan{}, exit.With(exit.Usage, ErrNoBody)
	}
	compiled, err := mailtemplate.Compile(name, source)
	if err != nil {
		return Plan{}, err
	}
	var base message.Draft
	if base.From, err = account.Sender(cfg, "", ""); err != nil {
		return Plan{}, err
	}
	if base.From.IsZero() && source.From == "" {
		return Plan{}, exit.With(exit.Usage, draft.ErrNoFrom)
	}
	if base.Mailbox, err = account.Mailbox(cfg, "", ""); err != nil {
		return Plan{}, err
	}
	files, err := o.literal(ctx, found)
	return Plan{Template: compiled, Base: base, Attachments: files}, err
}

// source is the template file with the options laid over it.
func (o *Options) source(ctx context.Context, texts *textfile.Reader) (s mailtemplate.Source, name string, err error) {
	name = "flags"
	if o.Template != "" {
		name = o.Template
		text, err := texts.Read(ctx, o.Name("template"), o.Template, limits.TemplateSource)
		if err != nil {
			return s, name, err
		}
		if s, err = mailtemplate.ParseSource(o.Template, text); err != nil {
			return s, name, err
		}
	}
	for _, over := range []struct {
		value  string
		target *string
	}{{o.Subject, &s.Subject}, {o.From, &s.From}, {o.Mailbox, &s.Mailbox}, {o.At, &s.At}} {
		if over.value != "" {
			*over.target = over.value
		}
	}
	s.To, s.Cc, s.Bcc = append(s.To, o.To...), append(s.Cc, o.Cc...), append(s.Bcc, o.Bcc...)
	s.AttachDir = draft.AttachDir(o.AttachDir, o.Template)
	for _, path := range o.Attach {
		if IsTemplate(path) {
			s.Attach = append(s.Attach, path)
		}
	}
	for _, body := range []struct {
		field, file string
		target      *string
	}{{"text-file", o.TextFile, &s.Text}, {"html-file", o.HTMLFile, &s.HTML}, {"markdown-file", o.MarkdownFile, &s.Markdown}} {
		if body.file == "" {
			continue
		}
		if *body.target, err = texts.Read(ctx, o.Name(body.field), body.file, limits.TemplateSource); err != nil {
			return s, name, err
		}
	}
	return s, name, o.headers(&s)
}

// literal are the files that are named as they are, wherever they are.
func (o *Options) literal(ctx context.Context, found *attach.Finder) (list []message.Attachment, err error) {
	for _, value := range o.Attach {
		if value == "" || IsTemplate(value) {
			continue
		}
		if attach.IsStdin(value) {
			return nil, exit.Usagef("%s %q: standard input cannot be used here: name a file", o.Name("attach"), value)
		}
		files, err := found.Find(ctx, value)
		if err != nil {
			return nil, err
		}
		list = append(list, files...)
	}
	return list, nil
}

func (o *Options) headers(s *mailtemplate.Source) error {
	for _, h := range o.Header {
		field, err := draft.ParseHeader(o.Name("header"), h)
		if err != nil {
			return err
		}
		if s.Headers == nil {
			s.Headers = make(map[string]string)
		}
		s.Headers[field.Name] = field.Value
	}
	return nil
}
