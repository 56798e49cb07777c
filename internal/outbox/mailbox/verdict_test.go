package mailbox_test

import (
	"testing"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/outbox/mailbox"
	"github.com/smtpsend/smtpsend/internal/smtp"
)

// What a verdict says of the mailbox, of the server and of other mailboxes.
func TestVerdict(t *testing.T) {
	refused, odd := smtp.Reply{Code: 535}, smtp.Reply{Code: 250}
	for name, tt := range map[string]struct {
		v              mailbox.Verdict
		hold           mailbox.Pause
		unusable, wide bool
	}{
		"nothing was tried":          {},
		"sign-in refused":            {mailbox.Verdict{Stage: smtp.StageAuth, Class: diagnosis.ClassConfiguration, Reply: refused}, mailbox.PauseConfiguration, true, false},
		"token refused":              {mailbox.Verdict{Stage: smtp.StageToken, Class: diagnosis.ClassConfiguration}, mailbox.PauseConfiguration, true, true},
		"mailbox may not submit":     {mailbox.Verdict{Stage: smtp.StageMail, Class: diagnosis.ClassConfiguration, Reply: refused}, mailbox.PauseConfiguration, true, false},
		"mailbox blocked":            {mailbox.Verdict{Stage: smtp.StageContent, Class: diagnosis.ClassBlocked, Reply: refused}, mailbox.PauseBlocked, false, false},
		"certificate":                {mailbox.Verdict{Stage: smtp.StageStartTLS, Class: diagnosis.ClassConfiguration, Fault: smtp.FaultTLSExpired}, "", true, true},
		"greeting refused":           {mailbox.Verdict{Stage: smtp.StageGreeting, Class: diagnosis.ClassPermanent, Reply: refused}, "", true, true},
		"network down":               {mailbox.Verdict{Stage: smtp.StageDial, Class: diagnosis.ClassTransient}, "", false, true},
		"recipient refused":          {mailbox.Verdict{Stage: smtp.StageRcpt, Class: diagnosis.ClassPermanent, Reply: refused}, "", false, false},
		"a reply that does not fit":  {mailbox.Verdict{Stage: smtp.StageRcpt, Class: diagnosis.ClassPermanent, Reply: odd}, "", true, false},
		"our own fault in a message": {mailbox.Verdict{Stage: smtp.StageContent, Class: diagnosis.ClassPermanent, Fault: smtp.FaultNotSMTP, Reply: odd}, "", false, false},
	} {
		if got := tt.v.Hold(); got != tt.hold {
			t.Errorf("%s: held as %q, want %q", name, got, tt.hold)
		}
		if got := tt.v.Unusable(); got != tt.unusable {
			t.Errorf("%s: unusable %v", name, got)
		}
		if got := tt.v.Wide(); got != tt.wide {
			t.Errorf("%s: wide %v", name, got)
		}
	}
}

func TestLimitsNeverPassExchanges(t *testing.T) {
	rule := mailbox.Limits{PerMinute: 20, RecipientsPerDay: 5000}
	for own, want := range map[mailbox.Limits]mailbox.Limits{
		{}:                                     rule,
		{PerMinute: 10}:                        {PerMinute: 10, RecipientsPerDay: 5000},
		{PerMinute: 99, RecipientsPerDay: 1e6}: {PerMinute: 30, RecipientsPerDay: 10_000},
		{PerMinute: 99, Uncounted: true}:       {PerMinute: 99, RecipientsPerDay: 5000, Uncounted: true},
	} {
		if got := own.Or(rule); got != want {
			t.Errorf("%+v is %+v, want %+v", own, got, want)
		}
	}
}
