package main

import (
	"context"
	"log/slog"
	"net"
	"path/filepath"
	"slices"
	"time"

	"github.com/spf13/pflag"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/relay"
	"github.com/smtpsend/smtpsend/internal/relay/event"
	"github.com/smtpsend/smtpsend/internal/relay/observation"
	"github.com/smtpsend/smtpsend/internal/relay/relayfile"
	"github.com/smtpsend/smtpsend/internal/relay/smarthost"
	"github.com/smtpsend/smtpsend/internal/smtpserver"
)

// maxObserving is how long the learning mode may last: a day, in which nightly jobs send
// once. Meanwhile every host in the networks may send as anyone.
const maxObserving = 24 * time.Hour

// observedGrace is how long a message may last that begins before the time is over.
const observedGrace = 10 * time.Minute

// observing are the flags of the learning mode.
type observing struct {
	networks, listen []string
	span             time.Duration
	passTo           string
	given            func(flag string) bool
}

func (o *observing) define(f *pflag.FlagSet) {
	o.given = f.Changed
	f.StringSliceVar(&o.networks, "observe", nil, "learning mode: also take mail from all hosts of the `NETWORK`, whatever they sign in with, and print the settings file that admits those who were there; more than once for several")
	f.DurationVar(&o.span, "for", 2*time.Hour, "end the learning mode after this `TIME`, at most 24h")
	f.StringVar(&o.passTo, "pass-to", "", "in the learning mode, hand their mail on to the server at `HOST:PORT` while they wait, and keep nothing")
	f.StringSliceVar(&o.listen, "listen", nil, "in the learning mode without a settings file, listen at `ADDRESS`, such as starttls://0.0.0.0:25")
}

// isOn reports the learning mode.
func (o *observing) isOn() bool { return len(o.networks) > 0 }

// check refuses flags that make no sense together.
func (o *observing) check(cfg *config.Config) error {
	switch hasFile := cfg.RelayFile != ""; {
	case !o.isOn() && slices.ContainsFunc([]string{"for", "pass-to", "listen"}, o.given):
		return exit.Usagef("--for, --pass-to and --listen need --observe NETWORK")
	case !o.isOn() && !hasFile:
		return exit.With(exit.Config, errNoRelayFile)
	case hasFile && len(o.listen) > 0:
		return exit.Usagef("--listen has no use with a settings file, which says where to listen: %s", cfg.RelayFile)
	case o.span <= 0 || o.span > maxObserving:
		return exit.Usagef("--for %v: must be more than 0 and at most %v", o.span, maxObserving)
	}
	return nil
}

// run serves in the learning mode, and shows what was seen.
func (o *observing) run(ctx context.Context, cfg *config.Config, r *relay.Options, serve func() error, show func(path string) error) error {
	path := filepath.Join(cfg.StateDir, relayState, observedFile)
	seen, err := o.learn(ctx, cfg, path, r)
	if err != nil {
		return err
	}
	err = serve()
	seen.Close() // all sessions are over
	if err != nil {
		return err
	}
	return show(path)
}

// within is ctx until the time of the learning mode is over; its begin is now.
func (o *observing) within(ctx context.Context) (context.Context, context.CancelFunc) {
	ctx, cancel := context.WithCancelCause(ctx)
	if o.isOn() {
		time.AfterFunc(o.span, func() { cancel(relay.ErrTimeOver) }) // the process ends before, or with it
	}
	return ctx, func() { cancel(nil) }
}

// learn makes the options of a relay those of the learning mode. The Observer has to be
// closed after the relay.
func (o *observing) learn(ctx context.Context, cfg *config.Config, path string, r *relay.Options) (*observation.Observer, error) {
	networks, err := relayfile.ParseAllLearned(o.networks)
	if err != nil {
		return nil, exit.Usagef("--observe %v", err)
	}
	r.Learning = &relay.Learning{Networks: networks, Grace: observedGrace}
	if o.passTo != "" {
		if _, _, err := net.SplitHostPort(o.passTo); err != nil {
			return nil, exit.Usagef("--pass-to %q is not HOST:PORT", o.passTo)
		}
		r.Learning.PassTo = &smarthost.Host{Addr: o.passTo, Hello: smtpserver.HostName()}
	}
	r.Read = func(ctx context.Context) (*relayfile.File, error) {
		return relayfile.ReadForLearning(ctx, cfg.RelayFile, o.listen)
	}
	seen, err := observation.Open(ctx, observation.Options{
		Path: path, Warn: func(err error) { r.Logger.Warn(err.Error()) },
	})
	if err != nil {
		return nil, exit.With(exit.Config, err)
	}
	kept := r.Visited
	r.Visited = func(v event.Visit) {
		kept(v)
		seen.Visited(v)
	}
	r.Logger.Warn("learning mode: every host of the networks may send, as anyone", slog.Any("networks", o.networks), slog.Duration("for", o.span), slog.String("pass_to", o.passTo))
	return seen, nil
}
