package mailtemplate_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"runtime"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/mailtemplate"
	"github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/until/untiltest"
)

// hostileData is what templates find: long texts, wide groups, many values.
func hostileData() map[string]any {
	wide := map[string]any{}
	for i := range 20_000 {
		wide[fmt.Sprintf("k%05d", i)] = i
	}
	return map[string]any{
		"long": strings.Repeat("'", 3<<20), "same": strings.Repeat("'", 3<<20), "huge": strings.Repeat("'", 5<<20),
		"items": slices.Repeat([]any{"x"}, 10),
		"wide":  wide, "n": json.Number("7"), "list": []any{1, "a", nil, 2.5}, "t": time.Date(2026, 11, 30, 7, 0, 0, 0, time.UTC), "nil": nil,
	}
}

// templateBombs never ended, took all memory, or ended the process. Each of them
// is refused with the words after it; .html at the end of a name is the body's kind.
var templateBombs = map[string][2]string{
	"range":          {`{{range 99999999999999}}{{end}}`, "body: needs more than 1000000 steps"},
	"range.html":     {`{{range 99999999999999}}{{end}}`, "body: needs more than 1000000 steps"},
	"nested":         {`{{range 30000}}{{range 30000}}{{end}}{{end}}`, "steps"},
	"else":           {`{{range 30000}}{{range 0}}{{else}}{{range 30000}}{{end}}{{end}}{{end}}`, "steps"},
	"with":           {`{{range 1000}}{{with 1}}{{range 3000}}{{break}}{{end}}{{range 3000}}{{continue}}{{end}}{{end}}{{end}}`, "steps"},
	"sorted":         {`{{range 30000}}{{range .wide}}{{break}}{{end}}{{end}}`, "not a group of values"},
	"sorted 2":       {`{{range 30000}}{{range $.wide}}{{break}}{{end}}{{end}}`, "steps"},
	"subject":        {"---\nsubject: '{{range 99999999999999}}{{end}}'\n---\nx", "subject: needs more than 1000000 steps"},
	"to":             {"---\nto: '{{range 99999999999999}}{{end}}'\n---\nx", "to: needs more than 1000000 steps"},
	"header":         {"---\nheaders: {X-A: '{{range 99999999999999}}{{end}}'}\n---\nx", "header X-A: needs more than 1000000 steps"},
	"doubling":       {`{{$x := "a"}}{{range 40}}{{$x = print $x $x}}{{end}}`, "makes more than 16777216 octets"},
	"doubling 2":     {`{{$x := "a"}}{{range 40}}{{$x = printf "%s%s" $x $x}}{{end}}`, "makes more than"},
	"doubling 3":     {`{{$x := "&"}}{{range 40}}{{$x = print $x $x | html}}{{end}}`, "makes more than"},
	"doubling 4":     {`{{$x := "'"}}{{range 400}}{{$x = js $x}}{{end}}`, "makes more than"},
	"doubling 5":     {`{{$x := "&"}}{{range 400}}{{$x = print $x $x | urlquery}}{{end}}`, "makes more than"},
	"doubling 6":     {`{{$x := "a"}}{{range 40}}{{$x = println $x $x}}{{end}}`, "makes more than"},
	"width":          {`{{range 1000}}{{$x := printf "%999999d" 1}}{{end}}`, "makes more than"},
	"widths":         {`{{$x := printf "` + strings.Repeat("%999999d", 100) + `" 1}}`, "makes more than"},
	"same argument":  {`{{$x := printf "` + strings.Repeat("%[1]s", 100) + `" .long}}`, "makes more than"},
	"star":           {`{{range 1000}}{{$x := printf "%*d" 999999 1}}{{end}}`, "makes more than"},
	"precision":      {`{{range 1000}}{{$x := printf "%.999999f" 1.5}}{{end}}`, "makes more than"},
	"every value":    {`{{$x := join .long .items}}`, "makes more than"},
	"linked":         {`{{$u := url .long}}{{range 1000}}{{$x := print $u $u}}{{end}}`, "makes more than"},
	"dates":          {`{{range 100000}}{{$x := date $.long "2026-11-30"}}{{end}}`, "makes more than"},
	"digits":         {`{{range 100000}}{{$x := printf "%.300f" $.n}}{{end}}`, "makes more than"},
	"quoted":         {`{{$x := printf "%+q" .long}}`, "makes more than"},
	"address":        {`{{range 1000}}{{$x := address $.long "a@b.example"}}{{end}}`, "makes more than"},
	"compare":        {`{{range 100000}}{{if eq $.long $.same}}{{end}}{{end}}`, "steps"},
	"compare 2":      {`{{range 100000}}{{if eq (slice $.long 1) (slice $.same 1)}}{{end}}{{end}}`, "steps"},
	"compare 3":      {`{{range 100000}}{{if lt $.long $.same}}{{end}}{{end}}`, "steps"},
	"key":            {`{{range 100000}}{{if index $.wide $.long}}{{end}}{{end}}`, "steps"},
	"layout":         {`{{range 100000}}{{$x := $.t.Format $.long}}{{end}}`, "makes more than"},
	"recursion":      {`{{define "a"}}{{template "a" .}}{{end}}{{template "a" .}}`, "more than 100 templates that call each other"},
	"recursion.html": {`{{define "a"}}{{template "a" .}}{{end}}{{template "a" .}}`, "a template that calls itself"},
	"script.html":    {"<script>var a = {{template \"a\" .}}</script>{{define \"a\"}}`${ {{if .}}{{template \"a\" .}}{{end}} }`{{end}}", "a template that calls itself"},
	"chain":          {chained(30), "steps"},
	"chain.html":     {chained(30), "nested too deeply"},
	"scripts.html":   {chainedScripts(30), "nested too deeply"},
	"ranges.html":    {strings.Repeat("{{range .list}}", 40) + "x" + strings.Repeat("{{end}}", 40), "nested too deeply"},
	"ranges":         {strings.Repeat("{{range $.list}}", 40) + "x" + strings.Repeat("{{end}}", 40), "steps"},
	"blocks":         {strings.Repeat("{{if 1}}", 5000) + strings.Repeat("{{end}}", 5000), "more than 100 deep"},
	"else if":        {"{{if 1}}" + strings.Repeat("{{else if 1}}", 5000) + "{{end}}", "more than 100 deep"},
	"parentheses":    {"{{" + strings.Repeat("(", 5000) + "1" + strings.Repeat(")", 5000) + "}}", "more than 100 deep"},
	"defines":        {strings.Repeat(`{{block "a" .}}{{end}}`, 5000), "more than 100 templates of define and block"},
	"actions":        {strings.Repeat("{{.n}}", 100_000), "more than 131072 octets between {{ and }}"},
	"variables":      {strings.Repeat("{{$a := 1}}", 5000), "more than 200 variables"},
	"variables 2":    {strings.Repeat("{{range $é, $ü := .list}}{{end}}", 150), "more than 200 variables"},
	"fields":         {"---\nto: [" + strings.Repeat("'{{.n}}',", 2000) + "]\n---\n", "more than 1000 fields with {{ and }}"},
	"directives":     {"---\n" + directives(19_000) + "---\nx", "more than 20000 lines, commas"},
	"front matter":   {"---\nto: [" + strings.Repeat("a,", 400_000) + "]\n---\n", "more than 20000 lines, commas"},
	"escaped.html":   {`{{.huge}}`, "a value of 5242880 octets to write into HTML"},
	"style.html":     {`<style>{{range 100000}}{{$.long}}{{end}}</style>`, "which HTML does not allow there"},
	"script 2.html":  {`<script>{{range 100000}}{{$.wide}}{{end}}</script>`, "steps"},
	"result":         {`{{range 100000}}{{$.long}}{{end}}`, "the result has more than 16777216 octets"},
	"result subject": {"---\nsubject: '{{.long}}'\n---\nx", "subject: all fields together have more than 2097152 octets"},
	"many ranges":    {"---\n" + headers(900, "{{range 900000}}{{end}}") + "---\nx", "header X-001: needs more than 1000000 steps"},
	"many printfs":   {"---\n" + headers(400, `{{range 100}}{{if printf "%20000d" 1}}{{end}}{{end}}`) + "---\nx", "makes more than 16777216 octets"},
	"many headers":   {"---\n" + headers(500, `{{slice .long 1000000}}`) + "---\nx", "all fields together have more than 2097152 octets"},
	"many to":        {"---\nto: [" + strings.Repeat("'{{range 3000}}a@contoso.example,{{end}}a@contoso.example',", 300) + "]\n---\nx", "all fields together"},
	"many attach":    {"---\nattach: [" + strings.Repeat("'{{slice .long 1000000}}',", 400) + "]\n---\nx", "all fields together"},
	"hidden":         {`{{_leave 0}}`, `function "_leave" not defined`},
	"hidden.html":    {`{{_step 0}}`, `function "_step" not defined`},
}

