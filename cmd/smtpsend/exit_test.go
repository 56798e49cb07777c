package main

import (
	"testing"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/reply"
	"github.com/smtpsend/smtpsend/internal/submission"
)

// TestRefusalOfALaterTransactionIsNoneOfAll: whoever reads 69 submits again to
// everybody.
func TestRefusalOfALaterTransactionIsNoneOfAll(t *testing.T) {
	for _, tt := range []struct {
		outcomes []submission.Outcome
		want     int
	}{
		{[]submission.Outcome{submission.Accepted, submission.Permanent, submission.NotAttempted}, exitPartly},
		{[]submission.Outcome{submission.Permanent, submission.NotAttempted}, exitRefused},
	} {
		refused := &submission.Error{Stage: diagnosis.StageContent, Reply: reply.Reply{Code: 554, Lines: []string{"5.3.0 no"}}}
		r := &submission.Receipt{Attempts: []submission.Attempt{{Err: refused}}}
		for _, o := range tt.outcomes {
			r.Recipients = append(r.Recipients, submission.Recipient{Outcome: o})
		}
		if got := receiptCode(r, diagnosis.Find(refused.Symptom(), diagnosis.Facts{})); got != tt.want {
			t.Errorf("%v: exit code %d, want %d", tt.outcomes, got, tt.want)
		}
	}
}

func TestAllOrNoneIsRefusedWhereItCouldNotBeKept(t *testing.T) {
	for _, tt := range []struct {
		name       string
		queue      bool
		setting    config.QueueMode
		recipients int
		want       int
	}{
		{"one transaction", false, config.QueueNever, submission.MaxRecipients, exitOK},
		{"the outbox only for what fails", false, config.QueueFallback, 1, exitOK},
		{"several transactions", false, config.QueueNever, submission.MaxRecipients + 1, exitUsage},
		{"--queue", true, config.QueueNever, 1, exitUsage},
		{"the outbox by setting", false, config.QueueAlways, 1, exitUsage},
	} {
		s := &sendFlags{queue: tt.queue}
		cfg, err := s.wholly(&config.Config{Queue: tt.setting}, tt.recipients)
		if codeOf(err) != tt.want || (err == nil && cfg.Queue != config.QueueNever) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
