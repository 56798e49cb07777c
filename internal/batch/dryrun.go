package batch

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"html/template"
	"io"
	"os"
	"path/filepath"
	"strconv"
	"sync"

	"github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/rows"
	"github.com/smtpsend/smtpsend/internal/until"
)

// indexPage begins and ends the page of a dry run; the lines between are written
// one by one, so that a million of them need no memory.
var indexPage = sync.OnceValue(func() *template.Template {
	return template.Must(template.New("index").Parse(`{{define "head"}}<!doctype html>
<html lang="en"><meta charset="utf-8"><title>{{.}}</title>
<style>body{font:15px/1.5 system-ui,sans-serif;margin:2em;max-width:70em}table{border-collapse:collapse;width:100%}
td,th{text-align:left;padding:.3em .8em .3em 0;border-bottom:1px solid #ddd;vertical-align:top}</style>
<h1>{{.}}</h1>
<table><tr><th>Row</th><th>To</th><th>Subject</th><th>Octets</th></tr>
{{end}}{{define "row"}}<tr><td>{{.N}}</td><td>{{range .To}}{{.}}<br>{{end}}</td><td><a href="{{.N}}.html">{{or .Subject "(no subject)"}}</a></td><td><a href="{{.N}}.eml">{{.Size}}</a></td></tr>
{{end}}{{define "foot"}}</table></html>
{{end}}`))
})

// DryRun writes the message of each row into dir as N.eml, and as N.html what its
// reader will see, because browsers do not show the former; index.html leads to
// both, and is there once all are. It returns how many there are; its error names
// the row. It ends with ctx, and then returns its cause; each message that is
// there then is whole.
func DryRun(ctx context.Context, in *rows.Reader, p Plan, dir, title string) (n int, err error) {
	if err := ownfile.OutputDir(dir); err != nil {
		return 0, err
	}
	err = dryFile(ctx, filepath.Join(dir, "index.html"), func(w io.Writer) error {
		index := bufio.NewWriter(w)
		n, err = dryRows(ctx, in, p, dir, title, index)
		return errors.Join(err, index.Flush())
	})
	if ctx.Err() != nil {
		err = context.Cause(ctx)
	}
	return n, err
}

func dryRows(ctx context.Context, in *rows.Reader, p Plan, dir, title string, index io.Writer) (n int, err error) {
	if err := indexPage().ExecuteTemplate(index, "head", title); err != nil {
		return 0, err
	}
	for {
		row, err := in.Next()
		if errors.Is(err, io.EOF) {
			return n, indexPage().ExecuteTemplate(index, "foot", nil)
		}
		if err != nil {
			return n, err
		}
		if err := dryRow(ctx, row, p, dir, index); err != nil {
			return n, fmt.Errorf("row %d (line %d): %w", row.N, row.Line, err)
		}
		n++
	}
}

func dryRow(ctx context.Context, row rows.Row, p Plan, dir string, index io.Writer) error {
	d, _, err := p.Draft(ctx, row)
	if err != nil {
		return err
	}
	m, err := message.Compose(ctx, d)
	if err != nil {
		return err
	}
	defer m.Close()
	base := filepath.Join(dir, strconv.Itoa(row.N))
	err = errors.Join(
		dryFile(ctx, base+".eml", func(w io.Writer) error { _, err := m.Content.WriteTo(w); return err }),
		dryFile(ctx, base+".html", func(w io.Writer) error { return message.Preview(w, d, m) }))
	if err != nil {
		return err
	}
	return indexPage().ExecuteTemplate(index, "row", map[string]any{
		"N": row.N, "To": m.Envelope.ForwardPaths, "Subject": d.Subject, "Size": m.Content.Size(),
	})
}

// dryFile writes a file that its owner alone may read. It has its name once it is
// whole.
func dryFile(ctx context.Context, name string, write func(io.Writer) error) error {
	f, err := ownfile.Output(ctx, name+".part")
	if err != nil {
		return err
	}
	if err = errors.Join(write(until.Writer(ctx, f)), f.Close()); err == nil {
		err = os.Rename(f.Name(), name)
	}
	if err != nil {
		_ = os.Remove(f.Name())
	}
	return err
}
