package account

import (
	"context"
	"errors"
	"log/slog"

	"github.com/smtpsend/smtpsend/internal/proof"
)

// Logged are the options of a program that shows nothing and has a log: waits and
// troubles with the cache directory and, with level Debug, the dialogue with the
// server.
func Logged(log *slog.Logger) Options {
	o := Options{
		Logger: log,
		Warn: func(err error) {
			if next, ok := errors.AsType[*proof.NextInUseError](err); ok {
				log.Warn("the credential is renewed", "error", next)
				return
			}
			log.Warn("credential or token cache", "error", err)
		},
		Waiting:   func(mailbox string) { log.Info("all connections of the mailbox are taken", "mailbox", mailbox) },
		Unlimited: func(err error) { log.Warn("connections are not counted", "error", err) },
	}
	if log.Enabled(context.Background(), slog.LevelDebug) {
		o.Trace = func(line string) { log.Debug("dialogue", "line", line) }
	}
	return o
}
