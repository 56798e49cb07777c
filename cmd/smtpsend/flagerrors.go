package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/draft"
	"github.com/smtpsend/smtpsend/internal/lazy"
)

// ofFlag puts the flag before what is wrong with its value.
func ofFlag(flag string, err error) error {
	return fmt.Errorf("%s: %w", flag, err)
}

// flagOfField has the flag that fills what message.Compose checks.
var flagOfField = &lazy.Value[map[string]string]{Make: func() map[string]string {
	return map[string]string{
		"From": "from", "To": "to", "Cc": "cc", "Bcc": "bcc", "Reply-To": "reply-to", "Subject": "subject", "mailbox": "mailbox",
		"priority": "priority", "In-Reply-To": "in-reply-to", "References": "references", "list-unsubscribe": "list-unsubscribe",
		"inline image": "inline", "HTML image": "embed", "attachment name": "attach", "attachment": "attach",
	}
}}

// asFlags names the flag in the place of the header field that it fills, unless
// the value came from the template.
func (s *sendFlags) asFlags(err error, from *draft.Composer) error {
	if file, ok := errors.AsType[*badinput.FileError](err); ok {
		return s.asFile(file, from)
	}
	field, ok := errors.AsType[*badinput.FieldError](err)
	if !ok {
		return err
	}
	flag := flagOfField.Get()[field.Field]
	if field.Field == "header" || strings.HasPrefix(field.Field, "header ") {
		flag = field.Field
	}
	switch name, _, _ := strings.Cut(flag, " "); {
	case flag == "":
		return err
	case s.Template != "" && !s.Given(name):
		return fmt.Errorf("template %s: %w", s.Template, err)
	}
	return &badinput.FieldError{Field: "--" + flag, Value: field.Value, Reason: inFlags(field), Err: field.Err}
}

// asFile names what asked for a file that cannot be sent along.
func (s *sendFlags) asFile(err *badinput.FileError, from *draft.Composer) error {
	for _, inline := range s.Inline {
		if _, path, _ := strings.Cut(inline, "="); path == err.Path {
			return ofFlag("--inline", err)
		}
	}
	if from.Attached(err.Path) {
		return ofFlag("--attach", err)
	}
	if s.Given("embed") {
		return ofFlag("--embed", err)
	}
	return err
}
