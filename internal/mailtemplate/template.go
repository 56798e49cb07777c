// Package mailtemplate fills messages from templates and data: front matter that
// gives subject and recipients, and a body in text, HTML or Markdown.
package mailtemplate

import (
	"bytes"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"io"
	"path/filepath"
	"regexp"
	"strings"
	"text/template"

	"go.yaml.in/yaml/v3"

	"github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/mimetext"
)

// Template is a message with places for data.
//
//	---
//	subject: Invoice {{.number}}
//	to: '{{address .name .email}}'
//	---
//	Dear {{.name}}, ...
//
// Every value of the front matter and the body are templates of Go. A name that
// the data lacks is an error, never "<no value>" in a mail. In the body of an
// .html file data is escaped for the place where it stands (html/template); in
// subject, recipients, text and Markdown it is text.
type Template struct {
	name  string
	kind  bodyKind
	front frontMatter
	body  string
}

type bodyKind int

const (
	textBody bodyKind = iota
	htmlBody
	markdownBody
)

// frontMatter is what may stand between the two lines of "---". Lists may be
// written as one text with commas or as a YAML list.
type frontMatter struct {
	Subject  string            `yaml:"subject"`
	From     string            `yaml:"from"`
	To       textList          `yaml:"to"`
	Cc       textList          `yaml:"cc"`
	Bcc      textList          `yaml:"bcc"`
	ReplyTo  textList          `yaml:"reply_to"`
	Text     string            `yaml:"text"` // text alternative of an HTML body
	Priority string            `yaml:"priority"`
	Headers  map[string]string `yaml:"headers"`
}

type textList []string

func (l *textList) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*l = []string{n.Value}
		return nil
	}
	return n.Decode((*[]string)(l))
}

// maxTemplate bounds source and result of a template.
const maxTemplate = 32 << 20

// Parse reads a template. The extension of name tells what its body is:
// .html and .htm HTML, .md and .markdown Markdown, everything else text; a further
// .tmpl or .gotmpl is ignored. The error is *message.FieldError with the line where it can be known.
func Parse(name, source string) (*Template, error) {
	if len(source) > maxTemplate {
		return nil, refused("template "+name, "", fmt.Sprintf("more than %d octets", maxTemplate))
	}
	t := &Template{name: name, kind: kindOfBody(name)}
	source = strings.ReplaceAll(mimetext.ToUTF8(source), "\r\n", "\n")
	front, body, err := splitFrontMatter(source)
	if err == nil && front != "" {
		dec := yaml.NewDecoder(strings.NewReader(quoteActions(front)))
		dec.KnownFields(true)
		if err = dec.Decode(&t.front); errors.Is(err, io.EOF) { // comments only
			err = nil
		}
	}
	if err != nil {
		return nil, refused("template "+name, "", "front matter: "+oneLine(err))
	}
	t.body = body
	if t.kind == htmlBody {
		_, err = htmltemplate.New(name).Funcs(templateFuncs()).Parse(body)
	} else {
		_, err = template.New(name).Funcs(templateFuncs()).Parse(body)
	}
	if err != nil {
		return nil, refused("template "+name, "", oneLine(err))
	}
	return t, nil
}

func kindOfBody(name string) bodyKind {
	ext := strings.ToLower(filepath.Ext(name))
	if ext == ".tmpl" || ext == ".gotmpl" {
		ext = strings.ToLower(filepath.Ext(strings.TrimSuffix(strings.ToLower(name), ext)))
	}
	switch ext {
	case ".html", ".htm":
		return htmlBody
	case ".md", ".markdown":
		return markdownBody
	}
	return textBody
}

func splitFrontMatter(source string) (front, body string, err error) {
	rest, ok := strings.CutPrefix(source, "---\n")
	if !ok {
		return "", source, nil
	}
	if body, ok := strings.CutPrefix(rest, "---\n"); ok {
		return "", body, nil
	}
	front, body, ok = strings.Cut(rest+"\n", "\n---\n")
	if !ok {
		return "", "", errors.New("no second line of ---")
	}
	return front + "\n", strings.TrimSuffix(body, "\n"), nil
}

// bareAction is a value that begins with "{{", which YAML takes for a mapping.
var bareAction = regexp.MustCompile(`(?m)^(\s*(?:- +|[A-Za-z_-]+: +))(\{\{.*)$`)

