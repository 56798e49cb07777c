package mailtemplate

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/zone"
)

// Fill executes the template with data and sets what it has in d: only fields
// that the template mentions are changed; recipients, headers and attachments
// are added to those of d. Errors are *message.FieldError and name the part of
// the template, also where it does more than is allowed (see package limits).
// Filling in ends with ctx, and then returns its cause.
func (t *Template) Fill(ctx context.Context, d *message.Draft, data map[string]any) error {
	if all := t.FillAll(ctx, d, data); len(all) > 0 {
		return all[0]
	}
	return nil
}

// FillAll is Fill, and returns every part that cannot be filled in, each as a
// *message.FieldError.
func (t *Template) FillAll(ctx context.Context, d *message.Draft, data map[string]any) []error {
	run := &filling{t: t, ctx: ctx, data: data}
	defer run.end()
	if subject := run.text("subject"); subject != "" {
		d.Subject = subject
	}
	run.address("from", &d.From)
	run.address("mailbox", &d.Mailbox)
	d.To = append(d.To, run.addresses("to")...)
	d.Cc = append(d.Cc, run.addresses("cc")...)
	d.Bcc = append(d.Bcc, run.addresses("bcc")...)
	d.ReplyTo = append(d.ReplyTo, run.addresses("reply_to")...)
	if priority := run.text("priority"); priority != "" {
		d.Priority = message.Priority(priority)
	}
	for _, name := range t.headers {
		if value := run.text("header " + name); value != "" {
			d.Headers = append(d.Headers, message.Header{Name: name, Value: value})
		}
	}
	for _, name := range t.lists["attach"] {
		if path := run.textOf(name, "attach"); path != "" {
			d.Attachments = append(d.Attachments, message.Attachment{Path: path, Dir: t.attachDir})
		}
	}
	if t.has("body") {
		d.Text = run.textOf("body", body)
	}
	if t.has("markdown") {
		d.Markdown = run.textOf("markdown", body)
	}
	if t.html != nil {
		d.HTML = run.html()
	}
	return run.errs
}

// has reports whether the template has a part.
func (t *Template) has(name string) bool {
	_, filled := t.parts[name]
	return filled || t.literal[name] != ""
}

// At executes the template's time, which is RFC 3339, or date and time without
// a zone ("2026-12-24 08:00"), then in the local one. It is zero when the
// template has none or it comes out empty. Errors are those of Fill; one that wraps
// *zone.Error says that there is no local one.
func (t *Template) At(ctx context.Context, data map[string]any) (time.Time, error) {
	run := &filling{t: t, ctx: ctx, data: data}
	defer run.end()
	text := strings.TrimSpace(run.text("at"))
	if len(run.errs) > 0 {
		return time.Time{}, run.errs[0]
	}
	if text == "" {
		return time.Time{}, nil
	}
	return ParseTime("at", text)
}

// ParseTime reads a time as people write it; see Template.At.
func ParseTime(field, text string) (time.Time, error) {
	if at, err := time.Parse(time.RFC3339, text); err == nil {
		return at, nil
	}
	for _, layout := range []string{"2006-01-02 15:04:05", "2006-01-02 15:04", "2006-01-02T15:04", "2006-01-02"} {
		at, err := time.ParseInLocation(layout, text, time.Local)
		if trouble := zone.Trouble(); err == nil && trouble != nil {
			return time.Time{}, fmt.Errorf("%s %q has no zone, and %w", field, text, trouble)
		}
		if err != nil {
			continue
		}
		if wall, _ := time.Parse(layout, text); len(layout) > len(time.DateOnly) && (wall.Minute() != at.Minute() || wall.Hour() != at.Hour()) {
			return time.Time{}, refused(field, text, "is a time that is left out that day, when the clocks are put forward")
		}
		return at, nil
	}
	return time.Time{}, refused(field, text, `is not a time such as "2026-12-24 08:00" or "2026-12-24T08:00:00+01:00"`)
}

