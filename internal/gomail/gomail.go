// Package gomail takes messages of go-mail: it has go-mail write one, and reads what
// was written as a ready message.
package gomail

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/wneessen/go-mail"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/readymessage"
)

// Envelope is who submits m (EnvelopeFrom, else From; "" when it has neither), and who
// gets it: To, Cc and Bcc. signsIn is the mailbox that signs in for every message, zero
// when there is none; another EnvelopeFrom is refused then, because it would be
// dropped. The error is a *badinput.FieldError, or go-mail's own.
func Envelope(m *mail.Msg, signsIn address.Address) (from string, to []string, err error) {
	from, err = m.GetSender(false)
	if err != nil && !errors.Is(err, mail.ErrNoFromAddress) {
		return "", nil, err
	}
	if path := m.GetAddrHeader(mail.HeaderEnvelopeFrom); len(path) > 0 && !signsIn.IsZero() && !strings.EqualFold(path[0].Address, signsIn.Addr()) {
		return "", nil, badinput.Field("EnvelopeFrom", path[0].Address, "is not "+signsIn.Addr()+", which signs in and is the reverse-path")
	}
	to, err = m.GetRecipients()
	return from, to, err
}

// Read has go-mail write m, and reads that. Errors are those of readymessage.Read,
// *badinput.FieldError, and go-mail's own. A function in m that panics does so in the
// goroutine of the caller. A middleware may change m; one that gives another message
// is believed. The caller closes the result, or the Mail made of it.
func Read(ctx context.Context, m *mail.Msg, o readymessage.Options) (*readymessage.Message, error) {
	if err := check(m); err != nil {
		return nil, err
	}
	r, ended := written(m)
	raw, err := readymessage.Read(ctx, r, o)
	_ = r.Close()
	panicked := ended()
	if err == nil && panicked == nil {
		err = check(m) // middleware has had its turn
	}
	failed := err != nil || panicked != nil
	if raw != nil && failed {
		_ = raw.Close()
	}
	if panicked != nil { // in the caller's goroutine, where the caller may recover
		panic(panicked)
	}
	if err != nil {
		return nil, err
	}
	return raw, nil
}

// written is what go-mail writes of m. ended waits until go-mail is done with m, which
// is the caller's again then, and returns what a function in m has panicked with.
func written(m *mail.Msg) (r *io.PipeReader, ended func() (panicked any)) {
	r, w := io.Pipe()
	done := make(chan any, 1)
	go func() {
		err := errors.New("writing the message panicked")
		defer func() {
			panicked := recover()
			_ = w.CloseWithError(err)
			done <- panicked
		}()
		_, err = m.WriteTo(w)
	}()
	return r, func() any { return <-done }
}
