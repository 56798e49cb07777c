package mailtemplate_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/mailtemplate"
)

// parsed is data as a row of JSON has it.
func parsed(t testing.TB, source string) map[string]any {
	t.Helper()
	data, err := mailtemplate.ParseData(t.Context(), "d.json", source)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

const odd = `{"name": "Ann", "code": null, "total": "12", "l": [1, null], "m": {"a": 1, "n": null}, "deep": [{"x": null}],
	"list": ["a", "b"], "n": 12, "zero": 0, "price": 1234.50, "yes": true}`

// TestNoWordsOfGoGoOut: where there is no text for a value, nothing is sent, and the
// error names the value.
func TestNoWordsOfGoGoOut(t *testing.T) {
	const missing, null = ` has no value for "E-Mail": there is ["code" "deep" "l" "list" "m" "n" "name" "price" "total" "yes" "zero"]`, ` has no value for "code": it is null`
	for source, want := range map[string]string{
		`{{index . "E-Mail"}}`: missing, `{{index $ "E-Mail"}}`: missing, `{{.code}}`: null, `{{$.code}}`: null, `{{printf "%s" .code}}`: null, `{{print "a" .code}}`: null,
		`{{.code | printf "%v"}}`: null, `{{println .code}}`: null, `{{html .code}}`: null, `{{.code | html}}`: null, `{{urlquery .code}}`: null, `{{js .code}}`: null,
		`{{index . "E-Mail" | printf "%q"}}`: missing, `{{address .code "a@b.example"}}`: null, `{{url .code}}`: null, `{{date "2006" .code}}`: null, `{{number .code}}`: null,
		`{{if .yes}}{{.code}}{{end}}`: null, `{{with .name}}{{$.code}}{{end}}`: null, `{{or .zero .code}}`: `has no value for "or .zero .code"`, `{{with .name}}{{index $ "E-Mail"}}{{end}}`: missing,
		`{{.m.n}}`: `has no value for "m.n": it is null`, `{{index .m "n"}}`: `has no value for "m.n": it is null`, `{{index .m "q"}}`: `has no value for "m.q": there is ["a" "n"]`,
		`{{.m.q}}`: `has no value for "m.q": there is ["a" "n"]`, `{{.code.x}}`: `has no value for "code.x"`, `{{.name.x}}`: `has no value for "name.x"`, `{{.n.x}}`: `has no value for "n.x"`,
		`{{index .code "x"}}`: `null or missing`, `{{index .name "x"}}`: `has no value for "index .name`, `{{$x := .code}}{{$x}}`: `has no value for "$x"`, `{{range .l}}{{.}}{{end}}`: `has no value for "."`,
		`{{range .deep}}{{.x}}{{end}}`: `has no value for "x"`, `{{range $v := .l}}{{$v}}{{end}}`: `has no value for "$v"`, `{{template "t" .code}}{{define "t"}}{{.}}{{end}}`: `has no value for "."`,
		`{{template "t"}}{{define "t"}}{{.x}}{{end}}`: `has no value for "x"`, `{{block "t" .code}}{{.}}{{end}}`: `has no value for "."`, `{{(index .deep 0).x}}`: `has no value for`,
		`{{.l}}`: `"l" is a list, not text`, `{{.m}}`: `"m" is a group of values, not text`, `{{.}}`: `"." is a group of values`, `{{$}}`: `"." is a group`, `{{printf "%v" .l}}`: `"l" is a list`,
		`{{printf "%q" .list}}`: `"list" is a list`, `{{print .m}}`: `"m" is a group`, `{{html .l}}`: `"l" is a list`, `{{.m | html}}`: `"m" is a group`, `{{slice .list 1}}`: `is a list`,
		`{{html "a" .l}}`: `"l" is a list`, `{{join ", " .l}}`: `item 2 is nothing`, `{{join ", " .deep}}`: `item 1 is a group of values`, `{{join ", " .name}}`: `the text "Ann" is not a list`,
		`{{join ", " .n}}`: `the number 12 is not a list`, `{{join ", " .code}}`: `nothing is not a list`, `{{print nil}}`: `nil`, `{{printf "%v" nil}}`: `nil`,
		`{{printf "%d" .total}}`: `"%d" gives "%!d(string=12"`, `{{printf "%d%%" .total}}`: `"%!d(string=12"`, `{{printf "%s %d" "50%!" .total}}`: `"%!d(string=12"`, `{{printf "%d" .price}}`: `"%!d(float64=1234.5"`,
		`{{printf "%d" .yes}}`: `%!d(bool=true`, `{{printf "%s"}}`: `%!s(MISSING`, `{{printf "a" .name}}`: `%!(EXTRA string=Ann`, `{{printf "%[3]d" .n}}`: `%!d(BADINDEX`, `{{printf "100%"}}`: `%!(NOVERB`,
		`{{printf "100% sure %s" .name}}`: `%!s(MISSING`, `{{printf "%T" .name}}`: `%T`, `{{printf "%p" .name}}`: `%p`, `{{printf "%.*f" .name .price}}`: `%!(BADPREC`, `{{printf "%s" .yes}}`: `%!s(bool=true`,
	} {
		for _, name := range []string{"m.txt", "m.html", "m.md"} {
			d, err := fill(t, name, "---\nsubject: fixed\n---\n"+source, parsed(t, odd))
			var field *badinput.FieldError
			if !errors.As(err, &field) || !strings.Contains(err.Error(), want) || d.Text+d.HTML+d.Markdown != "" {
				t.Errorf("%s: %s: %v, %q, want %s", name, source, err, d.Text+d.HTML+d.Markdown, want)
			}
		}
	}
}

// TestDataMaySayGosWords: what looks like them and is the data's, or the template's.
func TestDataMaySayGosWords(t *testing.T) {
	words := `<no value> <nil> %!d(string=x) %!(EXTRA map[a:1] [1 <nil>] #ZgotmplZ ZgotmplZ`
	data := map[string]any{"x": words, "z": "ZgotmplZ", "list": []any{words, "b"}, "u": "https://x.example/#ZgotmplZ"}
	for source, want := range map[string]string{
		`{{.x}}`: words, `{{printf "%s %d%%" .x 5}}`: words + " 5%", `{{print .x}}`: words, `{{join "|" .list}}`: words + "|b", `map[a:1] <no value>`: `map[a:1] <no value>`,
		`{{range .list}}{{.}}{{break}}{{end}}`: words, `{{printf "%!"}}x`: "", `{{printf "%d%%!d(" 1}}`: "1%!d(",
	} {
		d, err := fill(t, "m.txt", "---\nsubject: '"+strings.ReplaceAll(source, "'", "''")+"'\n---\n"+source, data)
		if want != "" && (err != nil || d.Text != want || d.Subject != want) || want == "" && err == nil {
			t.Errorf("%s: %q, %q, %v", source, d.Subject, d.Text, err)
		}
	}
	source := `<p {{.z}}="1" style="color:{{.z}}" title="{{.x}}"><a href="{{.u}}">{{.x}}</a><a href="/{{.x}}"><img srcset="{{.u}} 2x">`
	if d, err := fill(t, "m.html", source, data); err != nil || strings.Count(d.HTML, "ZgotmplZ") != 9 {
		t.Errorf("%d: %s, %v", strings.Count(d.HTML, "ZgotmplZ"), d.HTML, err)
	}
}

// TestNothingThatIsNotWrittenIsNoError: templates say themselves what is to be done
// with null, with zero and with a column that may be missing.
func TestNothingThatIsNotWrittenIsNoError(t *testing.T) {
	for source, want := range map[string]string{
		`{{with .code}}{{.}}{{else}}none{{end}}`: "none", `{{if .code}}a{{else}}none{{end}}`: "none", `{{or .code "-"}}`: "-", `{{with index . "E-Mail"}}{{.}}{{end}}`: "",
		`{{or (index . "E-Mail") "-"}}`: "-", `{{range .code}}{{.}}{{else}}none{{end}}`: "none", `{{if eq .code nil}}a{{end}}`: "a", `{{if eq .code "x"}}a{{else}}b{{end}}`: "b", `{{if ne .code nil}}a{{end}}`: "",
		`{{if eq .name nil}}a{{else}}b{{end}}`: "b", `{{if eq nil .l}}a{{else}}b{{end}}`: "b", `{{not .code}}`: "true", `{{and .code .name | not}}`: "true", `{{$x := .code}}`: "",
		`{{if .zero}}a{{else}}b{{end}}`: "b", `{{with .zero}}a{{else}}b{{end}}`: "b", `{{or .zero "none"}}`: "none", `{{or "" .zero}}`: "0", `{{not .zero}}`: "true", `{{.zero | not}}`: "true", `{{and .n .zero}}`: "0",
		`{{if $x := .zero}}a{{else}}{{$x}}{{end}}`: "0", `{{.zero}}`: "0", `{{if eq .zero 0}}a{{end}}`: "a", `{{if eq (or "" .zero) 0}}a{{end}}`: "a", `{{printf "%03d" (or "" .zero)}}`: "000",
	} {
		for _, name := range []string{"m.txt", "m.html"} {
			d, err := fill(t, name, source, parsed(t, odd))
			if err != nil || d.Text+d.HTML != want {
				t.Errorf("%s: %s: %q, %v, want %q", name, source, d.Text+d.HTML, err, want)
			}
		}
	}
}

// TestNumbersOfDataAreNumbers in comparisons, printf, index, slice and range, from JSON
// and from YAML.
func TestNumbersOfDataAreNumbers(t *testing.T) {
	const data = `{"n": 12, "m": 9, "tenth": 0.1, "tenth2": 0.10, "big": 12345678901234567890, "big2": 12345678901234567891, "neg": -3, "price": 1234.5, "money": 12345678901234567.89,
		"list": ["a", "b"], "one": 1, "e": 1e3, "huge": 1e999999999, "s": "12", "t": "abc", "yes": true, "plus": "+7", "csv": " 3.50 "}`
	for source, want := range map[string]string{
		`{{gt .n 9}} {{gt .n .m}} {{lt .m .n}} {{le .n 12}} {{ge .n 12.0}} {{lt .neg 0}} {{eq .n 12}} {{eq .n 1 2 12}} {{ne .n 3}}`: "true true true true true true true true true",
		`{{eq .tenth 0.1}} {{eq .tenth .tenth2}} {{eq .e 1000}} {{eq .big .big2}} {{lt .big .big2}} {{eq .n "12"}} {{eq .n "13"}}`:  "true true true false true true false",
		`{{eq .huge .huge}} {{eq .s "12"}} {{lt .t "b"}} {{eq .yes true}} {{gt (len .list) 1}} {{eq .list nil}}`:                    "true true true true true false",
		`{{printf "%d|%5d|%-5d|%05d|%x|%+d" .n .n .n .n .n .n}}`:                                                                    "12|   12|12   |00012|c|+12",
		`{{printf "%.2f|%8.2f|%s|%v|%q|%e" .price .price .price .price .n .e}}`:                                                     "1234.50| 1234.50|1234.5|1234.5|\"12\"|1.000000e+03",
		`{{printf "%.2f|%d|%.1f" .money .big .n}}`:                                                                                  "12345678901234567.89|12345678901234567890|12.0",
		`{{index .list .one}}{{slice .t .one}}{{range .one}}x{{end}}{{.one | index .list}}`:                                         "bbcxb",
		`{{printf "%d" (number .s)}} {{gt (number .s) 11}} {{number .csv}} {{printf "%.1f" (number .csv)}} {{number .plus}}`:        "12 true 3.50 3.5 7",
		`{{.n}} {{.price}} {{.e}} {{.big}} {{.money}} {{.huge}} {{.n.String}}`:                                                      "12 1234.5 1e3 12345678901234567890 12345678901234567.89 1e999999999 12",
	} {
		for _, name := range []string{"d.json", "d.yaml"} {
			values, err := mailtemplate.ParseData(t.Context(), name, strings.ReplaceAll("\n"+data, "\n{", map[string]string{"d.json": "{", "d.yaml": "# YAML\n{"}[name]))
			if err != nil {
				t.Fatal(err)
			}
			if d, err := fill(t, "m.txt", source, values); err != nil || d.Text != want {
				t.Errorf("%s: %s:\n%s, %v, want\n%s", name, source, d.Text, err, want)
			}
		}
	}
	for source, want := range map[string]string{
		`{{if eq .s 12}}{{end}}`:   `line 1: {{eq .s 12}}: the text "12" is compared with the number 12: put the number in quotes, or put (number ...) around the text`,
		`{{if gt .s 3}}{{end}}`:    `line 1: {{gt .s 3}}: the text "12" is compared with the number 3: put the number in quotes, or put (number ...) around the text`,
		`{{if lt .n "9"}}{{end}}`:  `line 1: {{lt .n "9"}}: the text "9" is compared with the number 12`,
		`{{if eq .yes 1}}{{end}}`:  `line 1: {{eq .yes 1}}: true, which is true or false cannot be compared with the number 1`,
		`{{if eq .list 1}}{{end}}`: `line 1: {{eq .list 1}}: a list cannot be compared with the number 1`, `{{if lt nil 1}}{{end}}`: `nothing cannot be compared with the number 1`,
		`{{if lt .huge 1}}{{end}}`: `are too large to be compared`, `{{number .t}}`: `line 1: {{number .t}}: the text "abc" is not a number such as 1234.50`, `{{number "1,5"}}`: `is not a number`,
		`{{number .yes}}`: `is not a number`, `{{number ""}}`: `is not a number`, `{{number "0x1F"}}`: `is not a number`, `{{number "007"}}`: `is not a number`,
	} {
		if d, err := fill(t, "m.txt", source, parsed(t, data)); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v, want %s", source, d.Text, err, want)
		}
	}
}