// headers are n header fields of the same value, which begins with x.
func headers(n int, value string) string {
	var b strings.Builder
	b.WriteString("headers:\n")
	for i := range n {
		fmt.Fprintf(&b, "  X-%03d: 'x%s'\n", i, value)
	}
	return b.String()
}

// directives are n lines that YAML's parser compares with each other.
func directives(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "%%TAG !a%d! x\n", i)
	}
	return b.String()
}

// chained is a chain of templates each of which calls the next one twice.
func chained(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, `{{define "a%d"}}{{template "a%d" .}}{{template "a%d" .}}{{end}}`, i, i+1, i+1)
	}
	fmt.Fprintf(&b, `{{define "a%d"}}x{{end}}{{template "a0" .}}`, n)
	return b.String()
}

// chainedScripts is chained where each call stands at another place of a script.
func chainedScripts(n int) string {
	var b strings.Builder
	for i := range n {
		fmt.Fprintf(&b, "{{define \"a%d\"}}`${ {{template \"a%d\" .}} } ${ { {{template \"a%d\" .}} } }`{{end}}", i, i+1, i+1)
	}
	fmt.Fprintf(&b, "{{define \"a%d\"}}1{{end}}<script>{{template \"a0\" .}}</script>", n)
	return b.String()
}

func TestHostileTemplatesAreRefused(t *testing.T) {
	data := hostileData()
	for name, bomb := range templateBombs {
		file := strings.TrimSuffix(name, ".html") + ".txt"
		if strings.HasSuffix(name, ".html") {
			file = name
		}
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		d, err := fill(t, file, bomb[0], data)
		runtime.ReadMemStats(&after)
		var field *badinput.FieldError
		if !errors.As(err, &field) || !strings.HasPrefix(field.Field, "template ") || !strings.Contains(err.Error(), bomb[1]) {
			t.Errorf("%s: %.300v, want %q", name, err, bomb[1])
		}
		if taken := after.TotalAlloc - before.TotalAlloc; taken > 150<<20 || !strings.HasPrefix(bomb[0], "---") && len(d.Text)+len(d.HTML) > 0 {
			t.Errorf("%s: %d MB were taken, %d octets made", name, taken>>20, len(d.Text)+len(d.HTML))
		}
	}
}

