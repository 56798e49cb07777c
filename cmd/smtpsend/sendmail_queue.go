package main

import (
	"context"
	"errors"
	"os"
	"strconv"
	"strings"
	"time"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/outbox/spool"
	"github.com/smtpsend/smtpsend/internal/printable"
)

// enqueueMail puts a message into the outbox. Nothing is said of it but with
// -v: that it is queued is what every sendmail's silence means.
func (s *sendmail) enqueueMail(ctx context.Context, mail *stamped) error {
	qid, _, err := s.enqueue(ctx, s.cfg, mail.Mail, spool.Message{Mailbox: mail.mailbox, Source: "sendmail"})
	if err == nil {
		s.Verbosef("queued as %s", qid)
	}
	return err
}

// outboxSettings are those that say where the outbox is, and whether it was ever
// used.
func (s *sendmail) outboxSettings(ctx context.Context) (cfg *config.Config, used bool, err error) {
	o := s.options()
	o.Offline, o.NoSecrets, o.Stdin = true, true, nil
	if cfg, err = config.Load(ctx, o); err != nil {
		return nil, false, err
	}
	return cfg, cfg.StateDir != "" && outbox.Exists(cfg.StateDir), nil
}

// listQueue is -bp: what waits in the outbox, as Postfix's mailq has it, or that
// nothing does.
func (s *sendmail) listQueue(ctx context.Context) error {
	cfg, used, err := s.outboxSettings(ctx)
	if err != nil {
		return err
	}
	if !used {
		s.Printf("Mail queue is empty\n")
		return nil
	}
	return s.readOutbox(ctx, cfg, func(box *outbox.Outbox) error { return s.listWaiting(ctx, box) })
}

func (s *sendmail) listWaiting(ctx context.Context, box *outbox.Outbox) error {
	list, err := operator.List(ctx, box, operator.Filter{States: []outbox.State{outbox.Ready, outbox.Sending, outbox.Held}, Oldest: true})
	if err != nil {
		return exit.Outbox(err)
	}
	if len(list) == 0 {
		s.Printf("Mail queue is empty\n")
		return nil
	}
	s.Printf("-Queue ID-  --Size-- ----Arrival Time---- -Sender/Recipient-------\n")
	var octets int64
	for _, m := range list {
		octets += m.Size
		if err := s.listMail(ctx, box, m); err != nil {
			return exit.Outbox(err)
		}
	}
	s.Printf("-- %d Kbytes in %d %s.\n", (octets+1023)/1024, len(list), plural(len(list), "Request", "Requests"))
	return nil
}

// listMail prints one message: sender, why it waits, recipients.
func (s *sendmail) listMail(ctx context.Context, box *outbox.Outbox, m operator.Mail) error {
	d, err := operator.Show(ctx, box, m.QID)
	if err != nil {
		return err
	}
	mark := map[outbox.State]string{outbox.Sending: "*", outbox.Held: "!"}[m.State]
	s.Printf("%-11s %8d %s  %s\n", string(m.QID)+mark, m.Size, m.CreatedAt.Local().Format("Mon Jan _2 15:04:05"), m.ReversePath)
	if text := why(m, time.Now(), inTable); text != "" {
		s.Printf("(%s)\n", printable.Line(text))
	}
	for _, r := range d.RecipientStates {
		if r.State == outbox.RecipientOpen {
			s.Printf("%41s%s\n", "", r.ForwardPath)
		}
	}
	s.Printf("\n")
	return nil
}

// flush is -q: submit what is due now, as queue run does.
func (s *sendmail) flush(ctx context.Context) error {
	if _, used, err := s.outboxSettings(ctx); err != nil || !used {
		return err
	}
	if s.calledByAnother() {
		return exit.With(exit.NotAuthorised, errors.New("sendmail: -q: the outbox is another user's, and who starts its run could also end it in the middle, "+
			"so that mail goes out twice; smtpsend queue run (the unit smtpsend-queue.timer) submits what waits"))
	}
	return runQueueRun(ctx, s.toStderr(), false)
}

// calledByAnother reports that sudo runs this for a user who is neither root nor
// the one that it runs as. sudo itself sets SUDO_UID.
func (s *sendmail) calledByAnother() bool {
	by := s.variable("SUDO_UID")
	return by != "" && by != "0" && by != strconv.Itoa(os.Geteuid())
}

// variable is the value of a variable of the environment, "" when it is not set.
func (s *sendmail) variable(name string) string {
	for _, kv := range s.environ {
		if value, ok := strings.CutPrefix(kv, name+"="); ok && value != "" {
			return value
		}
	}
	return ""
}
