package main

import (
	"context"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/sendmail"
)

const sendmailHelp = `Submit a message as /usr/sbin/sendmail does: read it from standard input and print
nothing on standard output. It is for programs that call sendmail. Under the names
sendmail, mailq and newaliases smtpsend does what they expect (see smtpsend
link-sendmail).

  -t                recipients from To, Cc and Bcc, and those given as arguments
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
  --timeout, --trace, --verbose     as with other commands

No option names a file, a directory or settings, because the caller may be a web
form or another user. Write --env-file and --profile before the verb:
smtpsend --profile NAME sendmail ... Sendmail's other options are accepted and
ignored; the manual lists them. A message that cannot be submitted is kept in
SMTPSEND_DEAD_LETTER_DIR, or else in dead.letter in the home directory.

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
			a, err := sendmail.Parse(args)
			if err != nil {
				return err
			}
			if a.Help {
				return cmd.Help()
			}
			return runSendmail(cmd.Context(), &mailer{app: g, args: a}, args)
		},
	}
}

func runSendmail(ctx context.Context, m *mailer, given []string) error {
	// A caller that closed its end of standard error must not cost the message.
	signal.Ignore(syscall.SIGPIPE)
	m.adopt()
	o := sendmail.Options{
		Arguments: m.args, Given: given, Stdin: m.app.stdin, Backend: m, Printer: m.app.out, JSON: m.app.json,
		Home: m.home, Advise: advised, Conclude: m.app.conclude,
	}
	nothing := len(m.args.Recipients) == 0 && !m.args.RecipientsFromHeader
	switch m.args.Mode {
	case sendmail.ModeQueue:
		return m.listQueue(ctx)
	case sendmail.ModeFlush:
		return m.flush(ctx)
	case sendmail.ModeSMTP:
		return sendmail.ServeSMTP(ctx, o)
	case sendmail.ModeSubmit:
		if m.args.Interval && nothing {
			return nil
		}
		return sendmail.Submit(ctx, o)
	}
	return nil
}
