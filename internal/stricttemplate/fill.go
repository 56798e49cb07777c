package stricttemplate

import (
	"context"
	"errors"
	"io"
	"strings"
)

// ErrStopped is a part that was not filled in, because another one exceeded a limit
// before. The error of that one says which limit.
var ErrStopped = errors.New("another part exceeded a limit")

// Filling is one use of a set: its parts are filled in with the same data, and share
// the limits. It is for one goroutine. End ends it.
type Filling struct {
	set    *Set
	ctx    context.Context // of this use
	data   values
	engine *engine // nil until one is needed
	over   bool    // a limit is exceeded, so that no other part is filled in
}

// Fill begins to fill in with data. A part that is being filled in ends with ctx.
func (s *Set) Fill(ctx context.Context, data map[string]any) *Filling {
	return &Filling{set: s, ctx: ctx, data: values{data, s.options.Source}}
}

// End lets others fill in.
func (f *Filling) End() {
	if f.engine != nil {
		f.set.giveBack(f.engine)
	}
	f.engine = nil
}

// Text is a part that is filled in, "" for one that is not in the set. The error is
// *Error, the cause of the context once that has ended, or ErrStopped. After an *Error
// other parts can be filled in.
func (f *Filling) Text(name string) (string, error) {
	if literal := f.set.literal[name]; literal != "" {
		return literal, nil
	}
	p, ok := f.set.parts[name]
	switch {
	case !ok:
		return "", nil
	case f.over:
		return "", ErrStopped
	case f.engine == nil:
		f.engine = f.set.take(f.ctx)
	}
	if f.ctx.Err() != nil || f.engine == nil {
		return "", context.Cause(f.ctx)
	}
	out := countedText{count: f.engine.field}
	if p.body {
		out.count = f.engine.body
	}
	err := f.engine.begin(p.steps)
	if err == nil {
		err = f.engine.execute[name](&out, f.data.byName)
	}
	if err != nil {
		return "", f.failed(name, err)
	}
	return out.String(), nil
}

// failed is why a part was not filled in.
func (f *Filling) failed(part string, err error) error {
	if f.ctx.Err() != nil {
		return context.Cause(f.ctx)
	}
	if much, ok := errors.AsType[tooMuch](err); ok {
		f.over = true
		return &Error{part, string(much)}
	}
	if value, ok := errors.AsType[*unfit](err); ok {
		return &Error{part, value.in(f.data)}
	}
	return &Error{part, inOurWords(plainly(oneLine(err)), f.data)}
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
