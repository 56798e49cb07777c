package inbox_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/smtpsend/smtpsend/internal/sandbox/inbox"
)

func open(t *testing.T) *inbox.Inbox {
	t.Helper()
	box, err := inbox.New(1)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = box.Close() })
	return box
}

func add(t *testing.T, box *inbox.Inbox) {
	t.Helper()
	content, err := box.Take(strings.NewReader("Subject: x\r\n\r\n"))
	if err != nil {
		t.Fatal(err)
	}
	box.Add(inbox.Message{}, content)
}

func TestWaitCountsWhatIsNoLongerKept(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		box := open(t)
		waited := make(chan error)
		go func() { waited <- box.Wait(t.Context(), 3) }()
		for range 3 {
			synctest.Wait() // the other one waits
			add(t, box)
		}
		if err := <-waited; err != nil {
			t.Error(err)
		}
		box.Clear()
		if err := box.Wait(t.Context(), 3); err != nil {
			t.Errorf("after Clear: %v", err)
		}
	})
}

func TestWaitEndsWithItsContext(t *testing.T) {
	box := open(t)
	add(t, box)
	ctx, cancel := context.WithCancelCause(t.Context())
	late := errors.New("late")
	cancel(late)
	err := box.Wait(ctx, 2)
	if !errors.Is(err, late) || err.Error() != "waiting for message 2, with 1 accepted: late" {
		t.Errorf("got %v", err)
	}
}

func TestWaitEndsWithTheInbox(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		box := open(t)
		waited := make(chan error)
		go func() { waited <- box.Wait(t.Context(), 1) }()
		synctest.Wait() // the other one waits
		if err := box.Close(); err != nil {
			t.Fatal(err)
		}
		if err := <-waited; !errors.Is(err, inbox.ErrClosed) {
			t.Errorf("got %v", err)
		}
	})
}
