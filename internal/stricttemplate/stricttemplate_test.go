package stricttemplate_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/stricttemplate"
)

var options = stricttemplate.Options{
	Functions: map[string]func(a, b string) (string, error){"pair": func(a, b string) (string, error) {
		if a == b {
			return "", errors.New("both are the same")
		}
		return a + "=" + b, nil
	}},
	ParseTime: func(text string) (time.Time, error) { return time.Parse(time.DateOnly, text) },
	Source:    "no data was given",
}

// filled is what a template made: one of both.
type filled struct{ Text, HTML string }

// fill fills in one text, or HTML where the file's name says so.
func fill(t testing.TB, file, source string, data map[string]any) (d filled, err error) {
	t.Helper()
	isHTML := strings.HasSuffix(file, ".html")
	set, err := stricttemplate.Compile(file, options, []stricttemplate.Part{{Name: "body", Text: source, HTML: isHTML, Body: true}})
	text := ""
	if err == nil {
		filling := set.Fill(t.Context(), data)
		defer filling.End()
		text, err = filling.Text("body")
	}
	if err != nil {
		return filled{}, fmt.Errorf("template %s: %w", file, err)
	}
	if isHTML {
		return filled{HTML: text}, nil
	}
	return filled{Text: text}, nil
}

// TestPrintfRefusesWhatFitsNoVerb: it went out in mails as Go's "%!d(string=x)".
func TestPrintfRefusesWhatFitsNoVerb(t *testing.T) {
	data := map[string]any{"s": "x", "p": "50%!d(", "n": 1}
	for source, want := range map[string]string{
		`{{printf "%999999999d" 1}}`: "%!(NOVERB", `{{printf "%d" .s}}`: "%!d(string=x", `{{printf "%d %d" .n}}`: "%!d(MISSING",
		`{{printf "%d" .n .n}}`: "%!(EXTRA int=1", `{{printf "%z" .n}}`: "%!z(int=1", `{{printf "%*d" .s 1}}`: "%!(BADWIDTH",
	} {
		if d, err := fill(t, "m.txt", source, data); err == nil || !strings.Contains(err.Error(), want) || d.Text != "" {
			t.Errorf("%s: %q, %v", source, d.Text, err)
		}
	}
	for source, want := range map[string]string{
		`{{printf "%s" .p}}`: "50%!d(", `{{printf "%d%%!" .n}}`: "1%!", `{{printf "%d%%!d(" .n}}`: "1%!d(", `{{printf "%5.2f|%-3d|%x" 1.5 .n .s}}`: " 1.50|1  |78",
	} {
		if d, err := fill(t, "m.txt", source, data); err != nil || d.Text != want {
			t.Errorf("%s: %q, %v", source, d.Text, err)
		}
	}
}

// TestErrorsShowTheTemplateAsItIs, without what counts its steps.
func TestErrorsShowTheTemplateAsItIs(t *testing.T) {
	data := map[string]any{"a": "x", "b": 1, "m": map[string]any{"k": []any{}}, "t": time.Time{}}
	for source, want := range map[string]string{
		`{{if eq .a .b}}{{end}}`:                  `line 1: {{eq .a .b}}: the text "x" is compared with the number 1: put the number in quotes, or put (number ...) around the text`,
		`{{if lt (len .a) (index .m .a)}}{{end}}`: `line 1: {{lt (len .a) (index .m .a)}}: the number 1 cannot be compared with nothing`,
		`{{range .b.c}}{{end}}`:                   `line 1 has no value for "b.c": what it is a part of is not a group of values`,
		`{{range .a}}{{end}}`:                     `line 1: {{range .a}}: this is not a list`,
		`{{.a.Format "2006"}}`:                    `line 1: {{.a.Format}}: dates are text: {{date "02.01.2006" ...}} writes one in another form`,
		`{{.t.Format .b}}`:                        `line 1: {{.b}}: wrong type for value; expected string; got int`,
		`{{slice .a (or .b 1) 9}}`:                `line 1: {{slice .a (or .b 1) 9}}: index out of range: 9`,
		`{{.a | index .m | printf "%d" .b}}`:      `line 1 has no value for ".a | index .m"`,
	} {
		if _, err := fill(t, "m.html", source, data); err == nil || err.Error() != "template m.html: body: "+want {
			t.Errorf("%s:\n%v, want\n%s", source, err, want)
		}
	}
}

