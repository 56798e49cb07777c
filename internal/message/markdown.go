package message

import (
	"context"
	"errors"

	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/markdown"
	"github.com/smtpsend/smtpsend/internal/mimetext"
	"github.com/smtpsend/smtpsend/internal/until"
)

// FromMarkdown renders Markdown (CommonMark with tables, strikethrough, task
// lists and bare links as on GitHub) as an HTML document. HTML in the source is
// left out, and so are links that run scripts: the text may come from a pipeline's
// log or a form. The error is *badinput.FieldError for a source that exceeds a limit (see
// package limits), and the cause of ctx, with which rendering ends.
func FromMarkdown(ctx context.Context, source string) (string, error) {
	// The library looks at no context where it works on one paragraph.
	body, err := until.Do(ctx, func() (string, error) {
		return markdown.ToHTML(ctx, mimetext.ToUTF8(source), markdown.Bounds{
			Source: limits.MarkdownSource, Nodes: limits.MarkdownNodes, Nesting: limits.MarkdownNesting,
			Work: limits.MarkdownWork, HTML: limits.MarkdownHTML,
		})
	})
	if tooMuch, ok := errors.AsType[*markdown.Error](err); ok {
		return "", badinput.Field("Markdown", "", tooMuch.Reason+"; it can be sent as plain text, or attached")
	}
	if err != nil {
		return "", err
	}
	return markdownHead + body + "</body>\n</html>\n", nil
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
