package mailtemplate_test

import (
	"encoding/json"
	"errors"
	"math"
	"strings"
	"testing"

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
		data, err := mailtemplate.ParseData("data.yaml", []byte(source))
		if err != nil {
			var field *message.FieldError
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
		again, err := mailtemplate.ParseData("data.json", once)
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
		var field *message.FieldError
		if err != nil && !errors.As(err, &field) {
			t.Fatalf("error is a %T: %v", err, err)
		}
		if whole := strings.ReplaceAll(mimetext.ToUTF8(source), "\r\n", "\n"); !strings.HasSuffix(whole, s.HTML) {
			t.Fatalf("the body %q is not the end of %q", s.HTML, whole)
		}
	})
}