// TestScriptsOfHTMLGetJSON: Outlook and Gmail read it there.
func TestScriptsOfHTMLGetJSON(t *testing.T) {
	source := `<script type="application/ld+json">{"a": {{.l}}, "b": {{.m}}, "c": {{.code}}, "d": {{.n}}, "e": {{.zero}}, "f": {{or "" .zero}}}</script>`
	const want = `<script type="application/ld+json">{"a": [1,null], "b": {"a":1,"n":null}, "c": null, "d": 12, "e": 0, "f": 0}</script>`
	if d, err := fill(t, "m.html", source, parsed(t, odd)); err != nil || strings.ReplaceAll(d.HTML, " ", "") != strings.ReplaceAll(want, " ", "") {
		t.Errorf("%s, %v", d.HTML, err)
	}
	for _, source := range []string{`<script>var a = "{{.l}}"</script>`, "<script>var a = `{{.code}}`</script>", `<p style="width:{{.l}}">`, `<p title={{.code}}>`, `<a href="{{.m}}">`, `<title>{{.code}}</title>`, `<a href="/?a={{.l}}">`, `<img srcset="{{.l}}">`} {
		if d, err := fill(t, "m.html", source, parsed(t, odd)); err == nil || d.HTML != "" {
			t.Errorf("%s: %s", source, d.HTML)
		}
	}
}

