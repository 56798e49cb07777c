package stricttemplate_test

import (
	"strings"
	"testing"
)

// TestLinksOfDataAreThatOrAnError: they went out as "#ZgotmplZ", and the query of one
// as one value.
func TestLinksOfDataAreThatOrAnError(t *testing.T) {
	data := map[string]any{
		"tel": "tel:+49301234567", "app": "archive://object/4711?v=1&w=2", "file": "file://server/share/Bericht März.pdf", "cid": "cid:logo", "q": "_al=tok&b=1", "js": "JavaScript:alert(1)", "js2": " javascript:x", "js3": "java\tscript:x",
		"vb": "vbscript:x", "svg": "data:image/svg+xml,<svg>", "png": "data:image/png;base64,AAAA", "unc": `\\server\share\x.pdf`, "drive": `C:\x\y.pdf`, "web": "https://x.example/?a=1&b=ü", "mail": "MAILTO:a@x.example?subject=a b",
		"rel": "a/b?c=d", "name": "a & b=c", "frag": "/documents/4711", "empty": "", "odd": "a b:c", "colon": "1:2", "css": "red; background: url(x)", "attr": `class="x"`, "half": "java", "rest": "script:x",
	}
	for source, want := range map[string]string{
		`<a href="{{.web}}">`: `<a href="https://x.example/?a=1&amp;b=%c3%bc">`, `<a href="{{.mail}}">`: `<a href="MAILTO:a@x.example?subject=a%20b">`, `<a href="{{.rel}}">`: `<a href="a/b?c=d">`,
		`<a href="{{url .tel}}">`: `<a href="tel:&#43;49301234567">`, `<a href="{{.app | url}}">`: `<a href="archive://object/4711?v=1&amp;w=2">`, `<a href='{{url .file}}'>`: `<a href='file://server/share/Bericht%20M%c3%a4rz.pdf'>`,
		`<img src="{{url .cid}}">`: `<img src="cid:logo">`, `<img src="{{url .png}}">`: `<img src="data:image/png;base64,AAAA">`, `<a href={{url .cid}}>`: `<a href=cid:logo>`, `<td background="{{url .cid}}">`: `<td background="cid:logo">`,
		`<p style="background:url({{url .cid}})">`: `<p style="background:url(cid:logo)">`, `<img srcset="{{url .cid}} 2x">`: `<img srcset="cid:logo 2x">`,
		`<a href="https://x.example/?{{url .q}}">`: `<a href="https://x.example/?_al=tok&amp;b=1">`, `<a href="https://x.example/?z=1&amp;{{url .q}}#{{url .frag}}">`: `<a href="https://x.example/?z=1&amp;_al=tok&amp;b=1#/documents/4711">`,
		`<a href="https://x.example/?{{urlquery .q}}">`: `<a href="https://x.example/?_al%3Dtok%26b%3D1">`, `<a href="https://x.example/?{{.q | urlquery}}">`: `<a href="https://x.example/?_al%3Dtok%26b%3D1">`,
		`<a href="https://x.example/?n={{.name}}">`: `<a href="https://x.example/?n=a%20%26%20b%3dc">`, `<a href="https://x.example/{{.name}}">`: `<a href="https://x.example/a%20&amp;%20b=c">`,
		`Is it?{{.name}} and {{.q}}`: `Is it?a &amp; b=c and _al=tok&amp;b=1`, `<a href="tel:{{.colon}}">`: `<a href="tel:1:2">`, `<p title="?{{.q}}">`: `<p title="?_al=tok&amp;b=1">`, `<a href="archive://{{.frag}}">`: `<a href="archive:///documents/4711">`,
		`{{url .app}}`: `archive://object/4711?v=1&amp;w=2`, `<a href="{{.empty}}">`: `<a href="">`, `<a href="?{{.rel}}"`: "", `<p class={{.empty}}>`: "", `<p {{.attr}}>`: "", `<p style="color:{{.css}}">`: "", `<{{.name}}>`: `&lt;a &amp; b=c>`,
	} {
		d, err := fill(t, "m.html", source, data)
		if want != "" && (err != nil || d.HTML != want) || want == "" && err == nil {
			t.Errorf("%s:\n%s, %v, want\n%s", source, d.HTML, err, want)
		}
	}
	for source, want := range map[string]string{
		`<a href="{{.tel}}">`: `line 1: "tel" is the link "tel:+49301234567": a link from data must begin with http:, https: or mailto:; {{url ...}} allows tel:`,
		`<a href="{{.app}}">`: `allows archive:`, "\n<a href=\"{{.file}}\">": `line 2: "file" is the link "file://server/share/Bericht März.pdf"`, `<img src="{{.cid}}">`: `allows cid:`, `<td background="{{.cid}}">`: `allows cid:`,
		`<p style="background:url({{.cid}})">`: `allows cid:`, `<p style="background:url('{{.cid}}')">`: `allows cid:`, `<img srcset="{{.web}} 1x, {{.cid}} 2x">`: `allows cid:`, `<img srcset="{{.tel}}, {{.web}}">`: `allows tel:`,
		`<a href={{.tel}}>`: `allows tel:`, `{{define "l"}}{{.tel}}{{end}}<a href="{{template "l" .}}">`: `"tel" is the link`, `{{range .}}<a href="{{$.tel}}">{{end}}`: `"tel" is the link`,
		`<a href="{{.js}}">`: `"js" is the link "JavaScript:alert(1)", and javascript: is never allowed`, `<a href="{{url .js}}">`: `begins with javascript:, which is never allowed`, `<a href="{{url .js2}}">`: `never allowed`,
		`<a href="{{url .js3}}">`: `control character`, `<a href="{{url .vb}}">`: `vbscript:, which is never`, `<img src="{{url .svg}}">`: `data:, which is never`, `<a href="{{url .unc}}">`: `a path and not a link`, `<a href="{{url .drive}}">`: `a path and not a link`,
		`<a href="{{.drive}}">`: `"drive" is the link`, `<a href="{{.odd}}">`: `"odd" is the link "a b:c"`, `<a href="{{.colon}}">`: `"colon" is the link "1:2"`, `<a href="{{.unc}}">`: `a path and not a link`,
		`<a href="https://x.example/?{{.q}}">`: `line 1: "q" is "_al=tok&b=1", whose special characters would be encoded: {{url ...}} writes it as it is, {{urlquery ...}} as one value`, `<a href="https://x.example/?a=b&{{.q}}">`: `"q" is`,
		`<a href="https://x.example/?a=b&amp;{{.q}}">`: `"q" is`, `<a href="https://x.example/#{{.frag}}">`: `"frag" is "/documents/4711"`, `{{if .q}}<a href="?{{else}}<a href="?{{end}}{{.q}}">`: `"q" is`,
		`<a href="{{.half}}{{url .rest}}">`: `right after other text`, `<a href="{{url .half}}{{url .rest}}">`: `right after other text`, `<a href="{{.half}}{{.rest}}">`: `"rest" is the link`, `<a href="java{{url .rest}}">`: `right after other text`,
		`<p style="color:{{.css}}">`: `"css" is "red; background: url(x)", which HTML does not allow there`, `<p {{.attr}}>`: `"attr" is "class=\"x\"", which HTML does not allow there`, `<p class={{.empty}}>`: `"empty" is empty, where the HTML has no quotes around it`,
	} {
		if d, err := fill(t, "m.html", source, data); err == nil || !strings.Contains(err.Error(), want) || d.HTML != "" {
			t.Errorf("%s:\n%s, %v, want\n%s", source, d.HTML, err, want)
		}
	}
	for source, want := range map[string]string{`{{url .tel}}`: "tel:+49301234567", `{{printf "%s" (url .q)}}`: "_al=tok&b=1"} {
		if d, err := fill(t, "m.txt", source, data); err != nil || d.Text != want {
			t.Errorf("%s: %q, %v", source, d.Text, err)
		}
	}
}
