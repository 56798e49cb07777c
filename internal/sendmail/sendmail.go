// Package sendmail submits mail as /usr/sbin/sendmail does, for programs that call it.
//
//  1. Parse reads the arguments by the grammar of Postfix's sendmail(1).
//  2. Submit reads a message from standard input to its end before it does anything
//     else, so that its sender never meets a closed pipe. ServeSMTP (-bs) gets
//     messages in an SMTP session instead.
//  3. Local names such as root, which Exchange does not have, become addresses by
//     the aliases and the settings; author, mailbox and reverse-path follow from the
//     message, the arguments and the settings.
//     Where a relay on this host takes the message, it does all this itself.
//  4. The mail object goes to a Backend, which submits it or queues it, or hands it to
//     the relay.
//  5. What cannot be submitted is kept (internal/deadletter), with the arguments that
//     submit it again to those who do not have it.
//
// Standard output belongs to the program that called: it gets the replies of -bs, and
// a receipt as JSON when that is asked for. What people are told goes to standard
// error while it happens, by the Printer of the Options, because its order counts:
// the reason comes before the place where the message is kept, and a session tells
// of each message after its content. Reasons are typed; Options.Advise adds the
// words that name a setting or another verb.
package sendmail

import (
	"context"
	"errors"
	"io"
	"strings"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/badinput"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/deadletter"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/exit/ending"
	"github.com/smtpsend/smtpsend/internal/outbox/queueid"
	"github.com/smtpsend/smtpsend/internal/readymessage"
	"github.com/smtpsend/smtpsend/internal/setting/choice"
	"github.com/smtpsend/smtpsend/internal/stdio"
	"github.com/smtpsend/smtpsend/internal/submission"
	"github.com/smtpsend/smtpsend/internal/view"
)

// Backend is where settings come from and mail objects go. It is used by one
// goroutine at a time.
type Backend interface {
	// Settings loads the settings, with those of the arguments, and warns about
	// them. It is called once, before the others, and returns settings also with an
	// error: they say where the message is kept.
	Settings(ctx context.Context) (*config.Config, error)
	// Submit submits m, and puts into the outbox what can be tried again, where the
	// settings say so. It returns the outcome of m, and how that is shown. After an
	// error no attempt was made.
	Submit(ctx context.Context, m *Mail) (view.Receipt, *submission.Receipt, error)
	// Queue puts m into the outbox instead.
	Queue(ctx context.Context, m *Mail) (queueid.ID, error)
	// Preview says on standard error what would be submitted, and why it is not.
	Preview(m *Mail) error
}

// Options are what a run of sendmail needs. All are required but JSON.
type Options struct {
	Arguments *Arguments
	Given     []string // the arguments as they were, for whoever submits the message again
	Stdin     io.Reader
	Backend   Backend
	Printer   *stdio.Printer
	JSON      bool // the receipt is JSON on standard output

	// Home is the directory of dead.letter, "" for none. It is asked when a message
	// is kept: the user of the process may have changed by then.
	Home func() string
	// Advise adds to a reason what helps.
	Advise func(error) error
	// Conclude says why a run failed and returns its exit code.
	Conclude func(error) int
}

// run is one run of sendmail.
type run struct {
	Options
	cfg      *config.Config
	rewriter *rewriter
}

// configure loads the settings and the aliases. r.cfg is set even when there is an
// error.
func (r *run) configure(ctx context.Context) (err error) {
	if r.cfg, err = r.Backend.Settings(ctx); err != nil {
		return err
	}
	r.rewriter, err = newRewriter(ctx, r.cfg)
	return err
}

// Submit submits the message on standard input. It reads all of it first (but for an
// input without end), and keeps it when it cannot be submitted. An *exit.Error with
// Shown is one that people have been told of.
func Submit(ctx context.Context, o Options) error {
	r := &run{Options: o}
	copied := &deadletter.Copy{}
	defer copied.Close()
	done, err := r.submitInput(ctx, copied)
	if err == nil || errors.Is(err, errNoRecipient) {
		return err
	}
	code := o.Conclude(err) // the reason comes before the place
	arguments := o.Given    // no one has the message
	if done != nil {
		arguments = resubmission{o.Arguments, r.requestFor(nil)}.arguments(done)
	}
	r.keep(ctx, copied, done, arguments, err)
	return &exit.Error{Code: code, Err: err, Shown: true}
}

