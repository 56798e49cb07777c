package draft

import (
	"context"
	"fmt"
	"path/filepath"

	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/mailtemplate"
	"github.com/smtpsend/smtpsend/internal/message"
)

// fill executes the template.
func (c *Composer) fill(ctx context.Context, d *message.Draft) error {
	text, err := c.read(ctx, "the template", "template", c.o.Template, limits.TemplateSource)
	if err != nil {
		return err
	}
	data, err := c.values(ctx)
	if err != nil {
		return err
	}
	return c.env.Budget.Run(ctx, func(ctx context.Context) error {
		source, err := mailtemplate.ParseSource(c.o.Template, text)
		if err != nil {
			return err
		}
		source.AttachDir = AttachDir(c.o.AttachDir, c.o.Template)
		t, err := mailtemplate.Compile(c.o.Template, source)
		if err != nil {
			return err
		}
		if c.o.At == "" {
			if c.readyAt, err = t.At(ctx, data); err != nil {
				return err
			}
		}
		return t.Fill(ctx, d, data)
	})
}

// AttachDir is the directory below which the files are that a template names: dir,
// else the template's own.
func AttachDir(dir, template string) string {
	switch {
	case dir != "":
		return dir
	case template == "" || template == "-":
		return "."
	}
	return filepath.Dir(template)
}

// values are the data of the template.
func (c *Composer) values(ctx context.Context) (map[string]any, error) {
	data := map[string]any{}
	if c.o.Data != "" {
		text, err := c.read(ctx, "the data", "data", c.o.Data, limits.Data)
		if err != nil {
			return nil, err
		}
		err = c.env.Budget.Run(ctx, func(ctx context.Context) error {
			data, err = mailtemplate.ParseData(ctx, c.o.Data, text)
			return err
		})
		if err != nil {
			return nil, fmt.Errorf("%s: %w", c.o.name("data"), err)
		}
	}
	for _, assignment := range c.o.Set {
		if err := mailtemplate.SetData(data, assignment); err != nil {
			return nil, err
		}
	}
	return data, nil
}
