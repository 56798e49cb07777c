package mailtemplate

import (
	"bytes"
	"fmt"
	htmltemplate "html/template"
	"maps"
	"slices"
	"strings"
	"text/template"
	"time"

	"github.com/smtpsend/smtpsend/internal/lazyregexp"
	"github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/mimetext"
)

// Template is a compiled Source. It is safe for concurrent use.
type Template struct {
	name    string
	parts   map[string]*template.Template // by the name of the part; absent = empty
	headers []string                      // names, sorted
	html    *htmltemplate.Template        // nil: no HTML body
	lists   map[string][]string           // the names of a list's parts
}

// Compile compiles a source; name stands in errors, which are
// *message.FieldError.
func Compile(name string, s Source) (*Template, error) {
	t := &Template{name: name, parts: make(map[string]*template.Template), lists: make(map[string][]string)}
	for part, text := range map[string]string{
		"subject": s.Subject, "from": s.From, "mailbox": s.Mailbox, "priority": s.Priority, "at": s.At,
		"body": s.Text, "markdown": s.Markdown,
	} {
		if err := t.add(part, text); err != nil {
			return nil, err
		}
	}
	for part, list := range map[string]List{
		"to": s.To, "cc": s.Cc, "bcc": s.Bcc, "reply_to": s.ReplyTo, "attach": s.Attach,
	} {
		for i, text := range list {
			name := fmt.Sprintf("%s %d", part, i+1)
			t.lists[part] = append(t.lists[part], name)
			if err := t.add(name, text); err != nil {
				return nil, err
			}
		}
	}
	for header, text := range s.Headers {
		t.headers = append(t.headers, header)
		if err := t.add("header "+header, text); err != nil {
			return nil, err
		}
	}
	slices.Sort(t.headers)
	return t, t.addHTML(s.HTML)
}

func (t *Template) add(part, text string) error {
	if text == "" {
		return nil
	}
	parsed, err := template.New(t.name).Funcs(templateFuncs()).Option("missingkey=error").Parse(text)
	if err != nil {
		return refused("template "+t.name, "", t.notParsed(part, err))
	}
	t.parts[part] = parsed
	return nil
}

func (t *Template) addHTML(text string) (err error) {
	if text == "" {
		return nil
	}
	t.html, err = htmltemplate.New(t.name).Funcs(templateFuncs()).Option("missingkey=error").Parse(text)
	if err != nil {
		return refused("template "+t.name, "", t.notParsed("body", err))
	}
	return nil
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
// that the template mentions are changed; recipients, headers and attachments
// are added to those of d. Errors are *message.FieldError and name the part of
// the template.
func (t *Template) Fill(d *message.Draft, data map[string]any) error {
	if all := t.FillAll(d, data); len(all) > 0 {
		return all[0]
	}
	return nil
}

// FillAll is Fill, and returns every part that cannot be filled in, each as a
// *message.FieldError.
func (t *Template) FillAll(d *message.Draft, data map[string]any) []error {
	run := &filling{t: t, data: data}
	if subject := run.text("subject"); subject != "" {
		d.Subject = subject
	}
	run.address("from", &d.From)
	run.address("mailbox", &d.Mailbox)
	d.To = append(d.To, run.addresses("to")...)
	d.Cc = append(d.Cc, run.addresses("cc")...)
	d.Bcc = append(d.Bcc, run.addresses("bcc")...)
	d.ReplyTo = append(d.ReplyTo, run.addresses("reply_to")...)
	if priority := run.text("priority"); priority != "" {
		d.Priority = message.Priority(priority)
	}
	for _, name := range t.headers {
		if value := run.text("header " + name); value != "" {
			d.Headers = append(d.Headers, message.Header{Name: name, Value: value})
		}
	}
	for _, name := range t.lists["attach"] {
		if path := run.textOf(name, "attach"); path != "" {
			d.Attachments = append(d.Attachments, message.Attachment{Path: path})
		}
	}
	if t.parts["body"] != nil {
		d.Text = run.text("body")
	}
	if t.parts["markdown"] != nil {
		d.Markdown = run.textOf("markdown", "body")
	}
	if t.html != nil {
		d.HTML = run.html()
	}
	return run.errs
}

// At executes the template's time, which is RFC 3339, or date and time without
// a zone ("2026-12-24 08:00"), then in the local one. It is zero when the
// template has none or it comes out empty. The error is *message.FieldError.
func (t *Template) At(data map[string]any) (time.Time, error) {
	run := &filling{t: t, data: data}
	text := strings.TrimSpace(run.text("at"))
	if len(run.errs) > 0 {
		return time.Time{}, run.errs[0]
	}
	if text == "" {
		return time.Time{}, nil
	}
	return ParseTime("at", text)
}

// ParseTime reads a time as people write it; see Template.At.
func ParseTime(field, text string) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	for _, layout := range []string{"2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02"} {
		if at, err := time.ParseInLocation(layout, text, time.Local); err == nil {
			return at, nil
		}
	}
	return time.Time{}, refused(field, text, `is no time such as "2026-12-24 08:00" or "2026-12-24T08:00:00+01:00"`)
}

