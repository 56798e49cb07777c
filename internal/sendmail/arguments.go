package sendmail

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/lazy"
	"github.com/smtpsend/smtpsend/internal/mailobject"
)

// Mode is what sendmail is asked to do, by the letter of -b.
type Mode byte

// The modes.
const (
	ModeSubmit Mode = 'm' // read a message and submit it
	ModeSMTP   Mode = 's' // SMTP on standard input
	ModeQueue  Mode = 'p' // list the queue
	ModeFlush  Mode = 'q' // submit what is queued
	ModeNone   Mode = 'h' // end without doing anything
)

// Arguments are what the arguments of sendmail say.
type Arguments struct {
	Mode                 Mode
	Interval             bool   // -q30m: a daemon's setting
	RecipientsFromHeader bool   // -t
	IgnoreDots           bool   // -i: a lone dot is a line like any other
	Sender               string // -f, -r
	SenderFromHeader     bool   // --read-envelope-from
	FullName             string // -F
	Recipients           []string

	DSN mailobject.DSN // -N, -R, -V

	Settings               map[string]string // by name without prefix
	Timeout                time.Duration     // 0: none was given
	Verbose, Trace, DryRun bool
	Help                   bool
	Warnings               []string // what was wrong and is ignored
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

// Parse reads an argument list, without the program's name. Like Postfix's, it ends
// the options at the first recipient. Its error has the exit code exit.Usage and
// names the argument; it is an *OptionError for an option that is not taken from
// callers.
func Parse(args []string) (*Arguments, error) {
	a := &Arguments{Mode: ModeSubmit, Settings: map[string]string{}}
	for len(args) > 0 {
		arg := args[0]
		if arg == "--" {
			a.Recipients = args[1:]
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
			return nil, exit.Usagef("sendmail: %q comes after a recipient: write options before it, and -- before a recipient that begins with a hyphen", r)
		}
	}
	a.Recipients = args
	return a, a.checkMode()
}

// checkMode refuses -t with a mode that reads no message, as Postfix does: a web
// form that can add an option to PHP's -t must not get to speak SMTP.
func (a *Arguments) checkMode() error {
	if a.RecipientsFromHeader && a.Mode != ModeSubmit {
		return exit.Usagef("sendmail: -t is for a message on standard input, and not for -bs, -bp, -bi, -q or -I")
	}
	return nil
}

// short reads one argument of single-letter options.
func (a *Arguments) short(arg string, rest []string) ([]string, error) {
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
func (a *Arguments) apply(letter byte, text string) error {
	switch letter {
	case 't':
		a.RecipientsFromHeader = true
	case 'i':
		a.IgnoreDots = true
	case 'v':
		a.Verbose = true
	case 'd':
		a.Trace = true
	case 'P':
		a.DryRun = true
	case 'I':
		a.Mode = ModeNone
	case 'f', 'r':
		a.Sender = text
	case 'F':
		a.FullName = text
	case 'b':
		return a.setMode(text)
	case 'q':
		a.flush(text)
	case 'o':
		if strings.HasPrefix(text, "i") {
			a.IgnoreDots = true
		}
	case 'B':
		if !slices.Contains([]string{"7BIT", "8BITMIME"}, strings.ToUpper(text)) {
			return exit.Usagef("sendmail: -B %q: 7BIT or 8BITMIME", text)
		}
	case 'N', 'R', 'V':
		a.setDSN(letter, text)
	case 'a', 'C':
		return refused("-"+string(letter), "profile")
	}
	return nil
}

// setMode is -b.
func (a *Arguments) setMode(text string) error {
	switch text {
	case "m", "s", "p":
		a.Mode = Mode(text[0])
	case "i", "h", "H":
		a.Mode = ModeNone
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
// daemon's setting, which may come with a message.
func (a *Arguments) flush(text string) {
	if text == "" || strings.ContainsRune("IRS", rune(text[0])) {
		a.Mode = ModeFlush
		return
	}
	a.Interval = true
}

// setDSN is -N, -R and -V (RFC 3461 4). As with Postfix, a wrong value is a
// warning: the message matters more.
func (a *Arguments) setDSN(letter byte, text string) {
	wish := a.DSN
	switch letter {
	case 'N':
		wish.Notify = strings.ToUpper(text)
	case 'R':
		wish.Return = strings.ToUpper(text)
	case 'V':
		wish.EnvelopeID = text
	}
	if err := wish.Check(); err != nil {
		a.Warnings = append(a.Warnings, fmt.Sprintf("sendmail: -%c is ignored: %v", letter, err))
		return
	}
	a.DSN = wish
}

// settingOptions are options that would say which settings, files or places are
// used, with the setting that says so. They are refused: a program passes on what a
// web form or another user said, and settings can run a command.
var settingOptions = &lazy.Value[map[string]string]{Make: func() map[string]string {
	return map[string]string{
		"env-file": "", "profile": "", "account": "", "file": "", "config": "",
		"aliases": "ALIASES_FILE", "default-domain": "DEFAULT_DOMAIN", "dead-letter-dir": "DEAD_LETTER_DIR", "domain": "DEFAULT_DOMAIN",
	}
}}

// OptionError is an option of other sendmails that says which settings, files or
// places are used.
type OptionError struct {
	Option  string // as it was given, such as -a or --profile
	Setting string // what says it instead, without prefix; "": the profile or the env file does
}

// Error names the option.
func (e *OptionError) Error() string {
	return "sendmail: " + e.Option + " is not accepted from a caller of sendmail"
}

// refused is the error for an option that is one of settingOptions under name.
func refused(option, name string) error {
	return exit.With(exit.Usage, &OptionError{option, settingOptions.Get()[name]})
}

// long reads one long option: those of smtpsend, and msmtp's that fit.
func (a *Arguments) long(arg string, rest []string) ([]string, error) {
	name, text, has := strings.Cut(arg[2:], "=")
	if _, known := settingOptions.Get()[name]; known {
		return nil, refused("--"+name, name)
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
		a.Sender = text
		return rest, nil
	}
	d, err := time.ParseDuration(text)
	if err != nil || d <= 0 {
		return nil, exit.Usagef("sendmail: --timeout %q: write it as 90s or 5m", text)
	}
	a.Timeout = d
	return rest, nil
}

func (a *Arguments) longFlag(name string) error {
	switch name {
	case "help":
		a.Help = true
	case "verbose":
		a.Verbose = true
	case "trace", "debug":
		a.Trace = true
	case "dry-run", "pretend":
		a.DryRun = true
	case "force-from":
		a.Settings["FORCE_FROM"] = "1"
	case "read-envelope-from":
		a.SenderFromHeader = true
	case "read-recipients":
		a.RecipientsFromHeader = true
	case "queue":
		a.Settings["QUEUE"] = "always"
	case "reencode-long-lines":
		a.Settings["REENCODE_LONG_LINES"] = "1"
	default:
		return exit.Usagef("sendmail: unknown option --%s; see smtpsend sendmail --help", name)
	}
	return nil
}
