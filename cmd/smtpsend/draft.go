package main

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/mailtemplate"
	"github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/until"
)

// mail makes of the flags a mail object and says who it is from. It is nil
// when --skip-empty found nothing to submit.
func (s *sendFlags) mail(ctx context.Context, g *globals, cfg *config.Config, given func(string) bool) (*mailobject.Mail, string, error) {
	if s.message != "" {
		return s.ready(ctx, g, cfg, given)
	}
	d, err := s.draft(ctx, g, cfg, given)
	if err != nil {
		return nil, "", err
	}
	if s.skipEmpty && strings.TrimSpace(d.Text+d.HTML+d.Markdown) == "" && len(d.Attachments) == 0 {
		g.Printf("not submitted: the body is empty (--skip-empty)\n")
		return nil, "", nil
	}
	var m *message.Composed
	err = g.composing(ctx, func(ctx context.Context) error {
		m, err = message.Compose(ctx, d)
		return err
	})
	if err != nil {
		return nil, "", s.asFlags(err, given)
	}
	g.doubts(m)
	if err := s.keep(ctx, d, m); err != nil {
		_ = m.Close()
		return nil, "", err
	}
	return m.Mail, d.From.Addr(), nil
}

// doubts warns of what is allowed and perhaps not meant.
func (g *globals) doubts(m *message.Composed) {
	g.sizeDoubt(m.SizeReport())
	for _, cid := range m.Unshown() {
		g.Warningf("--inline %s: the HTML body does not show cid:%s", cid, cid)
	}
	g.unsent(m.Missing(), "")
}

// sizeDoubt warns of a mail that a mailbox may be too small for.
func (g *globals) sizeDoubt(report message.SizeReport) {
	if report.NearLimit() {
		g.Warningf("%s", report)
	}
}

// maxUnsent is how many images that are not sent along are named.
const maxUnsent = 20

// unsent warns of images that the reader of a message will not see. advice is what
// helps where there is no --embed and no --inline, "" where there is.
func (g *globals) unsent(images []message.Unsent, advice string) {
	for _, image := range images[:min(len(images), maxUnsent)] {
		address := image.Address
		if len(address) > 80 { // such as data:
			address = strings.ToValidUTF8(address[:60], "") + "..."
		}
		why, helps := unsentWhy(image, address)
		if advice != "" {
			helps = advice
		}
		if helps != "" {
			why += "; " + helps
		}
		g.Warningf("the HTML body shows %s, %s", address, why)
	}
	if more := len(images) - maxUnsent; more > 0 {
		g.Warningf("the HTML body shows %d more images that the message does not carry", more)
	}
}

// unsentWhy says why an image is not seen, and which flag of send helps.
func unsentWhy(image message.Unsent, address string) (why, helps string) {
	switch image.Why {
	case message.UnsentFile:
		return "which the message does not carry", "--embed sends the images of local files along"
	case message.UnsentCID:
		return "which the message does not carry", fmt.Sprintf("--inline %s=FILE sends it along", strings.TrimPrefix(address, "cid:"))
	case message.UnsentPath:
		return "a path of this machine, which its reader does not have", "--embed sends it along when its name is relative to the HTML file"
	case message.UnsentData:
		return "an image within the HTML, which Outlook and Gmail do not show", "--embed sends the images of local files along"
	}
	return "which mail programs do not show", ""
}

// exclusive are the flags that contradict each other.
var exclusive = [][2]string{
	{"text", "text-file"}, {"html", "html-file"}, {"markdown-file", "html"}, {"markdown-file", "html-file"},
	{"template", "text"}, {"template", "text-file"}, {"template", "html"}, {"template", "html-file"}, {"template", "markdown-file"},
	{"message", "text"}, {"message", "text-file"}, {"message", "html"}, {"message", "html-file"}, {"message", "markdown-file"},
	{"message", "template"}, {"message", "attach"}, {"message", "inline"}, {"message", "subject"}, {"message", "header"},
	{"message", "reply-to"}, {"message", "preview"}, {"message", "priority"}, {"message", "in-reply-to"},
	{"message", "references"}, {"message", "list-unsubscribe"}, {"message", "embed"}, {"message", "skip-empty"}, {"message", "charset"},
}

