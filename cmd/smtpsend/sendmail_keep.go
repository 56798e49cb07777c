package main

import (
	"context"
	"os"
	"os/user"
	"strconv"

	"github.com/smtpsend/smtpsend/internal/deadletter"
	"github.com/smtpsend/smtpsend/internal/exit"
)

// keep puts what could not be submitted, as it came, where it is not lost, and
// says where. With ctx it ends soon, and then says what it did not keep.
func (s *sendmail) keep(ctx context.Context, c *deadletter.Copy, again resubmission, done *delivery, cause error) {
	note := deadletter.Note{ExitCode: exit.Of(cause), Error: advised(cause).Error(), Arguments: again.given}
	if done != nil {
		note.Arguments = again.arguments(done)
		note.Mailbox, note.ReversePath = done.mail.mailbox, done.mail.Envelope.ReversePath
		for _, r := range done.shown.Recipients {
			r.Finding = nil // the reply can be given to smtpsend explain
			note.Recipients = append(note.Recipients, r)
		}
	}
	kept, err := deadletter.Keep(ctx, c, note, deadletter.Places{Dir: s.cfg.DeadLetterDir, Home: s.home()})
	if err != nil {
		s.Errorf("the message could not be kept and is lost: %v", err)
		return
	}
	s.Line("kept", "%v", kept)
}

// home is $HOME, else what the system knows of the user; "" when neither is
// known, as in a container.
func (s *sendmail) home() string {
	if s.became.Name != "" {
		return s.became.Home
	}
	if dir := s.variable("HOME"); dir != "" {
		return dir
	}
	if u, err := user.LookupId(strconv.Itoa(os.Getuid())); err == nil {
		return u.HomeDir
	}
	return ""
}
