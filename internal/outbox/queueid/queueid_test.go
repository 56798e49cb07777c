package queueid_test

import (
	"math"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/outbox/queueid"
)

func TestANameIsOfOneMessage(t *testing.T) {
	tag := queueid.Tag("k7m")
	for n, want := range map[int64]queueid.ID{1: "k7m-1", 31: "k7m-z", 32: "k7m-10", 1<<60 - 1: "k7m-zzzzzzzzzzzz"} {
		if got := tag.ID(n); got != want {
			t.Errorf("%d is %s, want %s", n, got, want)
		}
		for _, id := range []queueid.ID{want, queueid.ID(strings.ToUpper(string(want)))} {
			if got, ok := tag.Number(id); got != n || !ok {
				t.Errorf("%s is %d, %v, want %d", id, got, ok, n)
			}
		}
	}
	for _, id := range []queueid.ID{"", "-", "k7m", "k7m-", "k7n-1", "k7m-1i", "k7m-1 ", "k7m--1", tag.ID(math.MaxInt64)} {
		if n, ok := tag.Number(id); ok {
			t.Errorf("%q is %d", id, n)
		}
	}
}

func FuzzNumber(f *testing.F) {
	f.Add("k7m-1f")
	f.Fuzz(func(t *testing.T, text string) {
		tag := queueid.Tag("k7m")
		n, ok := tag.Number(queueid.ID(text))
		if !ok {
			return
		}
		if again, ok := tag.Number(tag.ID(n)); !ok || again != n {
			t.Errorf("%q is %d, and its name %d", text, n, again)
		}
	})
}

func TestTagsAreThreeDigits(t *testing.T) {
	tag := queueid.NewTag()
	if n, ok := tag.Number(tag.ID(33)); len(tag) != 3 || !ok || n != 33 {
		t.Errorf("tag %q", tag)
	}
}
