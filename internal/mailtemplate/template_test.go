package mailtemplate_test

import (
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/mailtemplate"
	"github.com/smtpsend/smtpsend/internal/message"
)

// fill executes a template on a draft with From only.
func fill(t testing.TB, name, source string, data map[string]any) (message.Draft, error) {
	t.Helper()
	d := message.Draft{From: address.MustParse("build@contoso.example")}
	tmpl, err := mailtemplate.Parse(name, source)
	if err != nil {
		return d, err
	}
	return d, tmpl.Fill(t.Context(), &d, data)
}

func TestTemplateFillsSubjectRecipientsAndBody(t *testing.T) {
	data := map[string]any{"name": `Müller, "Jörg"`, "email": "j@contoso.example", "items": []any{"a<b", 2}, "n": json.Number("12345678901234567"), "sender": ""}
	front := "---\nsubject: 'Report {{.n}} for {{.name}}'\nto: {{address .name .email}}\ncc:\n  - c@contoso.example\n  - {{.email}}\nbcc: x@contoso.example, y@contoso.example\n" +
		"from: \"Reports <r@contoso.example>\"\npriority: low\nheaders:\n  X-Number: '{{.n}}'\n  Sender: '{{if .sender}}{{.sender}}{{end}}'\n---\n"
	for name, tt := range map[string]struct{ body, text, html, markdown string }{
		"m.txt":       {body: "Dear {{.name}},\r\n{{range .items}}* {{.}}\n{{end}}", text: "Dear Müller, \"Jörg\",\n* a<b\n* 2\n"},
		"m.html":      {body: `<a href="https://x.example/?n={{.name}}">{{index .items 0}}</a>`, html: `<a href="https://x.example/?n=M%c3%bcller%2c%20%22J%c3%b6rg%22">a&lt;b</a>`},
		"m.md.tmpl":   {body: "# {{.n}}\n", markdown: "# 12345678901234567\n"},
		"m.HTML.tmpl": {body: "{{.n}}", html: "12345678901234567"},
	} {
		d, err := fill(t, name, front+tt.body, data)
		if err != nil {
			t.Errorf("%s: %v", name, err)
			continue
		}
		if d.Text != tt.text || d.HTML != tt.html || d.Markdown != tt.markdown {
			t.Errorf("%s: text %q, HTML %q, Markdown %q", name, d.Text, d.HTML, d.Markdown)
		}
		got := fmt.Sprint(d.Subject, "|", d.From, "|", d.To, "|", d.Cc, "|", d.Bcc, "|", d.Priority, "|", d.Headers)
		want := `Report 12345678901234567 for Müller, "Jörg"|Reports <r@contoso.example>|[` + d.To[0].String() + `]|[c@contoso.example j@contoso.example]|[x@contoso.example y@contoso.example]|low|[{X-Number 12345678901234567}]`
		if got != want || len(d.To) != 1 || d.To[0].Name != `Müller, "Jörg"` {
			t.Errorf("%s:\n%s\nwant\n%s", name, got, want)
		}
		m, err := message.Compose(t.Context(), d)
		if err != nil {
			t.Errorf("%s: composing: %v", name, err)
			continue
		}
		_ = m.Close()
	}
}

func TestTemplateWithoutFrontMatterChangesTheBodyOnly(t *testing.T) {
	for source, want := range map[string]string{"hi {{.a}}": "hi 1", "---\n---\nx": "x", "---\n# nothing\n---\nx\n": "x\n", "": "", "-- \nx": "-- \nx"} {
		d, err := fill(t, "m", source, map[string]any{"a": 1})
		if err != nil || d.Text != want || d.Subject != "" || d.To != nil {
			t.Errorf("%q: %+v, %v, want text %q", source, d, err, want)
		}
	}
}

func TestTemplateSaysWhatIsWrong(t *testing.T) {
	for source, want := range map[string]string{
		"hi {{.nmae}}":                              `template m.txt: body: line 1 has no value for "nmae": there is ["evil" "name"]`,
		"---\nsubject: '{{.x}}'\n---\n":             `template m.txt: subject: line 1 has no value for "x": there is ["evil" "name"]`,
		"{{.E-Mail}}":                               `template m.txt: body: line 1: bad character U+002D '-': a name with more than letters, digits and _ is written {{index . "E-Mail"}}`,
		"a\n{{if}}":                                 `template m.txt: body: line 2: missing value for if`,
		"---\nsubject: a\n":                         `template m.txt: front matter: no second line of ---`,
		"---\nsubjetc: a\n---\n":                    `template m.txt: front matter: line 2: unknown key "subjetc": known are subject, from, to, cc, bcc, reply_to, mailbox, priority, headers, attach, at, text`,
		"---\nto: '{{.evil}}'\n---\n":               `to "a@b.example\nBcc: x@y.example": a line feed at octet 12: a field is one line`,
		"---\nto: '{{.name}}'\n---\n":               `to "Ann": no @ and domain`,
		"---\nto: '{{address .name .name}}'\n---\n": `template m.txt: to: line 1: {{address .name .name}}: address "Ann": no @ and domain`,
		"{{range $i := 1000000000}}xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx{{end}}": `template m.txt: body: the result has more than 16777216 octets`,
	} {
		_, err := fill(t, "m.txt", source, map[string]any{"evil": "a@b.example\nBcc: x@y.example", "name": "Ann"})
		var fe *badinput.FieldError
		if !errors.As(err, &fe) || err.Error() != want {
			t.Errorf("%.60q: %v, want %s", source, err, want)
		}
	}
}

