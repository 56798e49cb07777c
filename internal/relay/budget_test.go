package relay_test

import (
	"path/filepath"
	"slices"
	"testing"

	"github.com/smtpsend/smtpsend/internal/outbox"
)

func TestBudgetsAreKeptAcrossARestart(t *testing.T) {
	const limited = `{name: script, networks: [127.0.0.1], budget: {per_hour: 3}}`
	const rcpt = "C: RCPT TO:<x@contoso.example>\nS: 250\n"
	const over = "452 4.7.1 the budget of client script (3 recipients an hour) is used up until "
	l := newLab(t, local(limited), with{})
	given := l.dial(localhost).dialogue(hello + mailFrom + "S: 250\n" + rcpt + "C: RSET\nS: 250\n")
	l.dial(localhost).dialogue(hello + mailFrom + "S: 250\n" + rcpt + "C: RCPT TO:<y@contoso.example>\nS: 250\nC: DATA\nS: 354\nC: .\nS: 250\n" +
		mailFrom + "S: 250\n" + rcpt + "C: RCPT TO:<y@contoso.example>\nS: " + over)
	given.dialogue(mailFrom + "S: " + over)
	if got := l.codes(); !slices.Equal(got, []string{"relay-budget-used-up", "relay-budget-used-up"}) {
		t.Errorf("refused with %q", got)
	}
	l.end()
	<-l.result

	again := newLab(t, local(limited), with{dir: filepath.Join(l.dir, "state"), outbox: outbox.Options{}})
	again.dial(localhost).dialogue(hello + mailFrom + "S: 250\n" + rcpt + "C: RCPT TO:<y@contoso.example>\nS: " + over + "\nC: RSET\nS: 250\n" + mailFrom + "S: 250\n" + rcpt)
}