func TestTemplatesOfPeopleStayWithinLimits(t *testing.T) {
	rows := make([]any, 10_000)
	for i := range rows {
		rows[i] = map[string]any{"name": fmt.Sprintf("Item <%d>", i), "price": float64(i) / 7, "new": i%2 == 0}
	}
	data := map[string]any{"rows": rows, "tree": map[string]any{"name": "a", "sub": []any{map[string]any{"name": "b", "sub": []any{}}}}, "log": strings.Repeat("line\n", 1<<20)}
	for file, body := range map[string]string{
		"table.html": `<table>{{range $i, $row := .rows}}<tr class="{{if eq $row.name "x"}}a{{else if $row.new}}b{{else}}c{{end}}"><td>{{$i}}<td>{{.name}}<td>{{printf "%8.2f" .price}}{{end}}</table>`,
		"table.txt":  `{{range .rows}}{{printf "%-20s %8.2f" .name .price}}{{if and .new (gt .price 100.0)}} new{{end}}{{"\n"}}{{end}}`,
		"tree.txt":   `{{define "node"}}{{.name}}({{range .sub}}{{template "node" .}}{{end}}){{end}}{{template "node" .tree}}`,
		"log.txt":    `{{.log}}`,
		"block.html": `{{block "main" .}}<p>{{len .rows}}</p>{{end}}`,
	} {
		d, err := fill(t, file, body, data)
		if err != nil || len(d.Text)+len(d.HTML) == 0 {
			t.Errorf("%s: %v", file, err)
		}
		if file == "tree.txt" && d.Text != "a(b())" {
			t.Errorf("%s: %q", file, d.Text)
		}
	}
}

