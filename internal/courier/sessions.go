package courier

import (
	"sync"

	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/submission"
)

// sessions are those of the mailboxes, which stay open between quanta. They are for
// several goroutines.
type sessions struct {
	connection func(mailbox string) (session.Options, error) // Options.Connection

	mu      sync.Mutex
	senders map[string]*submission.Sender
}

// of returns the Sender of a mailbox, made at its first message.
func (s *sessions) of(mailbox string) (*submission.Sender, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if sender, ok := s.senders[mailbox]; ok {
		return sender, nil
	}
	o, err := s.connection(mailbox)
	if err != nil {
		return nil, err
	}
	sender := submission.NewSender(o)
	s.senders[mailbox] = sender
	return sender, nil
}

func (s *sessions) close() {
	s.mu.Lock()
	defer s.mu.Unlock()
	for _, sender := range s.senders {
		sender.Close()
	}
}
