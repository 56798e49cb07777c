package spelling_test

import (
	"testing"

	"github.com/smtpsend/smtpsend/internal/spelling"
)

func TestNearestIsOneLetterInFourAway(t *testing.T) {
	known := []string{"send", "sendmail", "secret"}
	for word, want := range map[string]string{"snd": "send", "sendmali": "sendmail", "secrets": "secret", "queue": "", "": "", "sendmailer": "sendmail"} {
		if got := spelling.Nearest(word, known); got != want {
			t.Errorf("%q is nearest to %q, want %q", word, got, want)
		}
	}
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "abc", 3}, {"abc", "", 3}, {"kitten", "sitting", 3}, {"abc", "abc", 0}} {
		if got := spelling.Distance(c.a, c.b); got != c.want {
			t.Errorf("%q, %q: %d, want %d", c.a, c.b, got, c.want)
		}
	}
}