func TestFillingEndsWithItsContext(t *testing.T) {
	ctx, cancel := context.WithCancelCause(t.Context())
	why := errors.New("the reason")
	cancel(why)
	for _, file := range []string{"m.txt", "m.html"} {
		tmpl, err := mailtemplate.Parse(file, "---\nsubject: '{{.x}}'\nat: '{{.x}}'\n---\n{{range 900000}}{{end}}")
		if err != nil {
			t.Fatal(err)
		}
		slow := untiltest.EndsAfter(t.Context(), 20)
		d := message.Draft{}
		if errs := tmpl.FillAll(slow, &d, map[string]any{"x": ""}); len(errs) != 1 || !errors.Is(errs[0], context.Canceled) || d.Text+d.HTML != "" {
			t.Errorf("%s: %v, %d octets", file, errs, len(d.Text+d.HTML))
		}
		if errs := tmpl.FillAll(ctx, &d, map[string]any{"x": ""}); len(errs) != 1 || !errors.Is(errs[0], why) {
			t.Errorf("%s: %v", file, errs)
		}
		if _, err := tmpl.At(ctx, map[string]any{"x": ""}); !errors.Is(err, why) {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// TestTemplatesAreFilledInAtTheSameTime: what one counts is not another's.
func TestTemplatesAreFilledInAtTheSameTime(t *testing.T) {
	for _, file := range []string{"m.txt", "m.html"} {
		tmpl, err := mailtemplate.Parse(file, `{{$x := ""}}{{range 20000}}{{$x = .}}{{end}}{{.a}}{{template "t" .}}{{define "t"}}-{{.a}}{{end}}`)
		if err != nil {
			t.Fatal(err)
		}
		var wg sync.WaitGroup
		for i := range 40 {
			wg.Go(func() {
				var d message.Draft
				err := tmpl.Fill(context.Background(), &d, map[string]any{"a": i})
				if want := fmt.Sprintf("%d-%d", i, i); err != nil || d.Text+d.HTML != want {
					t.Errorf("%s: %q, %v, want %q", file, d.Text+d.HTML, err, want)
				}
			})
		}
		wg.Wait()
	}
}

func TestDataIsBounded(t *testing.T) {
	billion := "a: &a [x,x,x,x,x,x,x,x,x]\n"
	for c := 'b'; c < 'j'; c++ {
		billion += fmt.Sprintf("%c: &%c [*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c,*%c]\n", c, c, c-1, c-1, c-1, c-1, c-1, c-1, c-1, c-1, c-1)
	}
	var keys strings.Builder
	for i := range 60_000 {
		fmt.Fprintf(&keys, "k%d: 1\n", i)
	}
	for name, bomb := range map[string][2]string{
		"values.json":  {`{"a": [` + strings.Repeat("0,", 1<<20) + "0]}", "has more than 50000 values"},
		"nested.json":  {`{"a": ` + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "}", "is nested more than 100 deep"},
		"objects.json": {`{"a": [` + strings.Repeat(`{},`, 1<<20) + "0]}", "has more than 50000 values"},
		"values.yaml":  {"a: [" + strings.Repeat("0,", 1<<20) + "]", "lines, commas, colons and brackets"},
		"keys.yaml":    {"x: {\n" + strings.ReplaceAll(keys.String(), "\n", ", ") + "}", "more than 50000 values"},
		"keys 2.yaml":  {keys.String(), "more than 50000 values"},
		"nested.yaml":  {"a: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000), "nested more than 100 deep"},
		"marks.yaml":   {strings.Repeat("?\n", 1<<20), "lines, commas, colons and brackets"},
		"aliases.yaml": {billion, "more than 50000 values"},
		"itself.yaml":  {"a: &a [*a]", "nested more than 100 deep"},
		"tags.yaml":    {directives(100_000) + "a: b", "lines, commas, colons and brackets"},
		"size.json":    {`{"a": "` + strings.Repeat("x", limits.Data) + `"}`, "has more than 8388608 octets"},
	} {
		var before, after runtime.MemStats
		runtime.ReadMemStats(&before)
		_, err := mailtemplate.ParseData(t.Context(), name, bomb[0])
		runtime.ReadMemStats(&after)
		var field *badinput.FieldError
		if !errors.As(err, &field) || !strings.Contains(err.Error(), bomb[1]) {
			t.Errorf("%s: %.300v, want %q", name, err, bomb[1])
		}
		if taken := after.TotalAlloc - before.TotalAlloc; taken > 100<<20 {
			t.Errorf("%s: %d MB were taken", name, taken>>20)
		}
	}
	if err := mailtemplate.SetData(map[string]any{}, strings.Repeat("a.", 200)+"b=c"); err == nil || !strings.HasSuffix(err.Error(), "is nested more than 100 deep") {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := mailtemplate.ParseData(ctx, "a.yaml", "a: b"); !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}

// TestYAMLGivesTheSameAsJSON on every level, whatever the keys are.
func TestYAMLGivesTheSameAsJSON(t *testing.T) {
	for source, want := range map[string]string{
		"000:\n  0: a\n  true: b\n  1.50: c":                   `{"000":{"0":"a","1.50":"c","true":"b"}}`,
		"a: &a {x: 1, y: 2}\nb:\n  <<: *a\n  y: 3":             `{"a":{"x":1,"y":2},"b":{"x":1,"y":3}}`,
		"a: &a {x: 1}\nb: &b {x: 2, z: 4}\nc:\n  <<: [*a, *b]": `{"a":{"x":1},"b":{"x":2,"z":4},"c":{"x":1,"z":4}}`,
		"a: [1, 2.5, yes, null, ~, '7', 0x10]":                 `{"a":[1,2.5,"yes",null,null,"7","0x10"]}`,
		"? a\n: b":                                             `{"a":"b"}`,
		"a: |\n  x\n  y\nb: c":                                 `{"a":"x\ny\n","b":"c"}`,
		"~":                                                    `{}`, "# nothing": `{}`,
	} {
		data, err := mailtemplate.ParseData(t.Context(), "d.yaml", source)
		got, jsonErr := json.Marshal(data)
		if err != nil || jsonErr != nil || string(got) != want {
			t.Errorf("%q: %s, %v, %v, want %s", source, got, err, jsonErr, want)
		}
	}
	for source, want := range map[string]string{
		"a: 1\na: 2":          `line 2: mapping key "a" already defined at line 1`,
		"a: {b: 1, b: 2}":     `line 1: mapping key "b" already defined at line 1`,
		"? [a]\n: b":          `line 1: a key is a list or a mapping, not a text`,
		"a: 1\nb:\n  <<: 7\n": `line 3: << is before something that is not a mapping`,
	} {
		if _, err := mailtemplate.ParseData(t.Context(), "d.yaml", source); err == nil || err.Error() != "data d.yaml: "+want {
			t.Errorf("%q: %v, want %s", source, err, want)
		}
	}
	data, err := mailtemplate.ParseData(t.Context(), "d.yaml", "a:\n  0: x")
	if err == nil {
		err = mailtemplate.SetData(data, "a.b=y")
	}
	if got := fmt.Sprint(data); err != nil || got != "map[a:map[0:x b:y]]" {
		t.Errorf("%s, %v", got, err)
	}
}
