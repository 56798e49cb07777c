package backoff_test

import (
	"context"
	"errors"
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/backoff"
)

func TestSleepEndsWithItsTimeOrItsContext(t *testing.T) {
	if err := backoff.Sleep(t.Context(), time.Millisecond); err != nil {
		t.Errorf("a sleep: %v", err)
	}
	if err := backoff.Sleep(t.Context(), -time.Second); err != nil {
		t.Errorf("a sleep of no time: %v", err)
	}
	why := errors.New("why")
	ctx, cancel := context.WithCancelCause(t.Context())
	began := make(chan error)
	go func() { began <- backoff.Sleep(ctx, time.Hour) }()
	cancel(why)
	if err := <-began; !errors.Is(err, why) {
		t.Errorf("a sleep that is ended: %v", err)
	}
	if err := backoff.Sleep(ctx, 0); !errors.Is(err, why) {
		t.Errorf("a sleep in a context that has ended: %v", err)
	}
}

func TestDoublingGrowsToTheLongest(t *testing.T) {
	for n, want := range map[int]time.Duration{-1: 2, 0: 2, 1: 2, 2: 4, 3: 8, 4: 9, 5: 9, 1 << 30: 9} {
		if got := backoff.Doubling(2, 9, n); got != want {
			t.Errorf("after attempt %d: %d, want %d", n, got, want)
		}
	}
	if got := backoff.Doubling(20, 9, 1); got != 9 {
		t.Errorf("a first pause over the longest: %d", got)
	}
}

func TestSpreadTakesOffHalfAtMost(t *testing.T) {
	for _, d := range []time.Duration{0, 1, 2, time.Second} {
		for range 1000 {
			if got := backoff.Spread(d); got < d/2 || got > d {
				t.Fatalf("%v became %v", d, got)
			}
		}
	}
}
