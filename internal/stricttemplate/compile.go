// Package stricttemplate fills in Go's templates (text/template, html/template) and
// refuses what has no text. Go writes "<no value>", "map[a:1]", "%!d(string=12)" or
// "#ZgotmplZ" for such a value, and knows no limits; here each is an error that names
// the line and the value, and a template ends at the limits of package limits. Values
// are those of package datavalue.
//
// A set of texts is compiled once. Before one is executed, instrument changes its
// parsed form: each value that is written, compared or handed to a function goes
// through a function of ours first, and so does each round of a loop.
package stricttemplate

import (
	"context"
	htmltemplate "html/template"
	"io"
	"maps"
	"runtime"
	"strings"
	"text/template"
	"text/template/parse"
	"time"
)

// Part is a text with actions, such as "Dear {{.name}}".
type Part struct {
	Name string
	Text string
	HTML bool // values are escaped for the place in the HTML where they are written; else they are written as they are
	Body bool // its octets count for limits.TemplateResult, else for limits.TemplateFields
}

// Options are what a set has from outside.
type Options struct {
	// Functions can be called by their names, beside those of Go and of this package.
	// Each makes one text of two.
	Functions map[string]func(a, b string) (string, error)
	// ParseTime reads a time for the function date. Its error is shown as it is.
	ParseTime func(text string) (time.Time, error)
	// Source says where data comes from. It is part of an error when there is none.
	Source string
}

// Error is a part that could not be compiled or filled in.
type Error struct {
	Part   string
	Reason string // with the line, where it is known
}

// Error names the part.
func (e *Error) Error() string { return e.Part + ": " + e.Reason }

// Set is compiled parts. It is safe for concurrent use.
type Set struct {
	name    string
	options Options
	literal map[string]string // parts without an action, by their names
	parts   map[string]part
	places  []place      // where values are written
	engines chan *engine // that fill in; nil where none was made yet
}

// part is a text with actions. One of base and page is set.
type part struct {
	base  *template.Template     // never executed itself
	page  *htmltemplate.Template // never executed itself: HTML that was executed cannot be cloned
	steps int                    // actions outside of loops
	body  bool
}

// Compile compiles parts, which share the limits of one template; those without a text
// are left out. name is what {{template}} calls each of them. The error is *Error.
func Compile(name string, o Options, parts []Part) (*Set, error) {
	s := &Set{name: name, options: o, literal: make(map[string]string), parts: make(map[string]part)}
	all := &source{}
	pages := 0
	for _, p := range parts {
		if err := s.add(all, p); err != nil {
			return nil, &Error{Part: p.Name, Reason: s.notCompiled(err)}
		}
		if p.HTML {
			pages += len(p.Text)
		}
	}
	s.engines = make(chan *engine, min(max(1, engineRoom/(pages+1)), runtime.GOMAXPROCS(0)))
	for range cap(s.engines) {
		s.engines <- nil
	}
	return s, nil
}

// engineRoom is how many octets of HTML templates are in memory for those who
// fill in at the same time, beside the first.
const engineRoom = 16 << 20

// add compiles one part. HTML without an action is escaped too, which leaves out its
// comments.
func (s *Set) add(all *source, p Part) error {
	if p.Text == "" {
		return nil
	}
	if !p.HTML && !strings.Contains(p.Text, "{{") {
		s.literal[p.Name] = p.Text
		return nil
	}
	if err := all.scan(p.Text); err != nil {
		return err
	}
	compiled := part{body: p.Body}
	var err error
	if p.HTML {
		err = s.compilePage(&compiled, p.Text)
	} else {
		err = s.compileText(&compiled, p.Text)
	}
	s.parts[p.Name] = compiled
	return err
}

func (s *Set) compileText(p *part, text string) error {
	base, err := template.New(s.name).Funcs(s.unbound()).Option("missingkey=error").Parse(text)
	if err != nil {
		return err
	}
	var trees []*parse.Tree
	for _, defined := range base.Templates() {
		trees = append(trees, defined.Tree)
	}
	p.base, p.steps = base, instrument(trees, base.Name(), false, &s.options, &s.places)
	return nil
}

func (s *Set) compilePage(p *part, text string) error {
	page, err := htmltemplate.New(s.name).Funcs(s.unbound()).Option("missingkey=error").Parse(text)
	if err != nil {
		return err
	}
	byName := make(map[string]*parse.Tree)
	var trees []*parse.Tree
	for _, defined := range page.Templates() {
		if defined.Tree != nil {
			keepConditionals(defined.Tree.Root)
		}
		byName[defined.Name()] = defined.Tree
		trees = append(trees, defined.Tree)
	}
	if err := escaping(byName, s.name); err != nil {
		return err
	}
	p.page, p.steps = page, instrument(trees, s.name, true, &s.options, &s.places)
	return nil
}

// unbound are the functions of a meter that is never used: a parser asks for their
// names only.
func (s *Set) unbound() map[string]any { return (&meter{options: &s.options}).functions() }

// Has reports whether there is a part of that name.
func (s *Set) Has(name string) bool {
	_, filled := s.parts[name]
	return filled || s.literal[name] != ""
}

// engine fills in one set at a time: templates whose functions are bound to a meter.
type engine struct {
	meter
	execute map[string]func(w io.Writer, data any) error
}

// take returns an engine that no one else uses, or nil when ctx has ended.
func (s *Set) take(ctx context.Context) *engine {
	select {
	case e := <-s.engines:
		if e == nil {
			e = s.newEngine()
		}
		e.start(ctx)
		return e
	case <-ctx.Done():
		return nil
	}
}

func (s *Set) giveBack(e *engine) {
	e.ctx = nil
	s.engines <- e
}

func (s *Set) newEngine() *engine {
	e := &engine{execute: make(map[string]func(io.Writer, any) error, len(s.parts))}
	e.options, e.places = &s.options, s.places
	functions := e.functions()
	maps.Copy(functions, e.hidden())
	for name, part := range s.parts {
		if part.page == nil {
			e.execute[name] = template.Must(part.base.Clone()).Funcs(functions).Execute
			continue
		}
		page := htmltemplate.Must(part.page.Clone()).Funcs(functions)
		e.execute[name] = func(w io.Writer, data any) error { return page.Execute(watched{w, e.came}, data) }
	}
	return e
}

// notCompiled says why a part does not compile. Columns of other people's files have
// names such as E-Mail, which is not a name after a dot: Go's parser has no error type
// for that, so its text is read, for one more sentence only.
func (s *Set) notCompiled(err error) string {
	reason := strings.Replace(oneLine(err), s.name+":", "line ", 1)
	if strings.Contains(reason, "bad character U+002D") {
		reason += `: a name with more than letters, digits and _ is written {{index . "E-Mail"}}`
	}
	return reason
}

// oneLine is the text of an error on one line, without the library's name.
func oneLine(err error) string {
	return strings.Join(strings.Fields(strings.TrimPrefix(err.Error(), "template: ")), " ")
}