func TestDatesOfDataGetALayout(t *testing.T) {
	data := map[string]any{"d": "2026-12-24", "t": "2026-12-24 08:30", "z": "2026-12-24T08:30:00+05:45", "x": "next week"}
	source := `{{date "02.01.2006" .d}} {{date "15:04" .t}} {{.z | date "2 January, 15:04 -0700"}}`
	if d, err := fill(t, "m.txt", source, data); err != nil || d.Text != "24.12.2026 08:30 24 December, 08:30 +0545" {
		t.Errorf("%q, %v", d.Text, err)
	}
	for source, want := range map[string]string{
		`{{date "DD.MM.YYYY" .d}}`: `the layout "DD.MM.YYYY" has "DD"`, `{{date "%d.%m.%Y" .d}}`: `has "%d"`, `{{date "yyyy-MM-dd" .d}}`: `has "yyyy"`,
		`{{date "2006" .x}}`: `"next week": is not a time such as`,
	} {
		if d, err := fill(t, "m.txt", source, data); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %q, %v", source, d.Text, err)
		}
	}
}

// TestYAMLIsTheTextThatWasWritten: it went out as 567, 83, 49301234567, 1.1 and a time
// of Go's.
func TestYAMLIsTheTextThatWasWritten(t *testing.T) {
	for _, scalar := range strings.Fields(`01067 0123 +49301234567 1.10 2026-12-24 2026-12-24T08:00:00Z 1_000 0x1F 0o17 0b101 yes no on off y n Yes True TRUE true False FALSE false .inf -.Inf .NaN 1e3 1E+3 .5 5. -0 -7 0.00
		12:30:45 190:20:30 123456789012345678901234567890 1e999 0 00 007 1.2.3 =x 08`) {
		for form, want := range map[string]string{"k: %s": scalar, "k: [%s]": scalar, "k: {a: %s}": scalar, "k: &a %s\nj: *a": scalar, "<<: {k: %s}": scalar, "k: '%s'": scalar, "k: !!str %s": scalar, "k: |-\n  %s": scalar} {
			data, err := mailtemplate.ParseData(t.Context(), "d.yaml", fmt.Sprintf(form, scalar))
			if err != nil {
				t.Errorf("%s: %v", scalar, err)
				continue
			}
			v := data["k"]
			switch inner := v.(type) {
			case []any:
				v = inner[0]
			case map[string]any:
				v = inner["a"]
			}
			for _, name := range []string{"m.txt", "m.html"} {
				d, err := fill(t, name, "---\nsubject: '{{.v}}'\n---\n{{.v}}", map[string]any{"v": v})
				if got := strings.ReplaceAll(d.Text+d.HTML, "&#43;", "+"); err != nil || d.Subject != want || got != want {
					t.Errorf("%q: %q, %q, %v, want %q", form, d.Subject, got, err, want)
				}
			}
		}
	}
	data, err := mailtemplate.ParseData(t.Context(), "d.yaml", "a:\nb: ~\nc: null\nd: !!int '3'\ne: !!binary aGk=\nf: FALSE\ng: false\nh: 'false'\ni: 0\nj: 0.00\nk: '0'\nl: no\nm: !!float 3\nn: 0x0\n")
	if err != nil {
		t.Fatal(err)
	}
	const source = `{{eq .a .b .c nil}} {{.d}} {{gt .d 2}} {{.e}} {{range $k, $v := .}}{{if $v}}{{$k}}{{end}}{{end}} {{eq .f false}} {{.f}} {{printf "%t %v" .f .f}}`
	if d, err := fill(t, "m.txt", source, data); err != nil || d.Text != "true 3 true hi dehklmn true FALSE false FALSE" {
		t.Errorf("%q, %v", d.Text, err)
	}
	for source, want := range map[string]string{"a: 1\n---\nb: 2\n": "more than one document", "a: !!bool maybe": "cannot decode", "a: 1\n--- [": "did not find"} {
		if _, err := mailtemplate.ParseData(t.Context(), "d.yaml", source); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v", source, err)
		}
	}
}
