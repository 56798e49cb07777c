package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/ownfile"
)

// errSlow is the cause of the context with which composing ends.
var errSlow = errors.New("composing takes too long")

// composing runs f, which makes a message or a part of it, for as long as
// --timeout leaves. What waits for standard input is no part of f: somebody may
// be typing.
func (g *globals) composing(ctx context.Context, f func(context.Context) error) error {
	inner, cancel := context.WithTimeoutCause(ctx, g.timeout-g.composed, errSlow)
	defer cancel()
	started := time.Now()
	err := f(inner)
	g.composed += time.Since(started)
	if errors.Is(err, errSlow) {
		return exit.With(exit.Data, fmt.Errorf("composing the message took longer than --timeout %v", g.timeout))
	}
	return err
}

// left is how much of --timeout composing has left for the rest.
func (g *globals) left() time.Duration { return g.timeout - g.composed }

// readBody reads a file, or standard input for "-", of at most that many octets.
// Without stdin there is none. It ends with ctx, also where it waits.
func readBody(ctx context.Context, name string, stdin io.Reader, most int) (string, error) {
	if name == "-" && stdin == nil {
		return "", exit.Usagef("standard input is not taken here, name a file")
	}
	var text strings.Builder
	in := stdin
	if name != "-" {
		f, err := ownfile.OpenContext(ctx, name)
		if err != nil {
			return "", fileError(ctx, name, err)
		}
		defer f.Close()
		in = f
		if info, err := os.Stat(name); err == nil && info.Mode().IsRegular() {
			text.Grow(min(int(info.Size()), most) + 1)
		}
	}
	n, err := io.Copy(&text, io.LimitReader(in, int64(most)+1))
	if err != nil {
		return "", fileError(ctx, name, err)
	}
	if n > int64(most) {
		return "", exit.With(exit.Data, fmt.Errorf("file %q: has more than %d octets", name, most))
	}
	return text.String(), nil
}

// fileError names the file, unless ctx has ended.
func fileError(ctx context.Context, name string, err error) error {
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return &badinput.FileError{Path: name, Err: err}
}