// filling is one execution; a part that fails is empty, and the others go on. Once
// ctx has ended, its cause is the only error.
type filling struct {
	t      *Template
	ctx    context.Context // of this call
	data   map[string]any
	errs   []error
	engine *engine // nil until one is needed
	over   bool    // the message exceeds a limit, so that no other part is filled in
}

// end gives back what was taken.
func (f *filling) end() {
	if f.engine != nil {
		f.t.giveBack(f.engine)
	}
}

// ready takes an engine. It is false once ctx has ended or a limit is exceeded.
func (f *filling) ready() bool {
	if f.over {
		return false
	}
	if f.engine == nil {
		f.engine = f.t.take(f.ctx)
	}
	if f.ctx.Err() != nil || f.engine == nil {
		f.errs = []error{context.Cause(f.ctx)}
		return false
	}
	return true
}

func (f *filling) fail(part string, err error) {
	if f.ctx.Err() != nil {
		f.errs = []error{context.Cause(f.ctx)}
		return
	}
	reason := plainly(oneLine(err))
	if much, ok := errors.AsType[tooMuch](err); ok {
		reason, f.over = string(much), true
	} else if value, ok := errors.AsType[*unfit](err); ok {
		reason = value.in(f.data)
	} else {
		reason = inOurWords(reason, f.data)
	}
	failed := refused("template "+f.t.name, "", part+": "+reason)
	for _, known := range f.errs {
		if known.Error() == failed.Error() { // text and HTML are made of the same body
			return
		}
	}
	f.errs = append(f.errs, failed)
}

func (f *filling) text(part string) string { return f.textOf(part, part) }

// textOf is a part that is filled in. shown is its name in errors.
func (f *filling) textOf(name, shown string) string {
	if literal := f.t.literal[name]; literal != "" {
		return literal
	}
	p, ok := f.t.parts[name]
	if !ok || !f.ready() {
		return ""
	}
	return f.execute(f.engine.parts[name].Execute, p.steps, shown)
}

func (f *filling) html() string {
	if !f.ready() {
		return ""
	}
	return f.execute(func(w io.Writer, data any) error {
		return f.engine.html.Execute(watched{w, f.engine.came}, data)
	}, f.t.htmlSteps, body)
}

// body is how the bodies are called in errors.
const body = "body"

func (f *filling) execute(do func(io.Writer, any) error, steps int, shown string) string {
	out := countedText{count: f.engine.field}
	if shown == body {
		out.count = f.engine.body
	}
	err := f.engine.begin(steps)
	if err == nil {
		err = do(&out, f.data)
	}
	if err != nil {
		f.fail(shown, err)
		return ""
	}
	return out.String()
}

func (f *filling) addresses(part string) []message.Address {
	var list []message.Address
	for _, name := range f.t.lists[part] {
		list = append(list, f.addressesIn(part, f.textOf(name, part))...)
	}
	return list
}

// address sets target to the first address of a part that has one.
func (f *filling) address(part string, target *message.Address) {
	if list := f.addressesIn(part, f.text(part)); len(list) > 0 {
		*target = list[0]
	}
}

// addressesIn reads addresses. The text must be addresses after filling in, so
// that a line feed in the data is refused here.
func (f *filling) addressesIn(part, text string) []message.Address {
	if text == "" {
		return nil
	}
	list, err := message.ParseAddressList(part, text)
	if err != nil {
		f.errs = append(f.errs, err)
	}
	return list
}

// watched looks at what is written before it is.
type watched struct {
	io.Writer
	look func(p []byte) error
}

func (w watched) Write(p []byte) (int, error) {
	if err := w.look(p); err != nil {
		return 0, err
	}
	return w.Writer.Write(p)
}

// countedText stops a template that would fill the memory.
type countedText struct {
	count func(n int) error
	text  strings.Builder
}

func (c *countedText) Write(p []byte) (int, error) {
	if err := c.count(len(p)); err != nil {
		return 0, err
	}
	return c.text.Write(p)
}

func (c *countedText) String() string { return c.text.String() }
