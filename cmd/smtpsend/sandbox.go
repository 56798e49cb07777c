package main

import (
	"context"
	"errors"
	"fmt"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/exchange"
	"github.com/smtpsend/smtpsend/internal/textfile"
	"github.com/smtpsend/smtpsend/internal/usage"
	"github.com/smtpsend/smtpsend/internal/view"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/charset"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/sandbox"
	"github.com/smtpsend/smtpsend/internal/sandbox/fault"
	"github.com/smtpsend/smtpsend/internal/sandbox/tenant"
)

// sandboxFlags are what "sandbox" is told.
type sandboxFlags struct {
	listenSMTP, listenHTTP, writeEnv string
	scenario                         string
	faults, without                  []string
	listFaults                       bool
	limits                           bool
	timeScale                        int
}

func newSandbox(g *application) *cobra.Command {
	var s sandboxFlags
	cmd := &cobra.Command{
		Use:     "sandbox [flags]",
		GroupID: groupTry,
		Short:   "Run a stand-in for Entra ID and Exchange Online on this host",
		Long: `Run a stand-in for Microsoft Entra ID and Exchange Online on loopback: a token
endpoint, an SMTP server that accepts XOAUTH2, and an inbox that shows what arrived.
Keys, ids and the secret are new at each start. --write-env writes an env file with
which all other verbs use the sandbox:

  smtpsend sandbox --write-env e.env & until [ -s e.env ]; do sleep 0.2; done
  smtpsend --env-file e.env send --to a@contoso.example --subject hi --text hi

The sandbox ends on SIGINT or SIGTERM.`,
		Args: usage.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return runSandbox(cmd.Context(), g, &s) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&s.listenSMTP, "listen-smtp", "", "`ADDRESS` for SMTP, loopback only (default 127.0.0.1 and a free port)")
	f.StringVar(&s.listenHTTP, "listen-http", "", "`ADDRESS` for the token endpoint, the inbox and its API (default as above)")
	f.StringVar(&s.writeEnv, "write-env", "", "write the settings to `FILE` when both addresses accept connections")
	f.StringVar(&s.scenario, "scenario", "", "JSON `FILE` with the tenant, its mailboxes, its applications and their rights")
	f.StringArrayVar(&s.faults, "fault", nil, "make the failure `NAME[,OPTION=VALUE...]` happen; OPTION is stage, mailbox, after, times, share or delay; repeatable")
	f.StringArrayVar(&s.without, "without", nil, "switch off `NAME`, a failure that is on by default: garbles-8bit; repeatable")
	f.BoolVar(&s.listFaults, "list-faults", false, "list the names for --fault, each with one line about it")
	f.BoolVar(&s.limits, "limits", false, "enforce Exchange's limits: 30 messages a minute (the excess is delayed) and 10,000 recipients a day")
	f.IntVar(&s.timeScale, "time-scale", 1, "make the minutes and days of the limits `N` times shorter, in the settings of --write-env too")
	return cmd
}

// readScenario reads what --scenario names.
func readScenario(ctx context.Context, name string) (*tenant.Scenario, error) {
	text, err := textfile.Read(ctx, name, nil, limits.Scenario)
	if err != nil {
		return nil, ofFlag("--scenario", err)
	}
	if text, err = charset.Strict([]byte(text)); err != nil {
		return nil, exit.With(exit.Data, ofFlag("--scenario", fmt.Errorf("file %q %w", name, err)))
	}
	scenario, err := tenant.ParseScenario([]byte(text))
	if err != nil {
		return nil, exit.Usagef("--scenario %s: %v", name, err)
	}
	return scenario, nil
}

func runSandbox(ctx context.Context, g *application, s *sandboxFlags) error {
	if s.listFaults {
		g.show(view.NewFaults())
		return nil
	}
	o := sandbox.Options{SMTPAddr: s.listenSMTP, HTTPAddr: s.listenHTTP, Logger: g.out.Logger()}
	if s.timeScale < 1 || s.timeScale > config.MaxTimeScale { // the settings that are written would be refused
		return exit.Usagef("--time-scale %d is not between 1 and %d", s.timeScale, config.MaxTimeScale)
	}
	if o.TimeScale = float64(s.timeScale); s.limits {
		o.MessagesPerMinute, o.RecipientsPerDay = exchange.MessagesPerMinute, exchange.RecipientsPerDay
	}
	if s.scenario != "" {
		var err error
		if o.Scenario, err = readScenario(ctx, s.scenario); err != nil {
			return err
		}
	}
	for _, text := range s.faults {
		f, err := fault.Parse(text)
		if err != nil {
			return unknownFault(text, err)
		}
		o.Faults = append(o.Faults, f)
	}
	o.Without = s.without
	box, err := sandbox.Start(ctx, o)
	if wrong, ok := errors.AsType[*fault.Error](err); ok {
		return exit.Usagef("--without %q: %s", wrong.Text, wrong.Reason)
	}
	if err != nil {
		return exit.With(exit.Refused, err)
	}
	defer box.Close()
	if s.writeEnv != "" {
		if err := box.WriteEnv(s.writeEnv); err != nil {
			return exit.With(exit.CannotCreate, err)
		}
	}
	g.show(view.NewSandbox(box, s.writeEnv))
	<-ctx.Done()
	return nil
}
