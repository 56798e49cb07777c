package mailtemplate_test

import (
	"encoding/json"
	"errors"
	"fmt"
	htmltemplate "html/template"
	"math"
	"regexp"
	"slices"
	"strings"
	"testing"
	"text/template"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/mailtemplate"
	"github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/mimetext"
)

// FuzzParseData: data that is read can be written as JSON and read again as the
// same, and what is wrong is said of the data.
func FuzzParseData(f *testing.F) {
	for _, seed := range []string{"", "a: 1\nb: [x, {c: null}]\n", `{"a": 12345678901234567890, "b": "\u0000\r\n"}`, "a: &x [1]\nb: *x\n", "? [a]\n: b\n", "a: .inf", "- a", "a: 2026-01-02", "true: x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, source string) {
		data, err := mailtemplate.ParseData(t.Context(), "data.yaml", source)
		if err != nil {
			var field *badinput.FieldError
			if !errors.As(err, &field) {
				t.Fatalf("error is a %T: %v", err, err)
			}
			return
		}
		if !finite(data) {
			return // JSON has no infinity
		}
		once, err := json.Marshal(data)
		if err != nil {
			t.Fatalf("%#v is no JSON: %v", data, err)
		}
		again, err := mailtemplate.ParseData(t.Context(), "data.json", string(once))
		if err != nil {
			t.Fatalf("reading %s again: %v", once, err)
		}
		if twice, err := json.Marshal(again); err != nil || string(twice) != string(once) {
			t.Fatalf("%s became %s (%v)", once, twice, err)
		}
	})
}

func finite(v any) bool {
	switch v := v.(type) {
	case map[string]any:
		for _, value := range v {
			if !finite(value) {
				return false
			}
		}
	case []any:
		for _, value := range v {
			if !finite(value) {
				return false
			}
		}
	case float64:
		return !math.IsInf(v, 0) && !math.IsNaN(v)
	}
	return true
}

// FuzzParseSource: whatever a template's file holds, it is read or the error
// says which field is wrong; the body is its end.
func FuzzParseSource(f *testing.F) {
	for _, seed := range []string{"hi {{.a}}", "---\nsubject: x\nto: [a@b.example, '{{.c}}']\nheaders: {X-A: b}\n---\nbody\r\n", "---\n---\n", "---\nsubject: x", "---\nto: {a: b}\n---\n", "---\nsubject: {{.n}}\n---\n{{range"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, source string) {
		s, err := mailtemplate.ParseSource("m.html", source)
		if err == nil {
			_, err = mailtemplate.Compile("m.html", s)
		}
		var field *badinput.FieldError
		if err != nil && !errors.As(err, &field) {
			t.Fatalf("error is a %T: %v", err, err)
		}
		if whole := strings.ReplaceAll(mimetext.ToUTF8(source), "\r\n", "\n"); !strings.HasSuffix(whole, s.HTML) {
			t.Fatalf("the body %q is not the end of %q", s.HTML, whole)
		}
	})
}

// ours are the names of functions that no template has written.
var ours = regexp.MustCompile(`_(weigh|index|given|argument|written|shown|ranged|truth|verbatim|step|enter|leave|html|eval)`)

