package main

import (
	"context"
	"errors"
	"os"
	"os/signal"
	"syscall"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/exit/ending"
	"github.com/smtpsend/smtpsend/internal/expiry"
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/progress"
	"github.com/smtpsend/smtpsend/internal/relay"
	"github.com/smtpsend/smtpsend/internal/relay/control"
	"github.com/smtpsend/smtpsend/internal/relay/observation"
	"github.com/smtpsend/smtpsend/internal/relay/service"
	"github.com/smtpsend/smtpsend/internal/sdnotify"
	"github.com/smtpsend/smtpsend/internal/usage"
)

func newRelay(g *application) *cobra.Command {
	var learn observing
	cmd := &cobra.Command{
		Use:     "relay",
		GroupID: groupSubmit,
		Short:   "Take mail of devices and programs by SMTP, keep it in the outbox, and submit it",
		Long: `Take mail of devices and programs by SMTP, and submit it to Exchange Online. The file
that ` + config.Prefix + `RELAY_FILE names says where the relay listens, who may submit, and which
mailbox submits for whom:

  smtpsend relay example > relay.yaml    # has every key: take out what you do not need
  smtpsend relay check relay.yaml

A message is answered with 250 when it is in the outbox, on disk. The same process
submits it. The log is on standard error, with --json as an object on each line. SIGHUP,
or "smtpsend relay reload", makes it read its file again; SIGTERM ends it when what is in
hand is done.

To move devices: "--observe NETWORK" takes the mail of every host there for a time, and
prints at its end the settings file that admits those who were there, and no one else;
"smtpsend relay observed" shows it at any time. With --pass-to their mail goes on to
the old smart host meanwhile.

Exit codes: 0 ended by SIGTERM, or by --for; 78 settings; 75 another relay runs with the
same SMTPSEND_STATE_DIR; 73, 74 the outbox cannot be written.`,
		Args: usage.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return runRelay(cmd.Context(), g, &learn) },
	}
	learn.define(cmd.Flags())
	cmd.AddCommand(newRelayCheck(g), newRelayExample(g), newRelayReload(g), newRelayUser(g), newRelaySessions(g), newRelayObserved(g))
	return cmd
}

func runRelay(ctx context.Context, g *application, learn *observing) error {
	supervisor, err := sdnotify.Environment() // before anything is started that could speak for us
	if err != nil {
		return exit.With(exit.Config, err)
	}
	cfg, err := g.settings(ctx, learn.passTo != "")
	if err == nil {
		err = learn.check(cfg)
	}
	if err != nil {
		return err
	}
	log := g.out.Journal(g.json)
	g.warn = func(text string) { log.Warn(text) }
	box, err := g.openOutbox(ctx, cfg)
	if err != nil {
		return err
	}
	defer box.Close()
	r := relay.Options{Outbox: box, Logger: log}
	closed, err := keepSessions(cfg, log, &r)
	if err != nil {
		return err
	}
	defer closed()
	serve := func() error { return serveRelay(ctx, g, cfg, supervisor, r, learn) }
	if !learn.isOn() {
		return serve()
	}
	return learn.run(ctx, cfg, &r, serve, func(path string) error {
		return showObserved(context.WithoutCancel(ctx), g, cfg, path, observation.ProposeOptions{})
	})
}

// serveRelay runs a relay, and the courier beside it, until ctx ends, or
// the time of the learning mode.
func serveRelay(ctx context.Context, g *application, cfg *config.Config, supervisor *sdnotify.Service, r relay.Options, learn *observing) (err error) {
	log, passes := r.Logger, r.Learning != nil && r.Learning.PassTo != nil
	o := service.Options{
		Outbox: r.Outbox, Logger: log, KeepOnly: cfg.NoMails || passes, Hangup: hangups(),
		Recovered: func(left outbox.Recovered) { progress.LastRun(g.out, left) },
	}
	if o.Relay, err = g.openRelay(ctx, cfg, supervisor, r); err != nil {
		return err
	}
	defer o.Relay.Close()
	if !o.KeepOnly {
		if o.Courier, err = g.courierOptions(cfg); err != nil {
			return err
		}
	}
	o.Courier.Ending = func(w *expiry.Warning) { warnOnce(g, w) }
	o.Courier.Trouble = func(err error) { log.Warn("tried again: " + err.Error()) }
	o.Courier.Unnotified = func(err error) { log.Warn("the notice could not be sent; it is tried again later: " + err.Error()) }
	if supervisor.Listens() {
		o.Supervisor = supervisor
	}
	if o.Control, err = control.Listen(ctx, cfg.StateDir); err != nil {
		log.Warn("smtpsend relay reload will not reach this relay, SIGHUP does: " + err.Error())
	}
	if cfg.NoMails {
		log.Warn(config.Prefix + "NO_MAILS=1: mail is taken, and stays in the outbox")
	}
	ctx, cancel := learn.within(ctx)
	defer cancel()
	return ending.Outbox(service.Run(ctx, o))
}

// errNoRelayFile says what to set.
var errNoRelayFile = errors.New("no settings file of the relay: set " + config.Prefix + "RELAY_FILE to its name (\"smtpsend relay example\" prints one to begin with)")

// hangups asks the relay to read its settings with each SIGHUP, which ends other verbs.
func hangups() <-chan os.Signal {
	signal.Reset(syscall.SIGHUP)
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP)
	return c
}
