package message

import (
	"encoding/base64"
	"fmt"
	"html"
	"io"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/mimetext"
)

// maxPreviewImage is the largest inline image that a preview carries in itself.
const maxPreviewImage = 5 << 20

// Preview writes one HTML page that shows the composed mail as its reader will
// see it: header, body, attachments. The page loads nothing from anywhere, runs
// no script, and holds the body in a sandboxed frame. Bcc is shown, and marked
// as not visible to the recipients. d is the draft that m was composed of.
// Errors are those of w, and *badinput.FileError for an inline image.
func Preview(w io.Writer, d Draft, m *Composed) error {
	if d.Date.IsZero() {
		d.Date = time.Now()
	}
	var b strings.Builder
	title := html.EscapeString(mimetext.ToUTF8(d.Subject))
	b.WriteString(previewHead + "<title>" + title + "</title>\n</head>\n<body>\n<h1>" + title + "</h1>\n<table>\n")
	for _, row := range []struct{ name, value string }{
		{"From", plainList([]address.Address{d.From})}, {"To", plainList(d.To)}, {"Cc", plainList(d.Cc)},
		{"Bcc (hidden from all recipients)", plainList(d.Bcc)}, {"Reply-To", plainList(d.ReplyTo)},
		{"Date", d.Date.Format(time.RFC1123Z)}, {"Reverse-path", m.Envelope.ReversePath},
		{"Size", mebibytes(m.Content.Size())},
	} {
		if row.value != "" {
			fmt.Fprintf(&b, "<tr><th>%s</th><td>%s</td></tr>\n", row.name, html.EscapeString(row.value))
		}
	}
	b.WriteString("</table>\n")
	if m.html != "" {
		body, err := withImages(mimetext.ToUTF8(m.html), m.parts)
		if err != nil {
			return err
		}
		fmt.Fprintf(&b, "<iframe sandbox=\"\" title=\"body\" srcdoc=\"%s\"></iframe>\n", html.EscapeString(body))
	}
	if m.text != "" || m.html == "" {
		open := ""
		if m.html == "" {
			open = " open"
		}
		fmt.Fprintf(&b, "<details%s><summary>Text</summary><pre>%s</pre></details>\n", open, html.EscapeString(mimetext.ToUTF8(m.text)))
	}
	b.WriteString(attachmentList(m.parts) + "</body>\n</html>\n")
	_, err := io.WriteString(w, b.String())
	return err
}

// previewHead forbids everything but inline styles and images within the page.
const previewHead = `<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
<meta http-equiv="Content-Security-Policy" content="default-src 'none'; img-src data:; style-src 'unsafe-inline'">
<style>
body { font-family: sans-serif; max-width: 60em; margin: 2em auto; padding: 0 1em; }
h1 { font-size: 1.3em; }
th { text-align: left; vertical-align: top; padding-right: 1em; font-weight: normal; color: #666; }
iframe { width: 100%; height: 36em; border: 1px solid #ccc; margin: 1em 0; }
pre { white-space: pre-wrap; }
</style>
`

// plainList is addresses as a mail program shows them, not encoded.
func plainList(list []address.Address) string {
	var texts []string
	for _, a := range list {
		if a.Name != "" {
			texts = append(texts, a.Name+" <"+a.Addr()+">")
			continue
		}
		texts = append(texts, a.Addr())
	}
	return strings.Join(texts, ", ")
}

// withImages puts the inline images into the body itself, where the frame can
// show them without loading anything. An image that would make the page too large,
// for its size or because the body shows it again and again, stays out.
func withImages(body string, parts []*part) (string, error) {
	var pairs []string
	room := int64(limits.PreviewImages)
	for _, p := range parts {
		if p.cid == "" || p.body.length > maxPreviewImage {
			continue
		}
		shown := int64(0)
		for _, around := range aroundCID {
			shown += int64(strings.Count(body, around[:1]+"cid:"+p.cid+around[1:]))
		}
		if shown == 0 || shown*mimetext.Base64Size(p.body.length) > room {
			continue
		}
		room -= shown * mimetext.Base64Size(p.body.length)
		data := make([]byte, p.body.length)
		if _, err := p.body.content.ReadAt(data, 0); err != nil && len(data) > 0 {
			return "", badinput.File(p.body.path, err)
		}
		media, _, _ := strings.Cut(p.contentType, ";")
		uri := "data:" + media + ";base64," + base64.StdEncoding.EncodeToString(data)
		for _, around := range aroundCID {
			pairs = append(pairs, around[:1]+"cid:"+p.cid+around[1:], around[:1]+uri+around[1:])
		}
	}
	return strings.NewReplacer(pairs...).Replace(body), nil
}

// aroundCID are the marks around the address of an inline image: quotes, and the
// parentheses of url().
var aroundCID = []string{`""`, `''`, "()"}

func attachmentList(parts []*part) string {
	var b strings.Builder
	for _, p := range parts {
		if p.cid == "" {
			fmt.Fprintf(&b, "<li>%s (%s, %s)</li>\n", html.EscapeString(p.name), html.EscapeString(p.contentType), mebibytes(p.body.length))
		}
	}
	if b.Len() == 0 {
		return ""
	}
	return "<h2>Attachments</h2>\n<ul>\n" + b.String() + "</ul>\n"
}
