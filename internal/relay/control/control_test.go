package control_test

import (
	"errors"
	"net"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
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

// failing is a listener that fails some times, as one does without file descriptors, and
// then is closed.
type failing struct {
	net.Listener
	left int
}

func (f *failing) Accept() (net.Conn, error) {
	if f.left--; f.left < 0 {
		return nil, net.ErrClosed
	}
	return nil, errors.New("too many open files")
}

func TestASocketThatFailsIsNotAskedAllTheTime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		control.Serve(&failing{left: 5}, func(string) error { return nil })
		if took := time.Since(began); took < 500*time.Millisecond {
			t.Errorf("five failures in %s", took)
		}
	})
}