// excluded refuses flags that contradict each other.
func (s *sendFlags) excluded(given func(string) bool) error {
	for _, pair := range exclusive {
		if given(pair[0]) && given(pair[1]) {
			return exit.Usagef("--%s and --%s exclude each other", pair[0], pair[1])
		}
	}
	if from := s.fromStdin(given); len(from) > 1 {
		return exit.Usagef("only one of %s and %s can be standard input", from[0], from[1])
	}
	for _, name := range []string{"text-file", "html-file", "markdown-file", "template", "data", "message", "save", "preview"} {
		if given(name) && s.fileOf(name) == "" { // a variable of the shell that is not set
			return exit.Usagef("--%s \"\": names no file", name)
		}
	}
	if (s.data != "" || len(s.set) > 0 || s.attachDir != "") && s.template == "" {
		return exit.Usagef("--data, --set and --attach-dir need --template")
	}
	for _, text := range append([]string{s.subject}, s.header...) {
		if s.template != "" && isTemplate(text) {
			return exit.Usagef("%q: flags of send are text and are not filled in: write it in the front matter of --template", text)
		}
	}
	if s.embed && !given("html") && !given("html-file") && !given("markdown-file") && !given("template") {
		return exit.Usagef("--embed needs an HTML body that names images: --html, --html-file, --markdown-file or --template")
	}
	if given("charset") && len(s.fromStdin(given)) == 0 && !s.readsText() {
		return exit.Usagef("--charset is for files of text and standard input, and none is read")
	}
	return nil
}

// readsText reports whether a flag names a file of text.
func (s *sendFlags) readsText() bool {
	return s.textFile+s.htmlFile+s.markdownFile+s.template+s.data != "" || len(s.toFile)+len(s.ccFile)+len(s.bccFile) > 0
}

// fileOf is the value of a flag that takes one file.
func (s *sendFlags) fileOf(name string) string {
	return map[string]string{
		"text-file": s.textFile, "html-file": s.htmlFile, "markdown-file": s.markdownFile, "template": s.template,
		"data": s.data, "message": s.message, "save": s.save, "preview": s.preview,
	}[name]
}

// fromStdin names what is read from standard input; without a body among the
// flags it is the text.
func (s *sendFlags) fromStdin(given func(string) bool) (what []string) {
	for _, f := range []struct{ flag, value string }{
		{"--text-file", s.textFile}, {"--html-file", s.htmlFile}, {"--markdown-file", s.markdownFile},
		{"--data", s.data}, {"--message", s.message}, {"--template", s.template},
	} {
		if f.value == "-" {
			what = append(what, f.flag)
		}
	}
	for _, list := range s.recipientLists() {
		for _, file := range list.files {
			if file == "-" {
				what = append(what, list.flag+"-file")
			}
		}
	}
	for _, value := range s.attach {
		if attachesStdin(value) {
			what = append(what, "--attach")
		}
	}
	for _, value := range s.inline {
		if attachesStdin(value) {
			what = append(what, "--inline")
		}
	}
	if s.message == "" && s.template == "" && !s.hasBody(given) {
		what = append(what, "the text")
	}
	return what
}

// hasBody reports whether the flags have a body, which may be empty.
func (s *sendFlags) hasBody(given func(string) bool) bool {
	return given("text") || given("text-file") || given("html") || given("html-file") || given("markdown-file")
}

// draft makes of the flags what message.Compose needs. given reports whether a
// flag was set, because an empty --text is a text.
func (s *sendFlags) draft(ctx context.Context, g *globals, cfg *config.Config, given func(string) bool) (message.Draft, error) {
	var d message.Draft
	if err := s.content(ctx, &d, g, given); err != nil {
		return d, err
	}
	if err := s.addresses(ctx, &d, cfg); err != nil {
		return d, err
	}
	if s.subject != "" || given("subject") {
		d.Subject = s.subject
	}
	for _, h := range s.header {
		field, err := headerOf(h)
		if err != nil {
			return d, err
		}
		d.Headers = append(d.Headers, field)
	}
	if s.priority != "" {
		d.Priority = message.Priority(s.priority)
	}
	d.InReplyTo, d.References, d.ListUnsubscribe = s.inReplyTo, s.references, s.unsubscribe
	return d, s.files(ctx, &d)
}

// headerOf takes --header apart.
func headerOf(text string) (message.Header, error) {
	name, value, ok := strings.Cut(text, ":")
	if !ok {
		return message.Header{}, exit.Usagef("--header %q: write 'Name: value'", text)
	}
	return message.Header{Name: name, Value: strings.TrimSpace(value)}, nil
}

// files are what is sent along.
func (s *sendFlags) files(ctx context.Context, d *message.Draft) error {
	for _, value := range s.attach {
		files, err := s.attached.find(ctx, value)
		if err != nil {
			return err
		}
		d.Attachments = append(d.Attachments, files...)
	}
	for _, value := range s.inline {
		in, err := s.attached.inline(ctx, value)
		if err != nil {
			return err
		}
		d.Inline = append(d.Inline, in)
	}
	if s.embed {
		d.EmbedDir = "."
		for _, file := range []string{s.htmlFile, s.markdownFile, s.template} {
			if file != "" && file != "-" {
				d.EmbedDir = filepath.Dir(file)
			}
		}
	}
	return nil
}

