package main

import (
	"context"
	"errors"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/outbox/operator"
	"github.com/smtpsend/smtpsend/internal/relay"
	"github.com/smtpsend/smtpsend/internal/relay/sessions"
	"github.com/smtpsend/smtpsend/internal/usage"
	"github.com/smtpsend/smtpsend/internal/view/relayview"
)

func newRelaySessions(g *application) *cobra.Command {
	var since, address string
	var f sessions.Filter
	cmd := &cobra.Command{
		Use:   "sessions",
		Short: "Show who connected to the relay, what was refused and why",
		Long: `Show the sessions that the relay kept, the newest last: each refusal and broken
session with its cause and what helps, and each session that is over. They are kept for a
week, within 4 MiB each; of a flood the first lines of each minute, and a count. The
relay may run or not.`,
		Example: `  smtpsend relay sessions --refused --since 2h
  smtpsend relay sessions --address 192.0.2.0/24`,
		Args: usage.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			now := time.Now()
			if f.Since, err = operator.ParseTime(since, now); err != nil {
				return exit.With(exit.Usage, err)
			}
			if address != "" {
				if f.From, err = sessions.ParsePlace(address); err != nil {
					return exit.Usagef("--address %v", err)
				}
			}
			return runRelaySessions(cmd.Context(), g, f, now)
		},
	}
	flags := cmd.Flags()
	flags.BoolVar(&f.Refused, "refused", false, "only what was refused, and sessions that broke")
	flags.StringVar(&since, "since", "24h", "since `TIME`, such as 2h, yesterday or \"2026-11-17 08:00\"")
	flags.StringVar(&address, "address", "", "of the `ADDRESS`, of a network such as 192.0.2.0/24, or of \"uid 33\"")
	flags.IntVarP(&f.Limit, "limit", "n", 100, "the last `N`; 0 is all")
	return cmd
}

func runRelaySessions(ctx context.Context, g *application, f sessions.Filter, now time.Time) error {
	dir, err := relayDir(ctx, g, sessionsDir)
	if err != nil {
		return err
	}
	list, more, err := sessions.Read(ctx, dir, f, now)
	if err != nil {
		return exit.With(exit.IO, err)
	}
	g.show(relayview.NewSessions(list, more))
	if _, err := os.Stat(dir); errors.Is(err, fs.ErrNotExist) {
		g.out.Line("note", "no relay has run with this state directory: %s", filepath.Dir(filepath.Dir(dir)))
	}
	return nil
}

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
	switch {
	case errors.Is(err, sessions.ErrTaken):
		return nil, exit.With(exit.TryAgain, err)
	case err != nil:
		return nil, exit.With(exit.Config, err)
	}
	o.Refused, o.Visited = kept.Refused, kept.Visited
	return kept.Close, nil
}
