package doctor_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"testing/synctest"
	"time"

	"github.com/smtpsend/smtpsend/internal/doctor"
)

func TestRepeatWaitsHalfAnHourBetweenExaminations(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		var at, left []time.Duration
		err := doctor.Repeat(t.Context(), doctor.Pace, func(context.Context) bool {
			at = append(at, time.Since(began))
			return len(at) == 3
		}, func(d time.Duration) { left = append(left, d) })
		if err != nil {
			t.Fatal(err)
		}
		if want := []time.Duration{0, 30 * time.Minute, time.Hour}; !slices.Equal(at, want) {
			t.Errorf("examined at %v, want %v", at, want)
		}
		if len(left) != 2*1801 || left[0] != 30*time.Minute || left[1] != 30*time.Minute-time.Second || left[1800] != 0 {
			t.Errorf("%d calls of left, beginning %v", len(left), left[:2])
		}
	})
}

func TestRepeatEndsWithItsContext(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		began := time.Now()
		n := 0
		err := doctor.Repeat(ctx, doctor.Pace, func(context.Context) bool { n++; return false }, func(d time.Duration) {
			if d == 10*time.Minute {
				cancel()
			}
		})
		if !errors.Is(err, context.Canceled) || n != 1 || time.Since(began) != 20*time.Minute {
			t.Errorf("error %v after %d examinations and %v", err, n, time.Since(began))
		}
		n = 0
		if err := doctor.Repeat(ctx, doctor.Pace, func(context.Context) bool { n++; return false }, nil); !errors.Is(err, context.Canceled) || n != 1 {
			t.Errorf("error %v after %d examinations", err, n)
		}
	})
}
