package message_test

import (
	"fmt"
	"regexp"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/mailobject/mailtest"

	"github.com/smtpsend/smtpsend/internal/message"
)

var madeCID = regexp.MustCompile(`cid:image(\d)\.\w{26}@contoso\.example`)

// htmlOf composes a draft with that HTML, and gives the HTML that goes out.
func htmlOf(t *testing.T, source, dir string) (string, *message.Composed) {
	t.Helper()
	d := draft(t)
	d.HTML, d.EmbedDir = source, dir
	m := compose(t, d)
	return madeCID.ReplaceAllString(parsers["go"](t, []string{mailtest.Octets(t, m.Mail)})[0].HTML, "CID$1"), m
}

func TestEveryPlaceOfAnImageIsEmbedded(t *testing.T) {
	dir := tree(t, map[string]string{"b.png": picture, "c d.png": picture, "f.woff2": "font"})
	for source, want := range map[string]string{
		`<body background="b.png">`:                                                                `<body background="CID1">`,
		`<table background=b.png><td background='c%20d.png'>`:                                      `<table background="CID1"><td background="CID2">`,
		`<div style="background:url('b.png')  no-repeat">`:                                         `<div style="background:url(CID1)  no-repeat">`,
		`<div style='background:URL( "b.png" )'>`:                                                  `<div style="background:URL(CID1)">`,
		`<div style="background:url(&quot;b.png&quot;)">`:                                          `<div style="background:url(CID1)">`,
		`<style>/* url(x.png) */ a{content:"url(x.png)";b:url(b.png),url(c\ d)}</style>`:           `<style>/* url(x.png) */ a{content:"url(x.png)";b:url(CID1),url(c\ d)}</style>`,
		`<style>@font-face{src:url(f.woff2)} p{background:url(#g)}</style>`:                        `<style>@font-face{src:url(f.woff2)} p{background:url(#g)}</style>`,
		`<img srcset="b.png 2x, c%20d.png 100w,b.png" src="b.png">`:                                `<img srcset="CID1 2x, CID2 100w,CID1" src="CID1">`,
		`<img srcset=" data:image/png;base64,AA== 1x,b.png,">`:                                     `<img srcset=" data:image/png;base64,AA== 1x,CID1,">`,
		`<picture><source srcset=b.png></picture>`:                                                 `<picture><source srcset="CID1"></picture>`,
		`<input type=IMAGE src=b.png><input src=b.png>`:                                            `<input type="IMAGE" src="CID1"><input src=b.png>`,
		`<video poster=b.png src=b.mp4>`:                                                           `<video poster="CID1" src="b.mp4">`,
		`<svg><image href="b.png"/><image xlink:href="b.png"/></svg>`:                              `<svg><image href="CID1"/><image xlink:href="CID1"/></svg>`,
		`<object data=b.png></object><object data=x.pdf></object>`:                                 `<object data="CID1"></object><object data=x.pdf></object>`,
		`<!--[if gte mso 9]><v:fill type="tile" src="b.png"/><![endif]--><!-- <img src=x.png> -->`: `<!--[if gte mso 9]><v:fill type="tile" src="CID1"/><![endif]--><!-- <img src=x.png> -->`,
		`<a href="b.png">b.png</a><p title="url(b.png)">url(b.png)`:                                `<a href="b.png">b.png</a><p title="url(b.png)">url(b.png)`,
		`<div style="x:url(b.png">`:                                                                `<div style="x:url(CID1)">`,
	} {
		if got, m := htmlOf(t, source, dir); strings.TrimSpace(got) != want || strings.Contains(want, "CID") && len(m.Missing()) > strings.Count(want, "data:") {
			t.Errorf("%s\ngot  %s %v\nwant %s", source, got, m.Missing(), want)
		}
	}
	for _, source := range []string{`<body background=none.png>`, `<p style="a:url(../b.png)">`, `<img srcset="none.png 2x">`, `<style>a{b:url(none.gif)}</style>`} {
		d := draft(t)
		d.HTML, d.EmbedDir = source, dir
		if _, err := message.Compose(t.Context(), d); err == nil {
			t.Errorf("%s is composed", source)
		}
	}
}

func TestImagesThatNobodySeesAreNamed(t *testing.T) {
	reasons := map[message.UnsentReason]string{
		message.UnsentFile: "file", message.UnsentCID: "cid", message.UnsentPath: "path", message.UnsentData: "data", message.UnsentOther: "other",
	}
	for source, want := range map[string]string{
		`<img src="file:///srv/b.png">`: "file:///srv/b.png path", `<img src="/srv/b.png">`: "/srv/b.png path", `<img src="C:\b.png">`: `C:\b.png path`,
		`<img src="\\srv\b.png">`: `\\srv\b.png path`, `<img src="data:image/png;base64,AA==">`: "data:image/png;base64,AA== data",
		`<img src="b.png"><IMG SRC=b.png>`: "b.png file", `<img src="cid:x">`: "cid:x cid", `<img src="//x.example/b.png">`: "//x.example/b.png other",
		`<img src="https://x.example/b.png"><img src="http://x.example/b.png">`: "", `<img src="">`: "", `<img src="blob:x">`: "blob:x other",
		`<p style="a:url(b.png)">`: "b.png file", `<p style="a:url(x.css)">`: "", `<body background="b">`: "b file", `<style>a{b:url(data:,x)}</style>`: "data:,x data",
		`<img srcset="a.png 1x, https://x.example/b.png 2x">`: "a.png file", `<img src="%zz">`: "%zz other",
		`<!--[if mso]><v:fill src="/b.png"/><![endif]-->`: "/b.png path",
	} {
		d := draft(t)
		d.HTML = source
		var got []string
		for _, image := range compose(t, d).Missing() {
			got = append(got, fmt.Sprint(image.Address, " ", reasons[image.Why]))
		}
		if strings.Join(got, ", ") != want {
			t.Errorf("%s: %q, want %q", source, got, want)
		}
	}
}
