package main

import (
	"cmp"
	"errors"
	"strings"

	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/batch"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/draft"
	"github.com/smtpsend/smtpsend/internal/localname"
	"github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/readymessage"
	"github.com/smtpsend/smtpsend/internal/seal"
	"github.com/smtpsend/smtpsend/internal/sendmail"
)

// advisedError is an error with what helps after it. The packages that return
// errors know no flags and settings; what these can do about a reason is said here.
type advisedError struct {
	err    error
	advice string
}

func (e *advisedError) Error() string { return e.err.Error() + e.advice }
func (e *advisedError) Unwrap() error { return e.err }

// advised adds to an error the flag or the setting that helps, once.
func advised(err error) error {
	if _, done := errors.AsType[*advisedError](err); err == nil || done {
		return err
	}
	if advice := adviceOn(err); advice != "" {
		return &advisedError{err, advice}
	}
	return err
}

func adviceOn(err error) string {
	if _, elsewhere := errors.AsType[*message.ElsewhereError](err); elsewhere {
		return "; to attach it from there, use --attach-dir ."
	}
	switch {
	case errors.Is(err, batch.ErrNoBody):
		return ": use --template, --text-file, --html-file or --markdown-file"
	case errors.Is(err, draft.ErrNoRecipient):
		return ": use --to, --cc or --bcc, or name them as arguments"
	case errors.Is(err, draft.ErrNoFrom):
		return ": use --from, or set " + config.Prefix + "MAIL_SENDER"
	case errors.Is(err, message.ErrOutside):
		return ", and a template or a row may name only files in or below it; --attach-dir DIR names another directory"
	case errors.Is(err, message.ErrOwnField):
		return ownFieldAdvice(err)
	case errors.Is(err, readymessage.ErrReencodeNever):
		return "; " + config.Prefix + "REENCODE=always puts it into quoted-printable"
	}
	return cmp.Or(sendmailAdvice(err), sealAdvice(err))
}

// sendmailAdvice names the setting that decides what sendmail does not take from
// whoever calls it, or does not find in a message.
func sendmailAdvice(err error) string {
	option, isOption := errors.AsType[*sendmail.OptionError](err)
	_, noAuthor := errors.AsType[*sendmail.AuthorError](err)
	switch {
	case isOption && option.Setting != "":
		return ": set " + config.Prefix + option.Setting
	case isOption:
		return ", because settings can run a command: put --env-file FILE or --profile NAME before the verb (smtpsend --profile NAME sendmail ...), " +
			"or set " + config.Prefix + "ENV_FILE in the environment"
	case noAuthor:
		return ": set " + config.Prefix + "MAIL_SENDER"
	case errors.Is(err, sendmail.ErrTaken):
		return ": --force replaces it"
	case errors.Is(err, localname.ErrUnknown):
		return ": set " + config.Prefix + "DEFAULT_DOMAIN, or an alias in " + localname.SystemAliases
	}
	return ""
}

// place is where a header field is filled from: a flag, and a key of front matter.
type place struct{ flag, key string }

// placeOf has the places of the fields that cannot be extra ones.
var placeOf = map[string]place{
	"from": {"from", "from"}, "to": {"to", "to"}, "cc": {"cc", "cc"}, "bcc": {"bcc", "bcc"}, "subject": {"subject", "subject"},
	"reply-to": {"reply-to", "reply_to"}, "return-path": {"mailbox", "mailbox"}, "apparently-to": {"to", "to"},
}

// ownFieldAdvice says where a field belongs that was given as an extra one. Those
// of --header are worded by asFlags, so this one is of a template, or of batch.
func ownFieldAdvice(err error) string {
	at, known := placeOf[extraField(err)]
	if !known {
		return ""
	}
	return "; write " + at.key + ": in the front matter of the template, or use --" + at.flag
}

// setBy has the flags that set fields which may be extra ones otherwise.
var setBy = map[string]string{
	"x-priority": "--priority", "importance": "--priority", "in-reply-to": "--in-reply-to",
	"references": "--references or --in-reply-to", "list-unsubscribe": "--list-unsubscribe", "list-unsubscribe-post": "--list-unsubscribe",
}

// extraField is the name, in lower case, of the extra header field that err is
// about, "" for another error.
func extraField(err error) string {
	field, ok := errors.AsType[*badinput.FieldError](err)
	if !ok {
		return ""
	}
	name, _ := strings.CutPrefix(field.Field, "header ")
	return strings.ToLower(name)
}

// inFlags is the reason of a *badinput.FieldError for whoever wrote --header.
func inFlags(field *badinput.FieldError) string {
	name := extraField(field)
	switch {
	case errors.Is(field, message.ErrSetAlready):
		return "is set by " + setBy[name] + " already"
	case errors.Is(field, message.ErrOwnField) && name == "return-path":
		return field.Reason + "; use --" + placeOf[name].flag
	case errors.Is(field, message.ErrOwnField):
		return "use --" + placeOf[name].flag
	}
	return field.Reason
}

// sealAdvice says what to do about a sealed value that does not open.
func sealAdvice(err error) string {
	const file, again = config.Prefix + "IDENTITY_FILE", "smtpsend secret seal"
	sealed, ok := errors.AsType[*seal.Error](err)
	switch {
	case !ok:
		return ""
	case errors.Is(sealed, seal.ErrNoIdentity) && sealed.File == "":
		return "; name one in " + file
	case errors.Is(sealed, seal.ErrNoIdentity):
		return ", or name it in " + file
	case errors.Is(sealed, seal.ErrWrongIdentity):
		return "; set " + file + ", or run " + again
	case errors.Is(sealed, seal.ErrDamaged):
		return " (" + again + ")"
	}
	return ""
}
