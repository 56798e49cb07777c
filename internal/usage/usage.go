// Package usage words what is wrong with a command line, and what is right in its
// place: flags of other mail programs, misspelt flags and verbs, values of the wrong
// kind. Its errors have the exit code of usage.
package usage

import (
	"errors"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/lazy"
	"github.com/smtpsend/smtpsend/internal/spelling"
)

// hints say what to use in the place of flags that mean different things in
// different mail programs and therefore nothing here, or have another name.
var hints = &lazy.Value[map[string]string]{Make: func() map[string]string {
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

// WrongFlag is the error for a flag, or its value, that err says is wrong. It is for
// cobra's SetFlagErrorFunc.
func WrongFlag(cmd *cobra.Command, err error) error {
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
	if hint, ok := hints.Get()[name]; ok && len(name) == 1 {
		return exit.Usagef("%s", hint)
	} else if ok {
		return exit.Usagef("unknown flag: --%s: %s", name, hint)
	}
	var known []string
	cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
	if near := spelling.Nearest(name, known); near != "" && len(name) > 1 {
		return exit.Usagef("unknown flag: --%s: did you mean --%s? See %s --help", name, near, cmd.CommandPath())
	}
	return exit.Usagef("%v; see %s --help", unknown, cmd.CommandPath())
}

// NoArguments refuses what follows a verb that takes nothing. It is for the Args of a
// cobra.Command.
func NoArguments(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	if !cmd.HasSubCommands() {
		return exit.Usagef("%q takes no argument, got %q", cmd.CommandPath(), args[0])
	}
	return noCommand(cmd, args[0])
}

// One takes one argument, which what names, such as "one file". It is for the Args of a
// cobra.Command.
func One(what string) cobra.PositionalArgs {
	return func(cmd *cobra.Command, args []string) error {
		if len(args) != 1 {
			return exit.Usagef("%q takes %s", cmd.CommandPath(), what)
		}
		return nil
	}
}

// noCommand is the error for a word that is not a verb.
func noCommand(parent *cobra.Command, word string) error {
	var known []string
	for _, c := range parent.Commands() {
		known = append(known, c.Name())
	}
	if near := spelling.Nearest(word, known); near != "" {
		return exit.Usagef("no command %q: did you mean %s? See %s --help", word, near, parent.CommandPath())
	}
	return exit.Usagef("no command %q; see %s --help", word, parent.CommandPath())
}
