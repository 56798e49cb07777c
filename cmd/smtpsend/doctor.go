package main

import (
	"context"
	"errors"
	"fmt"
	"time"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/doctor"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/progress"
	"github.com/smtpsend/smtpsend/internal/usage"
	"github.com/smtpsend/smtpsend/internal/view"
)

// doctorFlags are what "doctor" is told.
type doctorFlags struct {
	doctor.Asked
	wait  bool
	pause time.Duration
}

func newDoctor(g *application) *cobra.Command {
	d := doctorFlags{pause: doctor.Pace, Asked: doctor.Asked{Name: flagName}}
	cmd := &cobra.Command{
		Use:     "doctor [flags]",
		GroupID: groupExplain,
		Short:   "Check everything that a submission needs, and name what is wrong",
		Long: `Check everything that a submission needs, one thing after another: settings, names,
connections, certificates, token, claims, sign-in. doctor names one cause, with its
proof and its fix. When Exchange's answer can have several causes, it lists them and
says how to tell them apart. It always fetches a new token. It submits mail only
with --send-to. Each check has a time limit.

` + exit.Help,
		Example: `  smtpsend doctor
  smtpsend doctor --send-to me@contoso.com
  smtpsend --json doctor > for-support.json     # no secret and no token in it`,
		Args: usage.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return runDoctor(cmd.Context(), g, &d) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&d.Mailbox, "mailbox", "", "sign in as the mailbox `ADDRESS` (default SMTPSEND_SMTP_USER_NAME, else From)")
	f.StringVarP(&d.From, "from", "r", "", "`ADDRESS` in From of the test message (default SMTPSEND_MAIL_SENDER)")
	f.StringVar(&d.SendTo, "send-to", "", "also submit a test message to `ADDRESS`: only then does Exchange check Send As, size and quota")
	f.BoolVar(&d.wait, "wait", false, "repeat every 30 minutes until all checks pass (more frequent sign-ins would make Exchange keep its old answer longer)")
	f.DurationVar(&d.Limit, "limit", 0, "time limit of each check, such as 5s (default 20s; token 30s; test message 2m)")
	return cmd
}

// runDoctor examines once, or until all is well.
func runDoctor(ctx context.Context, g *application, d *doctorFlags) error {
	if d.Limit < 0 {
		return exit.Usagef("--limit %v is negative", d.Limit)
	}
	var last error
	healthy := func(ctx context.Context) bool {
		last = examine(ctx, g, d)
		return last == nil
	}
	if !d.wait {
		healthy(ctx)
		return last
	}
	err := doctor.Repeat(ctx, d.pause, func(ctx context.Context) bool {
		// What was not examined at all does not get better by itself.
		if healthy(ctx) {
			return true
		}
		told, ok := errors.AsType[*exit.Error](last)
		return ctx.Err() == nil && !(ok && told.Shown)
	}, func(left time.Duration) { countDown(g, left) })
	if err != nil {
		return err
	}
	return last
}

// countDown says how long nothing will happen: each second on a terminal, once
// elsewhere.
func countDown(g *application, left time.Duration) {
	text := fmt.Sprintf("next check in %02d:%02d", int(left.Minutes()), int(left.Seconds())%60)
	switch {
	case g.out.Watched() && left > 0:
		g.out.Progress(text)
	case g.out.Watched():
		g.out.Progress("")
	case left > 0 && left%doctor.Pace == 0:
		g.out.Line("waiting", "%s", text)
	}
}

// examine loads the settings, which may have been fixed since the last time,
// goes through all checks and shows what came of it.
func examine(ctx context.Context, g *application, d *doctorFlags) error {
	cfg, settingsErr := config.Load(ctx, g.options())
	o, err := examination(ctx, g, cfg, d, settingsErr)
	if err != nil {
		return err
	}
	checks := progress.NewChecks(g.out)
	if !g.json {
		o.Each = checks.Print
	}
	report := doctor.Examine(ctx, o)
	checks.Flush()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	version, _ := buildVersion()
	shown := view.NewReport(report, o, cfg, version)
	g.show(shown)
	if report.Healthy {
		return nil
	}
	return exit.Told(shown.ExitCode, fmt.Errorf("%s: %s", report.Broken, report.Finding.Title))
}

// examination is what doctor looks at. With settings that cannot be used it is their
// check alone.
func examination(ctx context.Context, g *application, cfg *config.Config, d *doctorFlags, settingsErr error) (doctor.Options, error) {
	if problems, ok := errors.AsType[*config.Problems](settingsErr); ok {
		return doctor.Options{Settings: doctor.BadSettings(cfg, problems)}, nil
	}
	acct := g.account(cfg)
	o, err := doctor.FromSettings(acct, d.Asked)
	if err == nil {
		o.SayEnds(endsOf(ctx, g, acct))
	}
	if errors.Is(err, doctor.ErrNoMailbox) {
		return o, exit.Usagef("%w: use --mailbox, or set %sMAIL_SENDER", err, config.Prefix)
	}
	return o, err
}
