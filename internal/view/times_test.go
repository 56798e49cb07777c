package view_test

import (
	"testing"
	"time"

	"github.com/smtpsend/smtpsend/internal/view"
)

func TestNoAgeIsNegative(t *testing.T) {
	now := time.Date(2026, 11, 16, 9, 0, 0, 0, time.UTC)
	for age, want := range map[time.Duration]string{-87600 * time.Hour: "0s", 0: "0s", 59 * time.Second: "59s", 3 * time.Hour: "3h", 72 * time.Hour: "3d"} {
		if got := view.Age(now.Add(-age), now); got != want {
			t.Errorf("%v: %q, want %q", age, got, want)
		}
	}
}
