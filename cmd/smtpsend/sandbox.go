package main

import (
	"context"
	"errors"
	"strings"

	"github.com/smtpsend/smtpsend/internal/setting/choice"
	"github.com/smtpsend/smtpsend/internal/usage"
	"github.com/smtpsend/smtpsend/internal/view"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/sandbox"
	"github.com/smtpsend/smtpsend/internal/sandbox/fault"
	"github.com/smtpsend/smtpsend/internal/sandbox/flags"
	"github.com/smtpsend/smtpsend/internal/sandbox/wallet"
)

// sandboxFlags are what "sandbox" is told.
type sandboxFlags struct {
	flags.Flags

	listFaults bool
}

func newSandbox(g *application) *cobra.Command {
	s := sandboxFlags{Flags: flags.Flags{Service: choice.ServiceExchange}}
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

With --credential the env file has no secret. What the environment of that kind sets,
such as GitHub Actions, is in FILE.credential:

  (set -a; . ./e.env.credential; smtpsend --env-file e.env send ...)

The sandbox ends on SIGINT or SIGTERM.`,
		Args: usage.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return runSandbox(cmd.Context(), g, &s) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&s.ListenSMTP, "listen-smtp", "", "`ADDRESS` for SMTP, loopback only (default 127.0.0.1 and a free port)")
	f.StringVar(&s.ListenHTTP, "listen-http", "", "`ADDRESS` for the token endpoint, the inbox and its API (default as above)")
	f.StringVar(&s.WriteEnv, "write-env", "", "write the settings to `FILE` when both addresses accept connections")
	f.StringVar(&s.Credential, "credential", "", "write settings for the credential `KIND`: "+strings.Join(wallet.Kinds(), ", "))
	f.StringArrayVar(&s.Certificates, "certificate", nil, "register the certificate in `FILE` (PEM) on the application; repeatable")
	f.StringVar(&s.Scenario, "scenario", "", "JSON `FILE` with the tenant, its mailboxes, its applications and their rights")
	f.Var(&s.Service, "service", "play `NAME`: exchange, or hve (High Volume Email)")
	f.StringArrayVar(&s.Faults, "fault", nil, "make the failure `NAME[,OPTION=VALUE...]` happen; OPTION is stage, mailbox, after, times, share or delay; repeatable")
	f.StringArrayVar(&s.Without, "without", nil, "switch off `NAME`, a failure that is on by default: garbles-8bit; repeatable")
	f.BoolVar(&s.listFaults, "list-faults", false, "list the names for --fault, each with one line about it")
	f.BoolVar(&s.Limits, "limits", false, "enforce Exchange's limits: 30 messages a minute (the excess is delayed) and 10,000 recipients a day")
	f.IntVar(&s.TimeScale, "time-scale", 1, "make the minutes and days of the limits `N` times shorter, in the settings of --write-env too")
	return cmd
}

func runSandbox(ctx context.Context, g *application, s *sandboxFlags) error {
	if s.listFaults {
		g.show(view.NewFaults())
		return nil
	}
	o, err := s.Options(ctx)
	if err != nil {
		return err
	}
	o.Logger = g.out.Logger()
	box, err := sandbox.Start(ctx, o)
	if wrong, ok := errors.AsType[*fault.Error](err); ok {
		return exit.Usagef("--without %q: %s", wrong.Text, wrong.Reason)
	}
	if err != nil {
		return exit.With(exit.Refused, err)
	}
	defer box.Close()
	if s.WriteEnv != "" {
		if err := s.Write(box); err != nil {
			return exit.With(exit.CannotCreate, err)
		}
	}
	g.show(view.NewSandbox(box, s.WriteEnv))
	<-ctx.Done()
	return nil
}