// submitInput reads the message, also with settings that cannot be used, and tries to
// submit it. The attempt is nil when it did not come to a mail object.
func (r *run) submitInput(ctx context.Context, copied *deadletter.Copy) (*attempt, error) {
	in := r.Stdin
	if !r.Arguments.IgnoreDots {
		in = newDotReader(in)
	}
	in = io.TeeReader(in, copied)
	settingsErr := r.configure(ctx)
	m, err := readymessage.Read(ctx, in, r.reencode())
	if err == nil {
		defer m.Close()
	}
	if _, refused := errors.AsType[*badinput.FieldError](err); refused {
		if more := copied.Drain(in); more != nil {
			err = errors.Join(err, more)
		}
	}
	if settingsErr != nil {
		err = settingsErr
	}
	if err != nil {
		return nil, err
	}
	return r.try(ctx, m)
}

// requestFor is what the arguments say about a message for recipients.
func (r *run) requestFor(recipients []address.Address) request {
	a := r.Arguments
	return request{sender: a.Sender, fullName: a.FullName, senderFromHeader: a.SenderFromHeader, recipients: recipients, dsn: a.DSN}
}

// attempt is a mail object whose submission was tried. Without recipients in shown it
// ended before the first command.
type attempt struct {
	mail  *Mail
	shown view.Receipt
}

// try submits m to the recipients of arguments and header.
func (r *run) try(ctx context.Context, m *readymessage.Message) (*attempt, error) {
	recipients, err := r.recipients(m)
	if err != nil {
		return nil, err
	}
	mail, err := r.rewriter.mail(m, r.requestFor(recipients))
	if err != nil {
		return nil, err
	}
	defer mail.Close()
	switch {
	case r.Arguments.DryRun || r.cfg.NoMails:
		return nil, r.Backend.Preview(mail)
	case r.queues():
		qid, err := r.Backend.Queue(ctx, mail)
		if err == nil { // otherwise silent: that is what every sendmail's silence means
			r.Printer.Verbosef("queued as %s", qid)
		}
		return &attempt{mail: mail}, err
	}
	shown, _, err := r.Backend.Submit(ctx, mail)
	if err != nil {
		return &attempt{mail: mail}, err
	}
	return &attempt{mail, shown}, r.report(shown)
}

// queues reports that the settings put every message into the outbox. A relay has its
// own.
func (r *run) queues() bool { return r.cfg.Queue == choice.QueueAlways && r.cfg.RelaySocket == "" }

// errNoRecipient is why a message is not kept: whoever called has to name someone.
var errNoRecipient = errors.New("no recipient: name one, or use -t for those of the header")

// recipients are those of the arguments and, with -t, those of the header, which are
// added to them, as Postfix does.
func (r *run) recipients(m *readymessage.Message) ([]address.Address, error) {
	var list []address.Address
	for _, arg := range r.Arguments.Recipients {
		some, err := address.ParseLenient("recipient", withCommas(arg))
		if err != nil {
			return nil, err
		}
		list = append(list, some...)
	}
	if r.Arguments.RecipientsFromHeader {
		some, err := m.Recipients()
		if err != nil {
			return nil, err
		}
		list = append(list, some...)
	}
	switch {
	case len(list) > 0:
		return r.rewriter.resolve(list)
	case r.Arguments.RecipientsFromHeader:
		return nil, exit.With(exit.Data, errors.New("no recipient in To, Cc or Bcc (-t), and none among the arguments"))
	}
	return nil, exit.With(exit.Usage, errNoRecipient)
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

// report says what went wrong on standard error, and with -v what went well.
func (r *run) report(shown view.Receipt) error {
	switch {
	case r.JSON:
		r.Printer.JSON(shown)
	case shown.ExitCode != exit.OK || r.Printer.Verbose:
		shown.Print(r.Printer.ToStderr())
	case shown.OutboxID != "":
		shown.PrintQueued(r.Printer)
	}
	return exit.Told(shown.ExitCode, errors.New(shown.Summary))
}

// keep puts the message, as it came, where it is not lost, and says where. arguments
// submit it again. With ctx it ends soon, and then says what it did not keep.
func (r *run) keep(ctx context.Context, c *deadletter.Copy, done *attempt, arguments []string, cause error) {
	note := deadletter.Note{ExitCode: ending.Code(cause), Error: r.Advise(cause).Error(), Arguments: arguments}
	if done != nil {
		note.Mailbox, note.ReversePath = done.mail.Mailbox, done.mail.Envelope.ReversePath
		for _, to := range done.shown.Recipients {
			to.Finding = nil // the reply can be given to smtpsend explain
			note.Recipients = append(note.Recipients, to)
		}
	}
	kept, err := deadletter.Keep(ctx, c, note, deadletter.Places{Dir: r.cfg.DeadLetterDir, Home: r.Home()})
	if err != nil {
		r.Printer.Errorf("the message could not be kept and is lost: %v", err)
		return
	}
	r.Printer.Line("kept", "%v", kept)
}
