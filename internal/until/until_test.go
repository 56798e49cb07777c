package until_test

import (
	"context"
	"errors"
	"testing"

	"github.com/smtpsend/smtpsend/internal/until"
)

func TestDoReturnsWhatTheFunctionReturns(t *testing.T) {
	broken := errors.New("broken")
	for name, ctx := range map[string]context.Context{"ends": t.Context(), "never ends": context.Background()} {
		got, err := until.Do(ctx, func() (int, error) { return 7, broken })
		if got != 7 || !errors.Is(err, broken) {
			t.Errorf("a context that %s: %d, %v", name, got, err)
		}
	}
}

func TestDoReturnsWhenTheContextEnds(t *testing.T) {
	stopped := errors.New("stopped")
	ctx, cancel := context.WithCancelCause(t.Context())
	release, begun := make(chan struct{}), make(chan struct{})
	defer close(release)
	go func() {
		<-begun
		cancel(stopped)
	}()
	got, err := until.Do(ctx, func() (int, error) {
		close(begun)
		<-release
		return 7, nil
	})
	if got != 0 || !errors.Is(err, stopped) {
		t.Errorf("%d, %v", got, err)
	}
}

func TestDoDoesNotBeginWhenTheContextHasEnded(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	_, err := until.Do(ctx, func() (int, error) {
		t.Error("it began")
		return 0, nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Error(err)
	}
}
