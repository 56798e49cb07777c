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
	"github.com/smtpsend/smtpsend/internal/outbox"
	"github.com/smtpsend/smtpsend/internal/progress"
	"github.com/smtpsend/smtpsend/internal/relay/control"
	"github.com/smtpsend/smtpsend/internal/relay/service"
	"github.com/smtpsend/smtpsend/internal/sdnotify"
	"github.com/smtpsend/smtpsend/internal/usage"
)

func newRelay(g *application) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "relay",
		GroupID: groupSubmit,
		Short:   "Take mail of devices and programs by SMTP, keep it in the outbox, and submit it",
		Long: `Take mail of devices and programs by SMTP, and submit it to Exchange Online. The file
that ` + config.Prefix + `RELAY_FILE names says where the relay listens, who may submit, and which
mailbox submits for whom:

  smtpsend relay example > relay.yaml
  smtpsend relay check relay.yaml

A message is answered with 250 when it is in the outbox, on disk. The same process
submits it. The log is on standard error, with --json as an object on each line. SIGHUP,
or "smtpsend relay reload", makes it read its file again; SIGTERM ends it when what is in
hand is done.

Exit codes: 0 ended by SIGTERM; 78 settings; 73, 74 the outbox cannot be written.`,
		Args: usage.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return runRelay(cmd.Context(), g) },
	}
	cmd.AddCommand(newRelayCheck(g), newRelayExample(g), newRelayReload(g), newRelayUser(g))
	return cmd
}

func runRelay(ctx context.Context, g *application) error {
	supervisor, err := sdnotify.Environment() // before anything is started that could speak for us
	if err != nil {
		return exit.With(exit.Config, err)
	}
	cfg, err := g.settings(ctx, false)
	if err != nil {
		return err
	}
	if cfg.RelayFile == "" {
		return exit.With(exit.Config, errNoRelayFile)
	}
	log := g.out.Journal(g.json)
	box, err := g.openOutbox(ctx, cfg)
	if err != nil {
		return err
	}
	defer box.Close()
	o := service.Options{
		Outbox: box, Logger: log, KeepOnly: cfg.NoMails, Hangup: hangups(),
		Recovered: func(left outbox.Recovered) { progress.LastRun(g.out, left) },
	}
	if o.Relay, err = g.openRelay(ctx, cfg, box, supervisor, log); err != nil {
		return err
	}
	defer o.Relay.Close()
	if o.Courier, err = g.courierOptions(cfg); err != nil {
		return err
	}
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
	return ending.Outbox(service.Run(ctx, o))
}

// errNoRelayFile says what to set.
var errNoRelayFile = errors.New("no settings file of the relay: set " + config.Prefix + "RELAY_FILE")

// hangups asks the relay to read its settings with each SIGHUP, which ends other verbs.
func hangups() <-chan os.Signal {
	signal.Reset(syscall.SIGHUP)
	c := make(chan os.Signal, 1)
	signal.Notify(c, syscall.SIGHUP)
	return c
}