// notParsed is why a part of a template does not compile. Columns of other
// people's files have names such as E-Mail, which is no name behind a dot.
func (t *Template) notParsed(part string, err error) string {
	if part == "markdown" {
		part = "body"
	}
	reason := part + ": " + strings.Replace(oneLine(err), t.name+":", "line ", 1)
	if strings.Contains(reason, "bad character U+002D") {
		reason += `: a name with more than letters, digits and _ is written {{index . "E-Mail"}}`
	}
	return reason
}

// filling is one execution; a part that fails is empty, and the others go on.
type filling struct {
	t    *Template
	data map[string]any
	errs []error
}

func (f *filling) fail(part string, err error) {
	reason := oneLine(err)
	if m := missingKey().FindStringSubmatch(reason); m != nil {
		reason = fmt.Sprintf("line %s has no value for %q: %s", m[1], m[2], given(f.data))
	}
	failed := refused("template "+f.t.name, "", part+": "+reason)
	for _, known := range f.errs {
		if known.Error() == failed.Error() { // text and HTML are made of the same body
			return
		}
	}
	f.errs = append(f.errs, failed)
}

// given says which names the data has, for who took another.
func given(data map[string]any) string {
	const enough = 20
	names := slices.Sorted(maps.Keys(data))
	if len(names) == 0 {
		return "--data and --set give values, in batch the columns"
	}
	more := ""
	if len(names) > enough {
		names, more = names[:enough], fmt.Sprintf(" and %d more", len(names)-enough)
	}
	return fmt.Sprintf("there is %q", names) + more
}

// missingKey is how text/template says that the data lacks a name.
var missingKey = lazyregexp.New(`:(\d+):\d+: executing .*: map has no entry for key "(.*)"$`)

func (f *filling) text(part string) string { return f.textOf(part, part) }

// textOf is text with another name for the part in errors.
func (f *filling) textOf(part, shown string) string {
	t := f.t.parts[part]
	if t == nil {
		return ""
	}
	var out limitedBuffer
	if err := t.Execute(&out, f.data); err != nil {
		f.fail(shown, err)
		return ""
	}
	return out.String()
}

func (f *filling) html() string {
	var out limitedBuffer
	if err := f.t.html.Execute(&out, f.data); err != nil {
		f.fail("body", err)
	}
	return out.String()
}

func (f *filling) addresses(part string) []message.Address {
	var list []message.Address
	for _, name := range f.t.lists[part] {
		list = append(list, f.addressesIn(part, f.textOf(name, part))...)
	}
	return list
}

// address sets target to the first address of a part that has one.
func (f *filling) address(part string, target *message.Address) {
	if list := f.addressesIn(part, f.text(part)); len(list) > 0 {
		*target = list[0]
	}
}

// addressesIn reads addresses. The text must be addresses after filling in, so
// that a line feed in the data is refused here.
func (f *filling) addressesIn(part, text string) []message.Address {
	if text == "" {
		return nil
	}
	list, err := message.ParseAddressList(part, text)
	if err != nil {
		f.errs = append(f.errs, err)
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
