package mailtemplate

import (
	"context"
	"errors"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/stricttemplate"
)

// Fill executes the template with data and sets what it has in d: only fields
// that the template mentions are changed; recipients, headers and attachments
// are added to those of d. Errors are *badinput.FieldError and name the part of
// the template, also where it does more than is allowed (see package limits).
// Filling in ends with ctx, and then returns its cause.
func (t *Template) Fill(ctx context.Context, d *message.Draft, data map[string]any) error {
	if all := t.FillAll(ctx, d, data); len(all) > 0 {
		return all[0]
	}
	return nil
}

// FillAll is Fill, and returns every part that cannot be filled in, each as a
// *badinput.FieldError.
func (t *Template) FillAll(ctx context.Context, d *message.Draft, data map[string]any) []error {
	run := t.begin(ctx, data)
	defer run.texts.End()
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
		if value := run.text(headerPart + name); value != "" {
			d.Headers = append(d.Headers, message.Header{Name: name, Value: value})
		}
	}
	for _, name := range t.lists["attach"] {
		if path := run.text(name); path != "" {
			d.Attachments = append(d.Attachments, message.Attachment{Path: path, Dir: t.attachDir})
		}
	}
	if t.texts.Has(textPart) {
		d.Text = run.text(textPart)
	}
	if t.texts.Has(markdownPart) {
		d.Markdown = run.text(markdownPart)
	}
	if t.texts.Has(htmlPart) {
		d.HTML = run.text(htmlPart)
	}
	return run.errs
}

// filling is one message; a part that fails is empty, and the others are filled in all
// the same. Once the context has ended, its cause is the only error.
type filling struct {
	t     *Template
	ctx   context.Context // of this call
	texts *stricttemplate.Filling
	errs  []error
}

// begin begins one message, whose texts must be ended.
func (t *Template) begin(ctx context.Context, data map[string]any) *filling {
	return &filling{t: t, ctx: ctx, texts: t.texts.Fill(ctx, data)}
}

// text is a part that is filled in.
func (f *filling) text(name string) string {
	text, err := f.texts.Text(name)
	if err != nil {
		f.fail(name, err)
	}
	return text
}

func (f *filling) fail(name string, err error) {
	if f.ctx.Err() != nil {
		f.errs = []error{context.Cause(f.ctx)}
		return
	}
	if errors.Is(err, stricttemplate.ErrStopped) { // the limit is among the errors already
		return
	}
	reason := err.Error()
	if e, ok := errors.AsType[*stricttemplate.Error](err); ok {
		reason = e.Reason
	}
	failed := refused("template "+f.t.name, "", shown(name)+": "+reason)
	for _, known := range f.errs {
		if known.Error() == failed.Error() { // text and HTML are made of the same body
			return
		}
	}
	f.errs = append(f.errs, failed)
}

func (f *filling) addresses(part string) []address.Address {
	var list []address.Address
	for _, name := range f.t.lists[part] {
		list = append(list, f.addressesIn(part, f.text(name))...)
	}
	return list
}

// address sets target to the first address of a part that has one.
func (f *filling) address(part string, target *address.Address) {
	if list := f.addressesIn(part, f.text(part)); len(list) > 0 {
		*target = list[0]
	}
}

// addressesIn reads addresses. The text must be addresses once it is filled in, so
// that a line feed in the data is refused here.
func (f *filling) addressesIn(part, text string) []address.Address {
	if text == "" {
		return nil
	}
	list, err := address.ParseList(part, text)
	if err != nil {
		f.errs = append(f.errs, err)
	}
	return list
}
