package draft

import (
	"context"

	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/message"
)

// content fills in the body, and what else a template has; the text comes from
// standard input when there is none.
func (c *Composer) content(ctx context.Context, d *message.Draft) error {
	if c.o.Template != "" {
		return c.fill(ctx, d)
	}
	d.Text, d.HTML = c.o.Text, c.o.HTML
	c.texts.Argument(c.o.name("subject"), c.o.Subject)
	c.texts.Argument(c.o.name("text"), c.o.Text)
	c.texts.Argument(c.o.name("html"), c.o.HTML)
	textFile := c.o.TextFile
	if !c.o.hasBody() {
		textFile = "-"
	}
	for _, body := range []struct {
		field, file string
		target      *string
		most        int
	}{
		{"text-file", textFile, &d.Text, limits.Body}, {"html-file", c.o.HTMLFile, &d.HTML, limits.Body},
		{"markdown-file", c.o.MarkdownFile, &d.Markdown, limits.MarkdownSource},
	} {
		if body.file == "" {
			continue
		}
		text, err := c.read(ctx, "the text", body.field, body.file, body.most)
		if err != nil {
			return err
		}
		*body.target = text
	}
	return nil
}

// read reads a text that a field names.
func (c *Composer) read(ctx context.Context, what, field, file string, most int) (string, error) {
	if file == "-" {
		c.env.Reading(what)
	}
	return c.texts.Read(ctx, c.o.name(field), file, most)
}
