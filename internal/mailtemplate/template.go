// Package mailtemplate fills messages from templates and data: front matter that
// gives subject and recipients, and a body in text, HTML or Markdown.
package mailtemplate

import (
	"errors"
	"fmt"
	"io"
	"path/filepath"
	"strings"

	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/guard"
	"github.com/smtpsend/smtpsend/internal/lazyregexp"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/mimetext"
	"github.com/smtpsend/smtpsend/internal/thirdparty/yaml"
)

// Source is a message with places for data, before it is compiled. Every text
// is a template of Go. Lists may hold several addresses in one text, with commas.
// In HTML data is escaped for the place where it is written (html/template);
// everywhere else it is text.
type Source struct {
	Subject  string            `yaml:"subject"`
	From     string            `yaml:"from"`
	To       List              `yaml:"to"`
	Cc       List              `yaml:"cc"`
	Bcc      List              `yaml:"bcc"`
	ReplyTo  List              `yaml:"reply_to"`
	Mailbox  string            `yaml:"mailbox"` // to submit as
	Priority string            `yaml:"priority"`
	Headers  map[string]string `yaml:"headers"`
	Attach   List              `yaml:"attach"` // paths; an empty one attaches nothing
	At       string            `yaml:"at"`     // when to submit; see Template.At
	Text     string            `yaml:"text"`   // beside an HTML or Markdown body its text alternative

	AttachDir string `yaml:"-"` // the files of Attach are below this directory; "" = wherever their paths lead
	HTML      string `yaml:"-"`
	Markdown  string `yaml:"-"`
}

// List is one or more texts, in YAML a text or a list of texts.
type List []string

// UnmarshalYAML reads either form.
func (l *List) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		*l = List{n.Value}
		return nil
	}
	return n.Decode((*[]string)(l))
}

// Parse reads a template:
//
//	---
//	subject: Invoice {{.number}}
//	to: '{{address .name .email}}'
//	---
//	Dear {{.name}}, ...
//
// A name that the data lacks is an error, never "<no value>" in a mail. The
// extension of name tells what the body is: .html and .htm HTML, .md and
// .markdown Markdown, everything else text; a further .tmpl or .gotmpl is
// ignored. The error is *badinput.FieldError with the line where it can be known.
func Parse(name, source string) (*Template, error) {
	s, err := ParseSource(name, source)
	if err != nil {
		return nil, err
	}
	return Compile(name, s)
}

// ParseSource is Parse without compiling, for callers who have something to add.
func ParseSource(name, source string) (Source, error) {
	var s Source
	if len(source) > limits.TemplateSource {
		return s, refused("template "+name, "", fmt.Sprintf("has more than %d octets", limits.TemplateSource))
	}
	source = strings.ReplaceAll(mimetext.ToUTF8(source), "\r\n", "\n")
	front, body, err := splitFrontMatter(source)
	if err == nil {
		err = checkFront(front)
	}
	if err == nil && front != "" {
		dec := yaml.NewDecoder(strings.NewReader("\n" + quoteActions(front))) // lines count from the file's first
		dec.KnownFields(true)
		if err = dec.Decode(&s); errors.Is(err, io.EOF) { // comments only
			err = nil
		}
	}
	if err != nil {
		return s, refused("template "+name, "", "front matter: "+unknownKey.Get().ReplaceAllString(oneLine(err),
			`unknown key "$1": known are subject, from, to, cc, bcc, reply_to, mailbox, priority, headers, attach, at, text`))
	}
	switch kindOfBody(name) {
	case htmlBody:
		s.HTML = body
	case markdownBody:
		s.Markdown = body
	default:
		s.Text = body
	}
	return s, nil
}

type bodyKind int

const (
	textBody bodyKind = iota
	htmlBody
	markdownBody
)

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

// checkFront refuses front matter that would take too much to read.
func checkFront(front string) error {
	if len(front) > limits.TemplateFront {
		return fmt.Errorf("has more than %d octets", limits.TemplateFront)
	}
	if n := guard.YAML(front); n > limits.TemplateValues {
		return fmt.Errorf("has more than %d lines, commas, colons and brackets, of which values are made (a line that begins with %% counts as a thousand)", limits.TemplateValues)
	}
	return nil
}

// bareAction is a value that begins with "{{", which YAML takes for a mapping.
var bareAction = lazyregexp.New(`(?m)^(\s*(?:- +|[A-Za-z_-]+: +))(\{\{.*)$`)

// unknownKey is how the YAML library says that a key is none of Source's. It has one
// error type for all keys, so its text is read, for the words alone: what is not
// recognised is said as the library says it. TestErrorsOfYAMLAreSaidInOurWords fails
// when a version of it says so in another way.
var unknownKey = lazyregexp.New(`field (\S+) not found in type \S+`)

// quoteActions spares the author the quotes that YAML wants around {{.x}}.
func quoteActions(front string) string {
	return bareAction.Get().ReplaceAllStringFunc(front, func(line string) string {
		m := bareAction.Get().FindStringSubmatch(line)
		return m[1] + "'" + strings.ReplaceAll(m[2], "'", "''") + "'"
	})
}

// oneLine is the text of an error on one line, without the library's name.
func oneLine(err error) string {
	text := strings.TrimPrefix(strings.TrimPrefix(err.Error(), "yaml: "), "unmarshal errors:\n")
	return strings.Join(strings.Fields(text), " ")
}

func refused(field, value, reason string) error {
	return &badinput.FieldError{Field: field, Value: value, Reason: reason}
}
