package until_test

import (
	"context"
	"errors"
	"io"
	"strings"
	"testing"
	"testing/iotest"

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

func TestReaderReadsWhatIsThere(t *testing.T) {
	want := strings.Repeat("0123456789", 30_000)
	for name, r := range map[string]io.Reader{
		"waiting": until.Reader(t.Context(), iotest.DataErrReader(strings.NewReader(want))),
		"between": until.Between(t.Context(), strings.NewReader(want)),
	} {
		if got, err := io.ReadAll(r); err != nil || string(got) != want {
			t.Errorf("%s: %d octets, %v", name, len(got), err)
		}
	}
	broken := errors.New("broken")
	r := until.Reader(t.Context(), iotest.TimeoutReader(iotest.OneByteReader(strings.NewReader("ab"))))
	if got, err := io.ReadAll(r); !errors.Is(err, iotest.ErrTimeout) || string(got) != "a" {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := io.ReadAll(until.Reader(t.Context(), iotest.ErrReader(broken))); !errors.Is(err, broken) {
		t.Error(err)
	}
}

func TestReadersEndWithTheContext(t *testing.T) {
	stopped := errors.New("stopped")
	ctx, cancel := context.WithCancelCause(t.Context())
	in, out := io.Pipe()
	defer out.Close()
	r := until.Reader(ctx, in)
	go func() {
		_, _ = out.Write([]byte("a"))
		cancel(stopped) // the next read waits for more, or has not begun
	}()
	if got, err := io.ReadAll(r); !errors.Is(err, stopped) || len(got) > 1 {
		t.Errorf("%q, %v", got, err)
	}
	if _, err := until.Between(ctx, strings.NewReader("a")).Read(make([]byte, 1)); !errors.Is(err, stopped) {
		t.Error(err)
	}
}
