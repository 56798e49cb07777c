package main

import (
	"testing"

	"github.com/smtpsend/smtpsend/internal/exchange"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/submission"
)

// TestRefusalOfALaterTransactionIsNoneOfAll: whoever reads 69 submits again to
// everybody.
func TestRefusalOfALaterTransactionIsNoneOfAll(t *testing.T) {
	for _, tt := range []struct {
		outcomes []smtp.Outcome
		want     int
	}{
		{[]smtp.Outcome{smtp.Accepted, smtp.Permanent, smtp.NotAttempted}, exitPartly},
		{[]smtp.Outcome{smtp.Permanent, smtp.NotAttempted}, exitRefused},
	} {
		refused := &submission.Error{Stage: smtp.StageContent, Reply: smtp.Reply{Code: 554, Lines: []string{"5.3.0 no"}}}
		r := &submission.Receipt{Attempts: []submission.Attempt{{Err: refused}}}
		for _, o := range tt.outcomes {
			r.Recipients = append(r.Recipients, smtp.Recipient{Outcome: o})
		}
		if got := endingOf(r, diagnosis.Find(refused.Symptom(), diagnosis.Facts{})).code(); got != tt.want {
			t.Errorf("%v: exit code %d, want %d", tt.outcomes, got, tt.want)
		}
	}
}

// TestWhereSeveralOutcomesHold is the manual's table in section 7.
func TestWhereSeveralOutcomesHold(t *testing.T) {
	later, refused, stopped := []int{exitTryAgain}, []int{exitNoUser}, []int{exitNotAuthorised}
	for _, tt := range []struct {
		name string
		end  ending
		want int
	}{
		{"nothing to do", ending{}, exitOK},
		{"all accepted", ending{accepted: 3}, exitOK},
		{"a doubt, whatever else", ending{accepted: 1, refused: 1, inDoubt: 1, broken: exitInterrupted, failures: stopped}, exitInDoubt},
		{"one has it, another is deferred", ending{accepted: 1, open: 1, failures: later}, exitPartly},
		{"one has it, another is refused", ending{accepted: 1, refused: 1, failures: refused}, exitPartly},
		{"one has it, the sign-in fails for the next", ending{accepted: 1, open: 1, failures: stopped}, exitPartly},
		{"one has it, and a signal ends the rest", ending{accepted: 1, open: 1, broken: exitInterrupted}, exitPartly},
		{"a signal before anyone has it", ending{open: 2, broken: exitInterrupted}, exitInterrupted},
		{"one has it, the outbox keeps the rest", ending{accepted: 1, kept: 1, failures: later}, exitTryAgain},
		{"one has it, the outbox keeps the rest, which needs a person", ending{accepted: 1, kept: 1, failures: stopped}, exitNotAuthorised},
		{"one has it, one is lost, the outbox keeps the rest", ending{accepted: 1, refused: 1, kept: 1, failures: later}, exitPartly},
		{"a signal while the outbox keeps the rest", ending{accepted: 1, kept: 1, broken: exitInterrupted, failures: later}, exitInterrupted},
		{"something waits for a time", ending{accepted: 1, kept: 1}, exitTryAgain},
		{"all deferred", ending{open: 2, failures: later}, exitTryAgain},
		{"one deferred, one refused", ending{open: 1, refused: 1, failures: append(later, exitNoUser)}, exitTryAgain},
		{"one waits for a person, one for time", ending{kept: 2, failures: append(later, exitNotAuthorised)}, exitNotAuthorised},
		{"all refused", ending{refused: 2, failures: refused}, exitNoUser},
		{"all refused, and by the service", ending{refused: 2, failures: []int{exitNoUser, exitRefused}}, exitRefused},
		{"bad certificate, kept", ending{kept: 1, failures: []int{exitProtocol}}, exitProtocol},
	} {
		if got := tt.end.code(); got != tt.want {
			t.Errorf("%s: %d, want %d", tt.name, got, tt.want)
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
		{"one transaction", false, config.QueueNever, exchange.RecipientsPerMessage, exitOK},
		{"the outbox only for what fails", false, config.QueueFallback, 1, exitOK},
		{"several transactions", false, config.QueueNever, exchange.RecipientsPerMessage + 1, exitUsage},
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