// FuzzFill: whatever template and data are, filling in ends, says what is wrong
// of the template, makes no more than is allowed, and comes to what Go's own
// templates make of them.
func FuzzFill(f *testing.F) {
	for _, bomb := range templateBombs {
		if len(bomb[0]) < 200 && !strings.HasPrefix(bomb[0], "---") && !strings.Contains(bomb[0], "0000") { // a million steps take their time
			f.Add(bomb[0], `{"long": "aaaa", "same": "aaaa", "n": 7, "list": [1, "<a>", null], "wide": {"x": 1}}`)
		}
	}
	for _, seed := range []string{
		`{{range $i, $v := .list}}{{$i}}{{if eq $v 1}}{{continue}}{{end}}{{$v}}{{else}}none{{end}}`, `<a href="/{{.long}}" {{if .n}}title={{.n}}{{end}}>{{.list}}</a>`,
		`{{define "x"}}{{.}}{{end}}{{template "x" .n}}{{block "y" .wide}}{{.x}}{{end}}`, `{{with $x := .wide}}{{$x.x | printf "%03d"}}{{end}}{{print 1 2}}{{html "<"}}`,
		`<script>var a = {{.wide}}, b = "{{.long}}"</script><style>a{color:{{.long}}}</style>`, `{{- /* c */ -}}{{"}}"}}{{'x'}}{{index .list 1}}{{slice .long 1 2}}{{not .n}}`,
	} {
		f.Add(seed, `{"long": "a'b", "n": 7, "list": [1, 2], "wide": {"x": 1}}`)
	}
	f.Fuzz(func(t *testing.T, source, data string) {
		values, err := mailtemplate.ParseData(t.Context(), "d.json", data)
		if err != nil {
			return
		}
		for _, name := range []string{"m.txt", "m.html"} {
			s := mailtemplate.Source{Text: source}
			if name == "m.html" {
				s = mailtemplate.Source{HTML: source}
			}
			tmpl, err := mailtemplate.Compile(name, s)
			var d message.Draft
			if err == nil {
				err = tmpl.Fill(t.Context(), &d, values)
			}
			var field *badinput.FieldError
			if err != nil && (!errors.As(err, &field) || !strings.Contains(source, "_") && ours.MatchString(err.Error())) {
				t.Fatalf("%T: %v", err, err)
			}
			if err != nil {
				continue
			}
			if want, same := plainGo(name, source, values); same && d.Text+d.HTML != want {
				t.Fatalf("%s: %q became\n%q, want\n%q", name, source, d.Text+d.HTML, want)
			}
			if text := d.Text + d.HTML; !strings.Contains(source+data, "!") && strings.Contains(text, "%!") || !strings.Contains(source+data, "Z") && strings.Contains(text, "ZgotmplZ") ||
				!strings.Contains(source+data, "no") && strings.Contains(text, "<no value>") || !strings.Contains(source+data, "map") && strings.Contains(text, "map[") {
				t.Fatalf("%s: %q became %q", name, source, text)
			}
		}
	})
}

// plainGo is what Go's templates make of a source that is known to end. It is not the
// same where Go refuses what we take, such as the comparison of a number of JSON, and
// where we have functions of our own, or keep comments for Outlook.
func plainGo(name, source string, data map[string]any) (text string, same bool) {
	for _, ours := range []string{"url", "join", "date", "number", "printf", "eq", "ne", "lt", "le", "gt", "ge", "<!--[if ", "<![endif]"} {
		if strings.Contains(source, ours) {
			return "", false
		}
	}
	if hasZero(data) { // it is nothing here, and something there
		return "", false
	}
	var out strings.Builder
	functions := map[string]any{"address": func(a, b any) (string, error) {
		addr, err := address.Parse("address", fmt.Sprint(b))
		addr.Name = mimetext.CleanName(fmt.Sprint(a))
		return addr.String(), err
	}}
	var err error
	if name == "m.html" {
		err = htmltemplate.Must(htmltemplate.New(name).Funcs(functions).Option("missingkey=error").Parse(source)).Execute(&out, inScripts(data))
	} else {
		err = template.Must(template.New(name).Funcs(functions).Option("missingkey=error").Parse(source)).Execute(&out, data)
	}
	return out.String(), err == nil
}

// number is one of JSON that is a number in a script, too.
type number string

func (n number) String() string               { return string(n) }
func (n number) MarshalJSON() ([]byte, error) { return []byte(n), nil }

func inScripts(v any) any {
	switch v := v.(type) {
	case json.Number:
		return number(v)
	case map[string]any:
		m := map[string]any{}
		for name, value := range v {
			m[name] = inScripts(value)
		}
		return m
	case []any:
		list := make([]any, len(v))
		for i, value := range v {
			list[i] = inScripts(value)
		}
		return list
	}
	return v
}

// hasZero reports a number in the data that is 0.
func hasZero(v any) bool {
	switch v := v.(type) {
	case json.Number:
		f, err := v.Float64()
		return f == 0 || err != nil
	case map[string]any:
		for _, value := range v {
			if hasZero(value) {
				return true
			}
		}
	case []any:
		return slices.ContainsFunc(v, hasZero)
	}
	return false
}
