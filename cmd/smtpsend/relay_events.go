package main

import (
	"context"
	"errors"
	"log/slog"
	"path/filepath"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/relay"
	"github.com/smtpsend/smtpsend/internal/relay/sessions"
)

// relayState is the directory of the relay below that of the outbox, and sessionsDir
// that of its sessions there.
const (
	relayState  = "relay"
	sessionsDir = "sessions"
)

// relayDir is a directory of the relay, for a verb that only looks.
func relayDir(ctx context.Context, g *application, name string) (string, error) {
	cfg, err := g.settings(ctx, true)
	if err != nil {
		return "", err
	}
	if cfg.StateDir == "" {
		return "", exit.With(exit.Config, errors.New("no directory of the relay: set "+config.Prefix+"STATE_DIR"))
	}
	if err := becomeOwnerOf(g, cfg.StateDir); err != nil {
		return "", exit.With(exit.Config, err)
	}
	return filepath.Join(cfg.StateDir, relayState, name), nil
}

// keepSessions lets the relay keep its sessions, until close is called.
func keepSessions(cfg *config.Config, log *slog.Logger, o *relay.Options) (closed func(), err error) {
	kept, err := sessions.Open(sessions.Options{
		Dir: filepath.Join(cfg.StateDir, relayState, sessionsDir), Warn: func(err error) { log.Warn(err.Error()) },
	})
	if err != nil {
		return nil, exit.With(exit.Config, err)
	}
	o.Refused, o.Visited = kept.Refused, kept.Visited
	return kept.Close, nil
}
