package stricttemplate_test

import (
	"strings"
	"testing"
)

// TestCommentsForOutlookStay: they were left out, and with them all that only Outlook
// shows.
func TestCommentsForOutlookStay(t *testing.T) {
	data := map[string]any{"x": `a"><b & c`, "list": []any{"1", "2"}, "tel": "tel:1"}
	for source, want := range map[string]string{
		`<!--[if mso]><table width="600"><tr><td title="{{.x}}">{{.x}}<![endif]--><p>b</p><!--[if mso]></td></tr></table><![endif]-->`: `<!--[if mso]><table width="600"><tr><td title="a&#34;&gt;&lt;b &amp; c">a&#34;&gt;&lt;b &amp; c<![endif]--><p>b</p><!--[if mso]></td></tr></table><![endif]-->`,
		`<!--[if !mso]><!--><p>{{.x}}</p><!--<![endif]-->`:                                          `<!--[if !mso]><!--><p>a&#34;&gt;&lt;b &amp; c</p><!--<![endif]-->`,
		`<!--[if !mso]> --><p>a</p><!-- <![endif]-->`:                                               `<!--[if !mso]> --><p>a</p><!-- <![endif]-->`,
		`<!--[if (gte mso 9)|(IE)]><style>p{color:red}</style><xml><o:P>96</o:P></xml><![endif]-->`: `<!--[if (gte mso 9)|(IE)]><style>p{color:red}</style><xml><o:P>96</o:P></xml><![endif]-->`,
		`{{range .list}}<!--[if mso]>{{.}}<![endif]-->{{else}}x{{end}}{{if .x}}<!--[if mso]>y<![endif]-->{{end}}{{with .x}}<!--[if mso]>z<![endif]-->{{end}}`: `<!--[if mso]>1<![endif]--><!--[if mso]>2<![endif]--><!--[if mso]>y<![endif]--><!--[if mso]>z<![endif]-->`,
		`a<!-- note {{.x}} -->b`: `ab`, `{{define "d"}}<!--[if mso]>{{.}}<![endif]-->{{end}}{{template "d" .x}}`: `<!--[if mso]>a&#34;&gt;&lt;b &amp; c<![endif]-->`,
	} {
		if d, err := fill(t, "m.html", source, data); err != nil || d.HTML != want {
			t.Errorf("%s:\n%s, %v, want\n%s", source, d.HTML, err, want)
		}
	}
	if d, err := fill(t, "m.html", `<!--[if mso]><a href="{{.tel}}"><![endif]-->`, data); err == nil || !strings.Contains(err.Error(), `"tel" is the link`) {
		t.Errorf("%s, %v", d.HTML, err)
	}
	if _, err := fill(t, "m.html", `{{_verbatim "<b>"}}`, data); err == nil {
		t.Error("a template wrote HTML as it is")
	}
}
