package main

import (
	"testing"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/exchange"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/exit/ending"
	"github.com/smtpsend/smtpsend/internal/setting/choice"
)

func TestAllOrNoneIsRefusedWhereItCouldNotBeKept(t *testing.T) {
	for _, tt := range []struct {
		name       string
		queue      bool
		setting    choice.QueueMode
		recipients int
		want       int
	}{
		{"one transaction", false, choice.QueueNever, exchange.RecipientsPerMessage, exit.OK},
		{"the outbox only for what fails", false, choice.QueueFallback, 1, exit.OK},
		{"several transactions", false, choice.QueueNever, exchange.RecipientsPerMessage + 1, exit.Usage},
		{"--queue", true, choice.QueueNever, 1, exit.Usage},
		{"the outbox by setting", false, choice.QueueAlways, 1, exit.Usage},
	} {
		s := &sendFlags{queue: tt.queue}
		cfg, err := s.wholly(&config.Config{Queue: tt.setting}, tt.recipients)
		if ending.Code(err) != tt.want || (err == nil && cfg.Queue != choice.QueueNever) {
			t.Errorf("%s: %v", tt.name, err)
		}
	}
}