// quoteActions spares the author the quotes that YAML wants around {{.x}}.
func quoteActions(front string) string {
	return bareAction.ReplaceAllStringFunc(front, func(line string) string {
		m := bareAction.FindStringSubmatch(line)
		return m[1] + "'" + strings.ReplaceAll(m[2], "'", "''") + "'"
	})
}

// oneLine is the text of an error on one line, without the library's name.
func oneLine(err error) string {
	text := strings.TrimPrefix(strings.TrimPrefix(err.Error(), "yaml: "), "unmarshal errors:\n")
	return strings.Join(strings.Fields(strings.TrimPrefix(text, "template: ")), " ")
}

// templateFuncs adds what mail needs to Go's own functions. address makes one
// address of a name and an addr-spec, whatever commas the name holds.
func templateFuncs() map[string]any {
	return map[string]any{
		"address": func(name, addr any) (string, error) {
			a, err := message.ParseAddress("address", fmt.Sprint(addr))
			if err != nil {
				return "", err
			}
			a.Name = mimetext.CleanName(fmt.Sprint(name))
			return a.String(), nil
		},
	}
}

// Fill executes the template with data and sets what it has in d: only fields
// that the template mentions are changed, recipients are added to those of d.
// Errors are *message.FieldError and name the part of the template.
func (t *Template) Fill(d *message.Draft, data map[string]any) error {
	run := &filling{t: t, data: data}
	if subject := run.text("subject", t.front.Subject); subject != "" {
		d.Subject = subject
	}
	if from := run.addresses("from", textList{t.front.From}); len(from) > 0 {
		d.From = from[0]
	}
	d.To = append(d.To, run.addresses("to", t.front.To)...)
	d.Cc = append(d.Cc, run.addresses("cc", t.front.Cc)...)
	d.Bcc = append(d.Bcc, run.addresses("bcc", t.front.Bcc)...)
	d.ReplyTo = append(d.ReplyTo, run.addresses("reply_to", t.front.ReplyTo)...)
	if priority := run.text("priority", t.front.Priority); priority != "" {
		d.Priority = message.Priority(priority)
	}
	for _, name := range sortedKeys(t.front.Headers) {
		d.Headers = append(d.Headers, message.Header{Name: name, Value: run.text("header "+name, t.front.Headers[name])})
	}
	if text := run.text("text", t.front.Text); text != "" {
		d.Text = text
	}
	switch t.kind {
	case htmlBody:
		d.HTML = run.html(t.body)
	case markdownBody:
		d.Markdown = run.text("body", t.body)
	default:
		d.Text = run.text("body", t.body)
	}
	return run.err
}

// filling is one execution; the first error stays.
type filling struct {
	t    *Template
	data map[string]any
	err  error
}

func (f *filling) fail(part string, err error) {
	if f.err == nil && err != nil {
		f.err = refused("template "+f.t.name, "", part+": "+oneLine(err))
	}
}

func (f *filling) text(part, source string) string {
	if source == "" || f.err != nil {
		return ""
	}
	t, err := template.New(f.t.name).Funcs(templateFuncs()).Option("missingkey=error").Parse(source)
	if err != nil {
		f.fail(part, err)
		return ""
	}
	var out limitedBuffer
	f.fail(part, t.Execute(&out, f.data))
	return out.String()
}

func (f *filling) html(source string) string {
	if f.err != nil {
		return ""
	}
	t, err := htmltemplate.New(f.t.name).Funcs(templateFuncs()).Option("missingkey=error").Parse(source)
	if err != nil {
		f.fail("body", err)
		return ""
	}
	var out limitedBuffer
	f.fail("body", t.Execute(&out, f.data))
	return out.String()
}

// addresses fills in a list and reads it. The text must be addresses after
// filling in, so that a line feed in the data is refused here.
func (f *filling) addresses(part string, sources textList) []message.Address {
	var list []message.Address
	for _, source := range sources {
		as, err := message.ParseAddressList(part, f.text(part, source))
		if err != nil && f.err == nil {
			f.err = err
		}
		list = append(list, as...)
	}
	return list
}

// limitedBuffer stops a template that would fill the memory.
type limitedBuffer struct{ buf bytes.Buffer }

func (b *limitedBuffer) Write(p []byte) (int, error) {
	if b.buf.Len()+len(p) > maxTemplate {
		return 0, fmt.Errorf("the result has more than %d octets", maxTemplate)
	}
	return b.buf.Write(p)
}

func (b *limitedBuffer) String() string { return b.buf.String() }

func refused(field, value, reason string) error {
	return &message.FieldError{Field: field, Value: value, Reason: reason}
}
