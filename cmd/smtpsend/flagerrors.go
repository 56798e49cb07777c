package main

import (
	"errors"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/draft"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/lazy"
	"github.com/smtpsend/smtpsend/internal/spelling"
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

// flagHints say what to use in the place of flags that mean different things in
// different mail programs and therefore nothing here, or have another name.
var flagHints = &lazy.Value[map[string]string]{Make: func() map[string]string {
	return map[string]string{
		"a":             "-a means a header in one mail program and an attachment in another: use -A (--attach), -H (--header) or --profile",
		"t":             "-t means recipients from the header in sendmail and a recipient in others: use --to",
		"body":          "use --text, --text-file or --html-file",
		"file":          "use --attach, --text-file or --message",
		"attachment":    "use --attach",
		"attachments":   "use --attach",
		"from-name":     "write --from 'Name <user@domain>'",
		"envelope-from": "the reverse-path is the mailbox: use --mailbox",
		"smtp-host":     "set " + config.Prefix + "MAIL_SERVER",
		"smtp-server":   "set " + config.Prefix + "MAIL_SERVER",
		"server":        "set " + config.Prefix + "MAIL_SERVER",
		"host":          "set " + config.Prefix + "MAIL_SERVER",
		"smtp-port":     "set " + config.Prefix + "SMTP_PORT",
		"port":          "set " + config.Prefix + "SMTP_PORT",
		"config":        "use --env-file or --profile",
	}
}}

// flagError says what would be right in the place of a wrong flag.
func flagError(cmd *cobra.Command, err error) error {
	// A flag of a verb that is misspelt is unknown because of that.
	if words := cmd.Flags().Args(); cmd.HasSubCommands() && len(words) > 0 {
		return noCommand(cmd, words[0])
	}
	if unknown, ok := errors.AsType[*pflag.NotExistError](err); ok {
		return unknownFlag(cmd, unknown)
	}
	if wrong, ok := errors.AsType[*pflag.InvalidValueError](err); ok {
		want, known := map[string]string{
			"int": "must be a whole number", "duration": "must be a duration such as 90s or 5m", "bool": "must be true or false",
		}[wrong.GetFlag().Value.Type()]
		if known {
			return exit.Usagef("--%s %q: %s", wrong.GetFlag().Name, wrong.GetValue(), want)
		}
	}
	return exit.Usagef("%v; see %s --help", err, cmd.CommandPath())
}

func unknownFlag(cmd *cobra.Command, unknown *pflag.NotExistError) error {
	name := unknown.GetSpecifiedName()
	if hint, ok := flagHints.Get()[name]; ok && len(name) == 1 {
		return exit.Usagef("%s", hint)
	} else if ok {
		return exit.Usagef("unknown flag: --%s: %s", name, hint)
	}
	var known []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	if near := spelling.Nearest(name, known); near != "" && len(name) > 1 {
		return exit.Usagef("unknown flag: --%s: is --%s meant? See %s --help", name, near, cmd.CommandPath())
	}
	return exit.Usagef("%v; see %s --help", unknown, cmd.CommandPath())
}

// noArguments refuses what follows a verb that takes nothing.
func noArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if !cmd.HasSubCommands() {
		return exit.Usagef("%q takes no argument, got %q", cmd.CommandPath(), args[0])
	}
	return noCommand(cmd, args[0])
}

// noCommand is the error for a word that is not a verb.
func noCommand(parent *cobra.Command, word string) error {
	var known []string
	for _, c := range parent.Commands() {
		known = append(known, c.Name())
	}
	if near := spelling.Nearest(word, known); near != "" {
		return exit.Usagef("no command %q: is %s meant? See %s --help", word, near, parent.CommandPath())
	}
	return exit.Usagef("no command %q; see %s --help", word, parent.CommandPath())
}
