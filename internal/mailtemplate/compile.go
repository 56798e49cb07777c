package mailtemplate

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/mimetext"
	"github.com/smtpsend/smtpsend/internal/stricttemplate"
)

// Template is a compiled Source. It is safe for concurrent use.
type Template struct {
	name      string
	texts     *stricttemplate.Set
	headers   []string            // names, sorted
	lists     map[string][]string // the names of a list's parts
	attachDir string
}

// The parts that are bodies.
const (
	textPart     = "body"
	markdownPart = "markdown"
	htmlPart     = "html"
)

// Compile compiles a source; name is in errors, which are *badinput.FieldError.
func Compile(name string, s Source) (*Template, error) {
	t := &Template{name: name, attachDir: s.AttachDir, lists: make(map[string][]string)}
	parts := []stricttemplate.Part{
		{Name: "subject", Text: s.Subject}, {Name: "from", Text: s.From}, {Name: "mailbox", Text: s.Mailbox},
		{Name: "priority", Text: s.Priority}, {Name: "at", Text: s.At},
		{Name: textPart, Text: s.Text, Body: true}, {Name: markdownPart, Text: s.Markdown, Body: true},
	}
	for part, list := range map[string]List{
		"to": s.To, "cc": s.Cc, "bcc": s.Bcc, "reply_to": s.ReplyTo, "attach": s.Attach,
	} {
		for i, text := range list {
			name := fmt.Sprintf("%s %d", part, i+1)
			t.lists[part] = append(t.lists[part], name)
			parts = append(parts, stricttemplate.Part{Name: name, Text: text})
		}
	}
	for header, text := range s.Headers {
		t.headers = append(t.headers, header)
		parts = append(parts, stricttemplate.Part{Name: headerPart + header, Text: text})
	}
	slices.Sort(t.headers)
	parts = append(parts, stricttemplate.Part{Name: htmlPart, Text: s.HTML, HTML: true, Body: true})
	var err error
	if t.texts, err = stricttemplate.Compile(name, options, parts); err != nil {
		return nil, t.notCompiled(err)
	}
	return t, nil
}

// headerPart is before the name of a header field in the name of its part.
const headerPart = "header "

// options are what the texts of a message have beside what all templates have.
var options = stricttemplate.Options{
	Functions: map[string]func(a, b string) (string, error){"address": namedAddress},
	ParseTime: func(text string) (time.Time, error) { return ParseTime("date", text) },
	Source:    "--data and --set give values, in batch the columns",
}

// namedAddress makes one address of a name and an addr-spec, whatever commas the name
// holds.
func namedAddress(name, addr string) (string, error) {
	a, err := address.Parse("address", addr)
	if err != nil {
		return "", err
	}
	a.Name = mimetext.CleanName(name)
	return a.String(), nil
}

// notCompiled names the part as the source does, and the text of a list by its number.
func (t *Template) notCompiled(err error) error {
	part, reason := "", err.Error()
	if e, ok := errors.AsType[*stricttemplate.Error](err); ok {
		part, reason = e.Part, e.Reason
	}
	if part == markdownPart || part == htmlPart {
		part = textPart
	}
	return refused("template "+t.name, "", part+": "+reason)
}

// shown is the name of a part in errors about data: one name for all texts of a list,
// and one for all bodies.
func shown(part string) string {
	switch part {
	case markdownPart, htmlPart:
		return textPart
	}
	if strings.HasPrefix(part, headerPart) {
		return part
	}
	list, _, _ := strings.Cut(part, " ")
	return list
}
