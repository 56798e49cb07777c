package control_test

import (
	"errors"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"go.uber.org/goleak"

	"github.com/smtpsend/smtpsend/internal/relay/control"
)

func TestMain(m *testing.M) { goleak.VerifyTestMain(m) }

func TestARelayIsAsked(t *testing.T) {
	dir := t.TempDir()
	if err := control.Ask(t.Context(), dir, control.Reload); !errors.Is(err, control.ErrNotRunning) || !strings.Contains(err.Error(), dir) {
		t.Errorf("without a relay: %v", err)
	}
	l, err := control.Listen(t.Context(), dir)
	if err != nil {
		t.Fatal(err)
	}
	if second, err := control.Listen(t.Context(), dir); err == nil {
		second.Close()
		t.Error("two relays have one state directory")
	}
	var words []string
	var served sync.WaitGroup
	served.Go(func() {
		control.Serve(l, func(word string) error {
			words = append(words, word)
			if len(words) == 2 {
				return errors.New("line 3: wrong\nline 4: wrong")
			}
			return nil
		})
	})
	if err := control.Ask(t.Context(), dir, control.Reload); err != nil {
		t.Error(err)
	}
	err = control.Ask(t.Context(), dir, control.Reload)
	if refused, ok := errors.AsType[*control.RefusedError](err); !ok || refused.Reason != "line 3: wrong\nline 4: wrong" {
		t.Errorf("refused with %v", err)
	}
	l.Close()
	served.Wait()
	if len(words) != 2 || words[0] != "reload" {
		t.Errorf("asked for %q", words)
	}
	if err := control.Ask(t.Context(), dir, control.Reload); !errors.Is(err, control.ErrNotRunning) {
		t.Errorf("after the end: %v", err)
	}
}

// starved is a listener in a process without a free file descriptor, until it is closed.
type starved struct {
	net.Listener
	asked  atomic.Int64
	closed atomic.Bool
}

func (s *starved) Accept() (net.Conn, error) {
	s.asked.Add(1)
	if s.closed.Load() {
		return nil, net.ErrClosed
	}
	return nil, syscall.EMFILE
}

// A socket that cannot accept is not asked without a pause.
func TestNoFileDescriptorIsWaitedFor(t *testing.T) {
	var s starved
	time.AfterFunc(100*time.Millisecond, func() { s.closed.Store(true) })
	control.Serve(&s, nil)
	if n := s.asked.Load(); n > 100 {
		t.Errorf("accepted %d times in 0.1 s", n)
	}
}
