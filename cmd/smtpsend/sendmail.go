package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/signal"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/account"
	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/readymessage"
	"github.com/smtpsend/smtpsend/internal/submission"
	"github.com/smtpsend/smtpsend/internal/view"
)

const sendmailHelp = `Submit a message as /usr/sbin/sendmail does: read it from standard input, print
nothing on standard output. Meant for programs that call sendmail; by the names
sendmail, mailq and newaliases it is what they expect (smtpsend link-sendmail).

  -t                recipients from To, Cc and Bcc, beside those given as arguments
  -f, -r ADDRESS    reverse-path (default: the mailbox)
  -F NAME           display name for a message without From
  -i, -oi           a line with only a dot does not end the message
  -bm -bs -bp -bi   submit; SMTP on standard input; list the queue; nothing
  -q                submit what is due in the outbox
  -N WHEN, -R full|hdrs, -V ID
                    notifications (RFC 3461), where the server offers them
  -v, -d, -P        say what happens; show the dialogue; as --dry-run
  --                end of options

  --force-from, --reencode-long-lines     as the settings of these names
  --read-envelope-from      reverse-path from From
  --queue                   put the message into the outbox instead of submitting it
  --dry-run                 compose and check, but open no connection
  --timeout, --trace, --verbose     as everywhere

No option names a file, a directory or settings: whoever calls sendmail may be a
web form or another user. --env-file and --profile go before the verb:
smtpsend --profile NAME sendmail ... Sendmail's other options are accepted and
ignored; the manual lists each. What
cannot be submitted is kept in SMTPSEND_DEAD_LETTER_DIR, else in dead.letter in
the home directory.

` + exit.Help

func newSendmail(g *application) *cobra.Command {
	return &cobra.Command{
		Use:     "sendmail [options] [RECIPIENT...]",
		GroupID: groupSubmit,
		Short:   "Submit a message as /usr/sbin/sendmail does",
		Long:    sendmailHelp,
		Example: `  smtpsend sendmail -t -i < message.eml
  echo "disk full" | smtpsend sendmail root`,
		DisableFlagParsing:    true, // sendmail's grammar is not cobra's
		DisableFlagsInUseLine: true,
		RunE: func(cmd *cobra.Command, args []string) error {
			a, err := parseSendmail(args)
			if err != nil {
				return err
			}
			if a.help {
				return cmd.Help()
			}
			return runSendmail(cmd.Context(), g, a, args)
		},
	}
}

// sendmailNames are the names by which the program is sendmail, with the
// arguments that the name stands for.
var sendmailNames = map[string][]string{
	"sendmail": {"sendmail"}, "mailq": {"sendmail", "-bp"}, "newaliases": {"sendmail", "-bi"},
}

// byName puts in front of args what the program's name means.
func byName(program string, args []string) []string {
	name := strings.TrimSuffix(filepath.Base(program), ".exe")
	return append(append([]string(nil), sendmailNames[name]...), args...)
}

// sendmail is one run of the verb.
type sendmail struct {
	*application
	args  *sendmailArgs
	given []string // the arguments as they were
	cfg   *config.Config
	*postmark
}

func runSendmail(ctx context.Context, g *application, a *sendmailArgs, given []string) error {
	// A caller that closed its end of standard error must not cost the message.
	signal.Ignore(syscall.SIGPIPE)
	s := &sendmail{application: g, args: a, given: given}
	s.takeOver()
	switch {
	case a.mode == modeQueue:
		return s.listQueue(ctx)
	case a.mode == modeFlush:
		return s.flush(ctx)
	case a.mode == modeNone:
		return nil
	case a.interval && len(a.recipients) == 0 && !a.fromHeader && a.mode == modeSubmit:
		return nil
	case a.mode == modeSMTP:
		if err := s.settings(ctx); err != nil {
			return err
		}
		return s.serveSMTP(ctx)
	}
	return s.submitInput(ctx)
}

// takeOver puts the options into the global ones of the same meaning.
func (s *sendmail) takeOver() {
	a, g := s.args, s.application
	g.Verbose, g.trace = g.Verbose || a.verbose, g.trace || a.trace
	if a.timeout != 0 {
		g.timeout, g.timeoutGiven = a.timeout, true
	}
	g.silentCommands = true
	for _, w := range a.warnings {
		g.Warningf("%s", w)
	}
}

// settings loads the configuration and the aliases. s.cfg is set even when
// there is an error, for the place where the message is kept.
func (s *sendmail) settings(ctx context.Context) error {
	o := s.options()
	o.Offline, o.Flags, o.Stdin = s.args.dryRun, s.args.settings, nil
	cfg, err := config.Load(ctx, o)
	s.cfg = cfg
	if err != nil {
		return err
	}
	s.warnings(cfg.Warnings())
	s.postmark, err = newPostmark(ctx, cfg)
	return err
}

