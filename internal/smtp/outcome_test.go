package smtp_test

import (
	"testing"

	"github.com/smtpsend/smtpsend/internal/smtp"
)

func TestOutcomeSaysWordAndWhetherAnotherAttemptHelps(t *testing.T) {
	want := map[smtp.Outcome]struct {
		word string
		open bool
	}{
		smtp.Accepted: {"accepted", false}, smtp.Transient: {"deferred", true}, smtp.Permanent: {"refused", false},
		smtp.InDoubt: {"in doubt", false}, smtp.NotAttempted: {"not attempted", true},
	}
	if len(smtp.Outcomes) != len(want) {
		t.Fatalf("Outcomes has %d, want %d", len(smtp.Outcomes), len(want))
	}
	for _, o := range smtp.Outcomes {
		if w := want[o]; o.Word() != w.word || o.Open() != w.open {
			t.Errorf("%s: %q, open %v, want %+v", o, o.Word(), o.Open(), w)
		}
	}
}
