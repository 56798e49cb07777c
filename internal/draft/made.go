package draft

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/until"
)

// Made is a message that was composed. Close it after it was submitted.
type Made struct {
	*mailobject.Mail
	From string             // who it is from
	Size message.SizeReport // as it is sent
	// Composed is the message with what may not be meant about it, nil for a ready one.
	Composed *message.Composed

	draft message.Draft
	o     *Options
}

// Keep writes the message, and the page that shows it, where the options say.
func (m *Made) Keep(ctx context.Context) error {
	if preview := m.o.Preview; preview != "" && m.Composed != nil {
		name := m.o.name("preview")
		var page strings.Builder
		if err := message.Preview(&page, m.draft, m.Composed); err != nil {
			return fmt.Errorf("%s: %w", name, err)
		}
		if err := ownfile.Replace(preview, []byte(page.String()), 0o600); err != nil {
			return exit.With(exit.CannotCreate, fmt.Errorf("%s %q: %w", name, preview, err))
		}
	}
	return m.save(ctx)
}

// save writes the octets that go after DATA. What is not whole is not left there.
func (m *Made) save(ctx context.Context) error {
	file, name := m.o.Save, m.o.name("save")
	if file == "" {
		return nil
	}
	f, err := ownfile.Output(ctx, file)
	if err != nil {
		return exit.With(exit.CannotCreate, fmt.Errorf("%s: %w", name, err))
	}
	_, err = m.Content.WriteTo(until.Writer(ctx, f))
	if err = errors.Join(err, f.Close()); err == nil {
		return nil
	}
	if info, e := os.Lstat(file); e == nil && info.Mode().IsRegular() {
		_ = os.Remove(file)
	}
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	return exit.With(exit.IO, fmt.Errorf("%s: %w", name, err))
}