// submitInput is the way of a message on standard input. It is read to its end
// before anything else, so that its sender never meets a closed pipe (but for one
// who sends without end), and it is kept when it cannot be submitted.
func (s *sendmail) submitInput(ctx context.Context) error {
	copied := &original{}
	defer copied.close()
	in := s.stdin
	if !s.args.dots {
		in = newDotReader(in)
	}
	in = io.TeeReader(in, copied)
	settingsErr := s.settings(ctx)
	raw, err := readymessage.Read(ctx, in, readymessage.Options{Reencode: readymessage.Reencode(s.cfg.Reencode)})
	if _, refused := errors.AsType[*badinput.FieldError](err); refused {
		if more := copied.drain(in); more != nil {
			err = errors.Join(err, more)
		}
	}
	if err == nil {
		defer raw.Close()
		err = settingsErr
	} else if settingsErr != nil {
		err = settingsErr
	}
	var done *delivery
	if err == nil {
		done, err = s.deliver(ctx, raw)
	}
	if err == nil || errors.Is(err, errNobody) {
		return err
	}
	code := s.conclude(err) // the reason comes before the place
	s.keep(ctx, copied, resubmission{given: s.given, sender: s.args.sender, fullName: s.args.fullName, dsn: s.args.dsn, args: s.args}, done, err)
	return &exit.Error{Code: code, Err: err, Shown: true}
}

// delivery is a message whose submission was tried. Without recipients in shown it
// did not come to an attempt.
type delivery struct {
	mail  *stamped
	shown view.Receipt
}

// deliver submits raw to the recipients of arguments and header.
func (s *sendmail) deliver(ctx context.Context, raw *readymessage.Message) (*delivery, error) {
	recipients, err := s.recipients(raw)
	if err != nil {
		return nil, err
	}
	mail, err := s.stamp(raw, letter{
		sender: s.args.sender, fullName: s.args.fullName, readFrom: s.args.readFrom,
		recipients: recipients, dsn: s.args.dsn,
	})
	if err != nil {
		return nil, err
	}
	defer mail.Close()
	if s.args.dryRun || s.cfg.NoMails {
		return nil, notSubmitted(s.toStderr(), mail.Mail, s.args.dryRun)
	}
	if s.cfg.Queue == config.QueueAlways {
		return &delivery{mail: mail}, s.enqueueMail(ctx, mail)
	}
	shown, receipt, err := s.submit(ctx, mail)
	if err != nil {
		return &delivery{mail: mail}, err
	}
	s.toStderr().fallBack(ctx, s.cfg, mail.Mail, receipt, "sendmail", &shown)
	err = s.report(shown)
	return &delivery{mail, shown}, err
}

// errNobody is why a message is not kept: whoever called has to name somebody.
var errNobody = errors.New("no recipient: name one, or use -t for those of the header")

// recipients are those of the arguments and, with -t, those of the header,
// which are added to them, as Postfix does.
func (s *sendmail) recipients(raw *readymessage.Message) ([]address.Address, error) {
	var list []address.Address
	for _, arg := range s.args.recipients {
		some, err := address.ParseLenient("recipient", withCommas(arg))
		if err != nil {
			return nil, err
		}
		list = append(list, some...)
	}
	if s.args.fromHeader {
		some, err := raw.Recipients()
		if err != nil {
			return nil, err
		}
		list = append(list, some...)
	}
	switch {
	case len(list) > 0:
		return s.resolve(list)
	case s.args.fromHeader:
		return nil, exit.With(exit.Data, errors.New("no recipient in To, Cc or Bcc (-t), and none among the arguments"))
	}
	return nil, exit.With(exit.Usage, errNobody)
}

// withCommas is arg with commas for the blanks between plain addresses and local
// names: a script that keeps several in one variable may quote it, which no sendmail
// minds. Blanks at an @ or a dot are inside an address.
func withCommas(arg string) string {
	words := strings.Fields(arg)
	for _, w := range words {
		if strings.Count(w, "@") > 1 || strings.ContainsAny(w, `"<>(),;:\`) || strings.ContainsAny(w[:1]+w[len(w)-1:], "@.") {
			return arg
		}
	}
	return strings.Join(words, ",")
}

// submit sends a mail object off.
func (s *sendmail) submit(ctx context.Context, mail *stamped) (view.Receipt, *submission.Receipt, error) {
	o, err := s.account(s.cfg).Session(mail.mailbox)
	if err != nil {
		return view.Receipt{}, nil, err
	}
	receipt := submission.Submit(ctx, o, mail.Mail, submission.Policy{Deadline: time.Now().Add(s.timeout), Waiting: s.waiting})
	known, claims := account.Known(s.cfg, receipt.Mailbox, mail.from, receipt.Token)
	return view.NewReceipt(receipt, known, claims), receipt, nil
}

// report says what went wrong on standard error, and with -v what went well.
func (s *sendmail) report(shown view.Receipt) error {
	switch {
	case s.json:
		s.JSON(shown)
	case shown.ExitCode != exit.OK || s.Verbose:
		shown.Print(s.ToStderr())
	case shown.OutboxID != "":
		shown.PrintQueued(s.Printer)
	}
	if shown.ExitCode == exit.OK {
		return nil
	}
	return &exit.Error{Code: shown.ExitCode, Err: fmt.Errorf("%s", shown.Summary), Shown: true}
}
