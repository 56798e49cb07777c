package config_test

import (
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/setting/choice"
)

func TestQueueSettingsAreChecked(t *testing.T) {
	for env, want := range map[string]string{
		"SMTPSEND_QUEUE=sometimes":            "SMTPSEND_QUEUE is not one of never, fallback, always",
		"SMTPSEND_IN_DOUBT=maybe":             "SMTPSEND_IN_DOUBT is not one of resend, hold",
		"SMTPSEND_MESSAGES_PER_MINUTE=31":     "SMTPSEND_MESSAGES_PER_MINUTE is not between 1 and 30",
		"SMTPSEND_MESSAGES_PER_MINUTE=0":      "SMTPSEND_MESSAGES_PER_MINUTE is not between 1 and 30",
		"SMTPSEND_RECIPIENTS_PER_DAY=10001":   "SMTPSEND_RECIPIENTS_PER_DAY is not between 1 and 10000",
		"SMTPSEND_RECIPIENTS_PER_DAY=plenty":  "SMTPSEND_RECIPIENTS_PER_DAY is not a whole number",
		"SMTPSEND_TIME_SCALE=60":              "SMTPSEND_TIME_SCALE is not 1, but SMTPSEND_MAIL_SERVER is not this machine",
		"SMTPSEND_OPERATOR=nobody in the end": "SMTPSEND_OPERATOR is not an address",
	} {
		_, err := config.Load(t.Context(), options(t, env))
		if err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("%s: %v, want %q", env, err, want)
		}
	}
}

func TestStateDirFollowsTheSystem(t *testing.T) {
	c, _ := config.Load(t.Context(), options(t, "XDG_STATE_HOME=/x/state", "HOME=/home/a"))
	if c.StateDir != "/x/state/smtpsend" || c.Origin("STATE_DIR").Source != config.SourceDefault {
		t.Errorf("state directory %q from %v", c.StateDir, c.Origin("STATE_DIR"))
	}
	if c.Queue != choice.QueueNever || c.InDoubt != choice.InDoubtResend || c.MessagesPerMinute != 30 || c.TimeScale != 1 {
		t.Errorf("defaults: %v %v %d %d", c.Queue, c.InDoubt, c.MessagesPerMinute, c.TimeScale)
	}
}