// TestErrorsOfYAMLAreSaidInOurWords: the library has no error type for a key, so that
// its text is read. A version with other words fails here.
func TestErrorsOfYAMLAreSaidInOurWords(t *testing.T) {
	for front, want := range map[string]string{
		"subject: a\nsubjetc: b\n": `front matter: line 3: unknown key "subjetc": known are subject, `,
		"subject: [a\n":            `front matter: line 1: did not find expected ',' or ']'`,
		"headers: a\n":             "front matter: line 2: cannot unmarshal !!str `a` into map[string]string",
	} {
		if _, err := mailtemplate.ParseSource("m.txt", "---\n"+front+"---\n"); err == nil || !strings.HasPrefix(err.Error(), "template m.txt: "+want) {
			t.Errorf("%q: %v, want %s", front, err, want)
		}
	}
}

func TestTemplateSaysWhereValuesComeFrom(t *testing.T) {
	many := map[string]any{}
	for i := range 22 {
		many[fmt.Sprintf("c%02d", i)] = i
	}
	for want, data := range map[string]map[string]any{
		`for "x": --data and --set give values, in batch the columns`: nil,
		`"c19"] and 2 more`: many,
	} {
		if _, err := fill(t, "m.txt", "{{.x}}", data); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
}

func TestTemplateSubjectCannotInjectAField(t *testing.T) {
	d, err := fill(t, "m", "---\nsubject: '{{.x}}'\nto: a@contoso.example\n---\n", map[string]any{"x": "a\r\nBcc: b@c"})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := message.Compose(t.Context(), d); err == nil || err.Error() != `Subject "a\r\nBcc: b@c": a carriage return at octet 2: a field is one line` {
		t.Errorf("err = %v", err)
	}
}

func TestDataOfJSONAndYAML(t *testing.T) {
	for in, want := range map[string]string{
		`a.json {"a": {"b": 12345678901234567}, "c": [1.50]}`: `map[a:map[b:12345678901234567] c:[1.50]]`,
		"a.yaml a:\n  b: ü\nc: [x, y]":                        `map[a:map[b:ü] c:[x y]]`,
		`- {"a": 1}`:                                          `map[a:1]`,
		"a.json ":                                             `map[]`,
		"a.yml ":                                              `map[]`,
	} {
		name, source, _ := strings.Cut(in, " ")
		data, err := mailtemplate.ParseData(t.Context(), name, source)
		if got := fmt.Sprint(data); err != nil || got != want {
			t.Errorf("%s: %s, %v, want %s", in, got, err, want)
		}
	}
	for in, want := range map[string]string{
		`a.json [1]`:        `data a.json: is not a mapping of names to values, such as {"name": "Ada"}`,
		`a.json {"a":1} {}`: `data a.json: more than one value`,
		"a.yaml - x":        `data a.yaml: is not a mapping of names to values, such as {"name": "Ada"}`,
	} {
		name, source, _ := strings.Cut(in, " ")
		if _, err := mailtemplate.ParseData(t.Context(), name, source); err == nil || err.Error() != want {
			t.Errorf("%s: %v, want %s", in, err, want)
		}
	}
}

func TestSetDataSetsNestedValues(t *testing.T) {
	data := map[string]any{"a": "x", "c": map[string]any{"d": 1}}
	for _, s := range []string{"a=1=2", "c.e= y", "n.m.o=z"} {
		if err := mailtemplate.SetData(data, s); err != nil {
			t.Error(err)
		}
	}
	if got, want := fmt.Sprint(data), "map[a:1=2 c:map[d:1 e: y] n:map[m:map[o:z]]]"; got != want {
		t.Errorf("%s, want %s", got, want)
	}
	for in, want := range map[string]string{
		"abc":   `--set "abc": must be key=value`,
		"=x":    `--set "=x": must be key=value`,
		"a.b=x": `--set "a.b=x": a is a value, not a group of values`,
	} {
		if err := mailtemplate.SetData(data, in); err == nil || err.Error() != want {
			t.Errorf("%v, want %s", err, want)
		}
	}
}
