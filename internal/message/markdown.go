package message

import (
	"bytes"
	"fmt"

	"github.com/yuin/goldmark"
	"github.com/yuin/goldmark/extension"

	"github.com/smtpsend/smtpsend/internal/mimetext"
)

// FromMarkdown renders Markdown (CommonMark with tables, strikethrough, task
// lists and bare links as on GitHub) as an HTML document. HTML in the source is
// left out, and so are links that run scripts: the text may come from a pipeline's
// log or a form.
func FromMarkdown(source string) (string, error) {
	md := goldmark.New(goldmark.WithExtensions(extension.GFM))
	var body bytes.Buffer
	if err := md.Convert([]byte(mimetext.ToUTF8(source)), &body); err != nil {
		return "", fmt.Errorf("rendering Markdown: %w", err)
	}
	return markdownHead + body.String() + "</body>\n</html>\n", nil
}

// markdownHead styles what mail programs leave unstyled. Styles in the head are
// read by Outlook, Gmail and Apple Mail; where they are not, the mail is still
// readable.
const markdownHead = `<!DOCTYPE html>
<html>
<head>
<meta charset="utf-8">
<style>
body { font-family: "Segoe UI", Helvetica, Arial, sans-serif; font-size: 14px; line-height: 1.5; }
table { border-collapse: collapse; }
th, td { border: 1px solid #c8c8c8; padding: 4px 8px; }
pre, code { font-family: Consolas, Menlo, monospace; background: #f4f4f4; }
pre { padding: 8px; }
blockquote { border-left: 3px solid #c8c8c8; margin-left: 0; padding-left: 12px; }
</style>
</head>
<body>
`
