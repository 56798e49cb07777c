package main

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/lazy"
	"github.com/smtpsend/smtpsend/internal/mailobject"
)

// The modes of sendmail, by the letter of -b.
const (
	modeSubmit = 'm' // read a message and submit it
	modeSMTP   = 's' // SMTP on standard input
	modeQueue  = 'p' // list the queue
	modeFlush  = 'q' // deliver what is queued
	modeNone   = 'h' // end without doing anything
)

// sendmailArgs are what the arguments of sendmail say.
type sendmailArgs struct {
	mode       byte
	interval   bool   // -q30m: a daemon's setting
	fromHeader bool   // -t
	dots       bool   // -i: a lone dot is a line like any other
	sender     string // -f, -r
	fullName   string // -F
	recipients []string

	dsn mailobject.DSN // -N, -R, -V

	settings               map[string]string // by name without prefix
	timeout                time.Duration
	verbose, trace, dryRun bool
	readFrom               bool
	help                   bool
	warnings               []string
}

// arity says what follows an option's letter.
type arity int

const (
	alone    arity = iota // nothing: the next letter is another option
	value                 // a value, in the same argument or the next
	gluedAny              // all that is in the same argument, perhaps nothing
)

// optionArity has every letter that is an option. It is the grammar of
// Postfix's sendmail(1), with the options of Sendmail that Postfix lacks but
// programs use (-d), and msmtp's -a and -P.
var optionArity = &lazy.Value[map[byte]arity]{Make: func() map[byte]arity {
	return map[byte]arity{
		't': alone, 'i': alone, 'v': alone, 'n': alone, 'm': alone, 'c': alone, 'x': alone, 'G': alone, 'I': alone, 'U': alone, 'P': alone,
		'f': value, 'r': value, 'F': value, 'b': value, 'o': value, 'O': value, 'B': value, 'N': value, 'R': value, 'V': value,
		'X': value, 'L': value, 'A': value, 'h': value, 'e': value, 'p': value, 'a': value, 'C': value, 'D': value,
		'q': gluedAny, 'd': gluedAny,
	}
}}

// parseSendmail reads an argument list, without the program's name. Like
// Postfix's, it ends the options at the first recipient. Its error is a usage
// error that names the argument.
func parseSendmail(args []string) (*sendmailArgs, error) {
	a := &sendmailArgs{mode: modeSubmit, settings: map[string]string{}}
	for len(args) > 0 {
		arg := args[0]
		if arg == "--" {
			a.recipients = args[1:]
			return a, a.checkMode()
		}
		if len(arg) < 2 || arg[0] != '-' {
			break
		}
		args = args[1:]
		var err error
		if strings.HasPrefix(arg, "--") {
			args, err = a.long(arg, args)
		} else {
			args, err = a.short(arg, args)
		}
		if err != nil {
			return nil, err
		}
	}
	for _, r := range args {
		if len(r) > 1 && r[0] == '-' {
			return nil, exit.Usagef("sendmail: %q stands after a recipient: options go before it, and -- before a recipient that begins with a hyphen", r)
		}
	}
	a.recipients = args
	return a, a.checkMode()
}

// checkMode refuses -t with a mode that reads no message, as Postfix does: a web
// form that can add an option to PHP's -t must not get to speak SMTP.
func (a *sendmailArgs) checkMode() error {
	if a.fromHeader && a.mode != modeSubmit {
		return exit.Usagef("sendmail: -t is for a message on standard input, and not for -bs, -bp, -bi, -q or -I")
	}
	return nil
}

// short reads one argument of single-letter options.
func (a *sendmailArgs) short(arg string, rest []string) ([]string, error) {
	for i := 1; i < len(arg); i++ {
		letter := arg[i]
		kind, ok := optionArity.Get()[letter]
		if !ok {
			return nil, exit.Usagef("sendmail: unknown option -%s in %q; see smtpsend sendmail --help", arg[i:i+1], arg)
		}
		if kind == alone {
			if err := a.apply(letter, ""); err != nil {
				return nil, err
			}
			continue
		}
		text := arg[i+1:]
		if text == "" && kind == value {
			if len(rest) == 0 {
				return nil, exit.Usagef("sendmail: option -%c needs a value", letter)
			}
			text, rest = rest[0], rest[1:]
		}
		return rest, a.apply(letter, text)
	}
	return rest, nil
}

// apply does what one option says. What is not mentioned has no meaning here
// and is ignored, so that programs need not be changed: -A, -D, -G, -L, -O, -U,
// -X, -c, -e, -h, -m, -n, -p, -x.
func (a *sendmailArgs) apply(letter byte, text string) error {
	switch letter {
	case 't':
		a.fromHeader = true
	case 'i':
		a.dots = true
	case 'v':
		a.verbose = true
	case 'd':
		a.trace = true
	case 'P':
		a.dryRun = true
	case 'I':
		a.mode = modeNone
	case 'f', 'r':
		a.sender = text
	case 'F':
		a.fullName = text
	case 'b':
		return a.setMode(text)
	case 'q':
		a.flush(text)
	case 'o':
		if strings.HasPrefix(text, "i") {
			a.dots = true
		}
	case 'B':
		if !slices.Contains([]string{"7BIT", "8BITMIME"}, strings.ToUpper(text)) {
			return exit.Usagef("sendmail: -B %q: 7BIT or 8BITMIME", text)
		}
	case 'N', 'R', 'V':
		a.setDSN(letter, text)
	case 'a', 'C':
		return pinned("-"+string(letter), "profile")
	}
	return nil
}

