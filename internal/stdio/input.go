package stdio

import (
	"context"
	"errors"
	"io"

	"github.com/smtpsend/smtpsend/internal/until"
)

// Input is standard input whose Read returns when a context ends: a person who
// presses Ctrl-C, or a supervisor that sends SIGTERM, does not wait for text that
// no one writes. It is for one goroutine at a time.
type Input struct {
	ctx    context.Context // kept, because Read has none
	in     io.Reader
	read   io.Reader // in, until ctx ends
	failed func(error) error
}

// NewInput makes an Input of in that ends with ctx. An error of in itself, other
// than io.EOF, goes through failed on its way to the reader.
func NewInput(ctx context.Context, in io.Reader, failed func(error) error) *Input {
	return &Input{ctx: ctx, in: in, read: until.Reader(ctx, in), failed: failed}
}

// Read returns io.EOF at the end, the context's cause once it has ended, and else
// what failed makes of the error.
func (i *Input) Read(p []byte) (int, error) {
	n, err := i.read.Read(p)
	if err != nil && !errors.Is(err, io.EOF) && i.ctx.Err() == nil {
		err = i.failed(err)
	}
	return n, err
}
