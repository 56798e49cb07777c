package mailtemplate

import (
	"context"
	"fmt"
	htmltemplate "html/template"
	"maps"
	"runtime"
	"slices"
	"strings"
	"text/template"
	"text/template/parse"
)

// Template is a compiled Source. It is safe for concurrent use.
type Template struct {
	name      string
	literal   map[string]string // parts without an action, by their names
	parts     map[string]part
	headers   []string            // names, sorted
	lists     map[string][]string // the names of a list's parts
	attachDir string

	places []place // where values are written

	html      *htmltemplate.Template // never executed itself; nil: no HTML body
	htmlSteps int
	engines   chan *engine // that fill in; nil where none was made yet
}

// part is a text with actions.
type part struct {
	base  *template.Template // never executed itself
	steps int                // actions outside of loops
}

// Compile compiles a source; name stands in errors, which are
// *message.FieldError.
func Compile(name string, s Source) (*Template, error) {
	t := &Template{
		name: name, attachDir: s.AttachDir, literal: make(map[string]string), parts: make(map[string]part), lists: make(map[string][]string),
	}
	all := &source{}
	for part, text := range map[string]string{
		"subject": s.Subject, "from": s.From, "mailbox": s.Mailbox, "priority": s.Priority, "at": s.At,
		"body": s.Text, "markdown": s.Markdown,
	} {
		if err := t.add(all, part, text); err != nil {
			return nil, err
		}
	}
	for part, list := range map[string]List{
		"to": s.To, "cc": s.Cc, "bcc": s.Bcc, "reply_to": s.ReplyTo, "attach": s.Attach,
	} {
		for i, text := range list {
			name := fmt.Sprintf("%s %d", part, i+1)
			t.lists[part] = append(t.lists[part], name)
			if err := t.add(all, name, text); err != nil {
				return nil, err
			}
		}
	}
	for header, text := range s.Headers {
		t.headers = append(t.headers, header)
		if err := t.add(all, "header "+header, text); err != nil {
			return nil, err
		}
	}
	slices.Sort(t.headers)
	t.engines = make(chan *engine, min(max(1, engineRoom/(len(s.HTML)+1)), runtime.GOMAXPROCS(0)))
	for range cap(t.engines) {
		t.engines <- nil
	}
	return t, t.addHTML(all, s.HTML)
}

// engineRoom is how many octets of HTML templates are in memory for those who
// fill in at the same time, beside the first.
const engineRoom = 16 << 20

func (t *Template) add(all *source, part, text string) error {
	if text == "" {
		return nil
	}
	if !strings.Contains(text, "{{") {
		t.literal[part] = text
		return nil
	}
	if err := all.scan(text); err != nil {
		return t.notCompiled(part, err)
	}
	base, err := template.New(t.name).Funcs(new(meter).functions()).Option("missingkey=error").Parse(text)
	if err != nil {
		return t.notCompiled(part, err)
	}
	var trees []*parse.Tree
	for _, defined := range base.Templates() {
		trees = append(trees, defined.Tree)
	}
	t.parts[part] = newPart(base, trees, &t.places)
	return nil
}

func newPart(base *template.Template, trees []*parse.Tree, places *[]place) part {
	return part{base, instrument(trees, base.Name(), false, places)}
}

func (t *Template) addHTML(all *source, text string) error {
	if text == "" {
		return nil
	}
	if err := all.scan(text); err != nil {
		return t.notCompiled("body", err)
	}
	base, err := htmltemplate.New(t.name).Funcs(new(meter).functions()).Option("missingkey=error").Parse(text)
	if err != nil {
		return t.notCompiled("body", err)
	}
	byName := make(map[string]*parse.Tree)
	var trees []*parse.Tree
	for _, defined := range base.Templates() {
		if defined.Tree != nil {
			keepConditionals(defined.Tree.Root)
		}
		byName[defined.Name()] = defined.Tree
		trees = append(trees, defined.Tree)
	}
	if err := escaping(byName, t.name); err != nil {
		return t.notCompiled("body", err)
	}
	t.html, t.htmlSteps = base, instrument(trees, t.name, true, &t.places)
	return nil
}

// engine fills in one message at a time: templates whose functions are bound to
// a meter.
type engine struct {
	meter
	parts map[string]*template.Template
	html  *htmltemplate.Template
}

// take returns an engine that nobody else uses, or nil when ctx has ended.
func (t *Template) take(ctx context.Context) *engine {
	select {
	case e := <-t.engines:
		if e == nil {
			e = t.newEngine()
		}
		e.start(ctx)
		return e
	case <-ctx.Done():
		return nil
	}
}

func (t *Template) giveBack(e *engine) {
	e.ctx = nil
	t.engines <- e
}

func (t *Template) newEngine() *engine {
	e := &engine{parts: make(map[string]*template.Template, len(t.parts))}
	e.places = t.places
	functions := e.functions()
	maps.Copy(functions, e.hidden())
	for name, part := range t.parts {
		// Only HTML that was executed cannot be cloned.
		own := template.Must(part.base.Clone())
		e.parts[name] = own.Funcs(functions)
	}
	if t.html != nil {
		e.html = htmltemplate.Must(t.html.Clone()).Funcs(functions)
	}
	return e
}

// notCompiled says why a part of a template does not compile. Columns of other
// people's files have names such as E-Mail, which is not a name after a dot.
func (t *Template) notCompiled(part string, err error) error {
	if part == "markdown" {
		part = "body"
	}
	reason := part + ": " + strings.Replace(oneLine(err), t.name+":", "line ", 1)
	if strings.Contains(reason, "bad character U+002D") {
		reason += `: a name with more than letters, digits and _ is written {{index . "E-Mail"}}`
	}
	return refused("template "+t.name, "", reason)
}