// content fills in the body, and what else a template has, from where the flags
// say; the text comes from standard input when they say nothing.
func (s *sendFlags) content(ctx context.Context, d *message.Draft, g *globals, given func(string) bool) (err error) {
	if s.template != "" {
		return s.fill(ctx, d, g)
	}
	d.Text, d.HTML = s.text, s.html
	s.texts.arguments(map[string]string{"--subject": s.subject, "--text": s.text, "--html": s.html})
	textFile := s.textFile
	if !s.hasBody(given) {
		textFile = "-"
	}
	for _, body := range []struct {
		flag, file string
		target     *string
		most       int
	}{
		{"--text-file", textFile, &d.Text, limits.Body}, {"--html-file", s.htmlFile, &d.HTML, limits.Body},
		{"--markdown-file", s.markdownFile, &d.Markdown, limits.MarkdownSource},
	} {
		if body.file == "" {
			continue
		}
		if body.file == "-" {
			g.Reading("the text", g.stdin)
		}
		if *body.target, err = s.texts.read(ctx, body.flag, body.file, body.most); err != nil {
			return err
		}
	}
	return nil
}

// fill executes the template.
func (s *sendFlags) fill(ctx context.Context, d *message.Draft, g *globals) error {
	if s.template == "-" {
		g.Reading("the template", g.stdin)
	}
	text, err := s.texts.read(ctx, "--template", s.template, limits.TemplateSource)
	if err != nil {
		return err
	}
	data, err := s.values(ctx, g)
	if err != nil {
		return err
	}
	return g.composing(ctx, func(ctx context.Context) error {
		source, err := mailtemplate.ParseSource(s.template, text)
		if err != nil {
			return err
		}
		source.AttachDir = attachDir(s.attachDir, s.template)
		t, err := mailtemplate.Compile(s.template, source)
		if err != nil {
			return err
		}
		if s.at == "" {
			if s.readyAt, err = t.At(ctx, data); err != nil {
				return err
			}
		}
		return t.Fill(ctx, d, data)
	})
}

// attachDir is the directory below which the files are that a template names: the
// one of the flag, else the template's own.
func attachDir(flag, template string) string {
	switch {
	case flag != "":
		return flag
	case template == "" || template == "-":
		return "."
	}
	return filepath.Dir(template)
}

// values are the data of the template.
func (s *sendFlags) values(ctx context.Context, g *globals) (map[string]any, error) {
	data := map[string]any{}
	if s.data != "" {
		if s.data == "-" {
			g.Reading("the data", g.stdin)
		}
		text, err := s.texts.read(ctx, "--data", s.data, limits.Data)
		if err != nil {
			return nil, err
		}
		err = g.composing(ctx, func(ctx context.Context) error {
			data, err = mailtemplate.ParseData(ctx, s.data, text)
			return err
		})
		if err != nil {
			return nil, ofFlag("--data", err)
		}
	}
	for _, assignment := range s.set {
		if err := mailtemplate.SetData(data, assignment); err != nil {
			return nil, err
		}
	}
	return data, nil
}

// keep writes the message, and the page that shows it, where the flags say.
func (s *sendFlags) keep(ctx context.Context, d message.Draft, m *message.Composed) error {
	if s.preview != "" {
		var page strings.Builder
		if err := message.Preview(&page, d, m); err != nil {
			return ofFlag("--preview", err)
		}
		if err := ownfile.Replace(s.preview, []byte(page.String()), 0o600); err != nil {
			return exit.With(exit.CannotCreate, fmt.Errorf("--preview %q: %w", s.preview, err))
		}
	}
	return s.saveMail(ctx, m.Mail)
}

// saveMail writes the octets that go after DATA. What is not whole is not left
// there.
func (s *sendFlags) saveMail(ctx context.Context, m *mailobject.Mail) error {
	if s.save == "" {
		return nil
	}
	f, err := ownfile.Output(ctx, s.save)
	if err != nil {
		return exit.With(exit.CannotCreate, ofFlag("--save", err))
	}
	_, err = m.Content.WriteTo(until.Writer(ctx, f))
	if err = errors.Join(err, f.Close()); err == nil {
		return nil
	}
	if info, e := os.Lstat(s.save); e == nil && info.Mode().IsRegular() {
		_ = os.Remove(s.save)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return exit.With(exit.IO, ofFlag("--save", err))
}
