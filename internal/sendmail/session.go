package sendmail

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"time"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/deadletter"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/mailobject"
	"github.com/smtpsend/smtpsend/internal/printable"
	"github.com/smtpsend/smtpsend/internal/readymessage"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/smtpserver"
)

// ServeSMTP is -bs: one SMTP session on standard input and output, until QUIT, the
// end of the input or of ctx, whose error it returns. A message is submitted before
// its client gets the reply to the final dot, and the reply is the one that the real
// server gave. Other errors are those of the settings.
func ServeSMTP(ctx context.Context, o Options) error {
	r := &run{Options: o}
	if err := r.configure(ctx); err != nil {
		return err
	}
	server := smtpserver.New(smtpserver.Options{
		NewSession: func(context.Context, *smtpserver.Peer) smtpserver.Session { return &session{run: r} },
		LineEnds:   smtpserver.ConvertBare,
		// The client is the program that started us.
		UnauthenticatedTimeout: time.Hour, UnauthenticatedCommands: 1000,
	})
	pipe := &pipeConn{in: o.Stdin, out: o.Printer.Replies(), closed: make(chan struct{})}
	err := server.Serve(ctx, &pipeListener{conn: pipe})
	if errors.Is(err, net.ErrClosed) {
		err = nil
	}
	if ctx.Err() != nil {
		err = ctx.Err()
	}
	return err
}

// session answers the client of -bs.
type session struct {
	*run
	request request
}

func (s *session) Greeting(context.Context) smtpserver.Reply {
	return smtpserver.Say(220, smtpserver.HostName()+" ESMTP smtpsend")
}

func (s *session) Hello(_ context.Context, _ string, extended bool) smtpserver.Reply {
	if !extended {
		return smtpserver.Say(250, smtpserver.HostName())
	}
	return smtpserver.Say(250, smtpserver.HostName(), "PIPELINING", fmt.Sprintf("SIZE %d", limits.Message),
		"8BITMIME", "ENHANCEDSTATUSCODES", "DSN", "SMTPUTF8")
}

func (s *session) StartTLS(context.Context) smtpserver.Reply {
	return smtpserver.Say(502, "5.5.1 There is no TLS on a pipe")
}

func (s *session) Auth(context.Context, string, []byte, func([]byte) ([]byte, error)) smtpserver.Reply {
	return smtpserver.Say(502, "5.5.1 No AUTH is needed on a pipe")
}

func (s *session) Mail(_ context.Context, m smtpserver.Mail) smtpserver.Reply {
	s.request = request{sender: m.ReversePath, fullName: s.Arguments.FullName, senderFromHeader: s.Arguments.SenderFromHeader}
	if _, err := s.request.givenSender(); err != nil {
		return smtpserver.Say(553, "5.1.7 "+s.words(err))
	}
	s.request.dsn = mailobject.OfMail(m.Params)
	return smtpserver.Say(250, "2.1.0 Sender OK")
}

func (s *session) Rcpt(_ context.Context, r smtpserver.Rcpt) smtpserver.Reply {
	list, err := address.ParseLenient("recipient", r.ForwardPath)
	if err == nil && len(list) != 1 {
		return smtpserver.Say(553, "5.1.3 A path is one address")
	}
	if err == nil {
		list, err = s.rewriter.resolve(list)
	}
	if err != nil {
		return smtpserver.Say(550, "5.1.1 "+s.words(err))
	}
	s.request.dsn.Join(r.Params["NOTIFY"], len(s.request.recipients) == 0)
	s.request.recipients = append(s.request.recipients, list...)
	return smtpserver.Say(250, "2.1.5 Recipient OK")
}

func (s *session) Data(context.Context) smtpserver.Reply {
	return smtpserver.Say(354, "Start mail input; end with <CRLF>.<CRLF>")
}

// Content submits the message. One reply has to do for all recipients: when the
// server took the message for some of them it is positive, and names the others.
func (s *session) Content(ctx context.Context, in io.Reader) smtpserver.Reply {
	copied := &deadletter.Copy{}
	defer copied.Close()
	m, err := readymessage.Read(ctx, io.TeeReader(in, copied), s.reencode())
	if err != nil {
		return smtpserver.Say(554, "5.6.0 "+s.words(err))
	}
	defer m.Close()
	mail, err := s.rewriter.mail(m, s.request)
	if err != nil {
		return smtpserver.Say(554, "5.6.0 "+s.words(err))
	}
	defer mail.Close()
	switch {
	case s.Arguments.DryRun || s.cfg.NoMails:
		return smtpserver.Say(250, "2.0.0 Not submitted: "+config.Prefix+"NO_MAILS=1 or --dry-run")
	case s.queues():
		return s.queue(ctx, mail)
	}
	shown, receipt, err := s.Backend.Submit(ctx, mail)
	if err != nil {
		return smtpserver.Say(451, "4.3.0 "+s.words(err))
	}
	switch {
	case shown.ExitCode != exit.OK:
		shown.Print(s.Printer.ToStderr())
		if receipt.Count(smtp.Accepted)+shown.Queued > 0 {
			done := &attempt{mail, shown}
			s.keep(ctx, copied, done, resubmission{s.Arguments, s.request}.arguments(done), &exit.Error{Code: shown.ExitCode, Err: errors.New(shown.Summary)})
		}
	case shown.OutboxID != "":
		shown.PrintQueued(s.Printer)
	}
	return replyTo(shown, receipt)
}

// queue puts the message into the outbox instead of submitting it.
func (s *session) queue(ctx context.Context, mail *Mail) smtpserver.Reply {
	qid, err := s.Backend.Queue(ctx, mail)
	if err != nil {
		s.Printer.Errorf("%v", err)
		return smtpserver.Say(451, "4.3.0 "+s.words(err))
	}
	return smtpserver.Say(250, "2.0.0 queued as "+string(qid))
}

// words are why something was refused, for one line of a reply.
func (s *session) words(err error) string { return printable.Line(s.Advise(err).Error()) }

func (s *session) Reset() { s.request = request{} }

func (s *session) Quit(context.Context) smtpserver.Reply {
	return smtpserver.Say(221, "2.0.0 Bye")
}

func (s *session) Logout() {}