// TestErrorsOfGoAreSaidInOurWords: text/template has no error types for them, so that
// their text is read. A version of Go with other words fails here.
func TestErrorsOfGoAreSaidInOurWords(t *testing.T) {
	data := map[string]any{"name": "Ann", "none": nil, "list": []any{"a"}, "group": map[string]any{"x": map[string]any{}}}
	for source, want := range map[string]string{
		`{{.x}}`:                   `line 1 has no value for "x": there is ["group" "list" "name" "none"]`,
		`{{$.group.y}}`:            `line 1 has no value for "group.y": there is ["x"]`,
		`{{(index .group "x").a}}`: `line 1 has no value for "a": there is ["group" "list" "name" "none"]`,
		`{{.none.x}}`:              `line 1 has no value for "none.x": what it is a part of is null or missing`,
		`{{template "t"}}{{define "t"}}{{.x}}{{end}}`: `line 1 has no value for "x": what it is a part of is null or missing`,
		`{{index .none "x"}}`:                         `line 1 has no value for "index .none \"x\"": what it is a part of is null or missing`,
		`{{.name.x}}`:                                 `line 1 has no value for "name.x": what it is a part of is not a group of values`,
		`{{index .list "x"}}`:                         `line 1 has no value for "index .list \"x\"": what it is a part of is not a group of values`,
		`{{index .name.x 1}}`:                         `line 1 has no value for "name.x": what it is a part of is not a group of values`,
		`{{index true 1}}`:                            `line 1 has no value for "index true 1": what it is a part of is not a group of values`,
		`{{.name.Format "2006"}}`:                     `line 1: {{.name.Format}}: dates are text: {{date "02.01.2006" ...}} writes one in another form`,
		"\n{{range .name}}{{end}}":                    `line 2: {{range .name}}: this is not a list`,
		`{{.E-Mail}}`:                                 `line 1: bad character U+002D '-': a name with more than letters, digits and _ is written {{index . "E-Mail"}}`,
		`{{pair .name .name}}`:                        `line 1: {{pair .name .name}}: both are the same`,
	} {
		for _, file := range []string{"m.txt", "m.html"} {
			if _, err := fill(t, file, source, data); err == nil || err.Error() != "template "+file+": body: "+want {
				t.Errorf("%s:\n%v, want\n%s", source, err, want)
			}
		}
	}
	if _, err := fill(t, "m.txt", "{{.x}}", nil); err == nil || !strings.HasSuffix(err.Error(), `no value for "x": no data was given`) {
		t.Error(err)
	}
}

// TestAfterALimitNothingElseIsFilledIn: the others share the limit.
func TestAfterALimitNothingElseIsFilledIn(t *testing.T) {
	set, err := stricttemplate.Compile("m", options, []stricttemplate.Part{
		{Name: "long", Text: "{{range 2000000}}{{end}}"}, {Name: "wrong", Text: "{{.x}}"}, {Name: "short", Text: "{{.a}}"}, {Name: "literal", Text: "b"}, {Name: "empty"},
	})
	if err != nil {
		t.Fatal(err)
	}
	filling := set.Fill(t.Context(), map[string]any{"a": "1"})
	defer filling.End()
	steps := fmt.Sprintf("long: needs more than %d steps", limits.TemplateSteps)
	for _, step := range []struct{ part, text, err string }{
		{"wrong", "", `wrong: line 1 has no value for "x": there is ["a"]`}, {"short", "1", ""}, {"long", "", steps},
		{"short", "", stricttemplate.ErrStopped.Error()}, {"literal", "b", ""}, {"empty", "", ""}, {"unknown", "", ""},
	} {
		text, err := filling.Text(step.part)
		if text != step.text || err == nil && step.err != "" || err != nil && err.Error() != step.err {
			t.Errorf("%s: %q, %v, want %q, %s", step.part, text, err, step.text, step.err)
		}
	}
	if set.Has("empty") || !set.Has("literal") || !set.Has("short") {
		t.Error("the set does not know its parts")
	}
	why := errors.New("the reason")
	ctx, cancel := context.WithCancelCause(t.Context())
	cancel(why)
	ended := set.Fill(ctx, nil)
	defer ended.End()
	if _, err := ended.Text("short"); !errors.Is(err, why) {
		t.Error(err)
	}
}