// setMode is -b.
func (a *sendmailArgs) setMode(text string) error {
	switch text {
	case "m", "s", "p":
		a.mode = text[0]
	case "i", "h", "H":
		a.mode = modeNone
	case "d", "D", "l":
		return exit.Usagef("sendmail: -b%s: smtpsend is not a daemon and listens on no port; -bs speaks SMTP on standard input", text)
	case "v", "t":
		return exit.Usagef("sendmail: -b%s: no address is verified or tested here; smtpsend send --dry-run shows what would be submitted", text)
	default:
		return exit.Usagef("sendmail: -b %q: one of m, s, p, i", text)
	}
	return nil
}

// flush is -q: alone it delivers the queue, with an interval (-q30m) it is a
// daemon's setting, which may stand beside a message.
func (a *sendmailArgs) flush(text string) {
	if text == "" || strings.ContainsRune("IRS", rune(text[0])) {
		a.mode = modeFlush
		return
	}
	a.interval = true
}

// setDSN is -N, -R and -V (RFC 3461 4). As with Postfix, a wrong value is a
// warning: the message matters more.
func (a *sendmailArgs) setDSN(letter byte, text string) {
	wish := a.dsn
	switch letter {
	case 'N':
		wish.Notify = strings.ToUpper(text)
	case 'R':
		wish.Return = strings.ToUpper(text)
	case 'V':
		wish.EnvelopeID = text
	}
	if err := wish.Check(); err != nil {
		a.warnings = append(a.warnings, fmt.Sprintf("sendmail: -%c is ignored: %v", letter, err))
		return
	}
	a.dsn = wish
}

// pinnedOptions are options that would say which settings, files or places are
// used, with the setting that says so. They are refused: a program passes on what
// a web form or another user said, and settings can run a command.
var pinnedOptions = &lazy.Value[map[string]string]{Make: func() map[string]string {
	return map[string]string{
		"env-file": "", "profile": "", "account": "", "file": "", "config": "",
		"aliases": "ALIASES_FILE", "default-domain": "DEFAULT_DOMAIN", "dead-letter-dir": "DEAD_LETTER_DIR", "domain": "DEFAULT_DOMAIN",
	}
}}

// pinned is the error for an option that is one of pinnedOptions under name.
func pinned(option, name string) error {
	if setting := pinnedOptions.Get()[name]; setting != "" {
		return exit.Usagef("sendmail: %s is not taken from whoever calls sendmail: set %s%s", option, config.Prefix, setting)
	}
	return exit.Usagef("sendmail: %s is not taken from whoever calls sendmail, because settings can run a command: put --env-file FILE or --profile NAME "+
		"before the verb (smtpsend --profile NAME sendmail ...), or set %sENV_FILE in the environment", option, config.Prefix)
}

// long reads one long option: those of smtpsend, and msmtp's that fit.
func (a *sendmailArgs) long(arg string, rest []string) ([]string, error) {
	name, text, has := strings.Cut(arg[2:], "=")
	if _, refused := pinnedOptions.Get()[name]; refused {
		return nil, pinned("--"+name, name)
	}
	if name != "timeout" && name != "from" {
		if has {
			return nil, exit.Usagef("sendmail: option --%s takes no value or is unknown; see smtpsend sendmail --help", name)
		}
		return rest, a.longFlag(name)
	}
	if !has {
		if len(rest) == 0 {
			return nil, exit.Usagef("sendmail: option --%s needs a value", name)
		}
		text, rest = rest[0], rest[1:]
	}
	if name == "from" {
		a.sender = text
		return rest, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return nil, exit.Usagef("sendmail: --timeout %q: write it as 90s or 5m", text)
	}
	a.timeout = d
	return rest, nil
}

func (a *sendmailArgs) longFlag(name string) error {
	switch name {
	case "help":
		a.help = true
	case "verbose":
		a.verbose = true
	case "trace", "debug":
		a.trace = true
	case "dry-run", "pretend":
		a.dryRun = true
	case "force-from":
		a.settings["FORCE_FROM"] = "1"
	case "read-envelope-from":
		a.readFrom = true
	case "read-recipients":
		a.fromHeader = true
	case "queue":
		a.settings["QUEUE"] = "always"
	case "reencode-long-lines":
		a.settings["REENCODE_LONG_LINES"] = "1"
	default:
		return exit.Usagef("sendmail: unknown option --%s; see smtpsend sendmail --help", name)
	}
	return nil
}
