package main

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/account"
	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/doctor"
	"github.com/smtpsend/smtpsend/internal/draft"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/view"
)

// doctorFlags are what "doctor" is told.
type doctorFlags struct {
	mailbox, from, sendTo string
	wait                  bool
	limit, pause          time.Duration
}

func newDoctor(g *globals) *cobra.Command {
	d := doctorFlags{pause: doctor.Pace}
	cmd := &cobra.Command{
		Use:     "doctor [flags]",
		GroupID: groupExplain,
		Short:   "Look at everything that a submission needs, and name what is wrong",
		Long: `Look at everything that a submission needs, one thing after another: settings,
names, connections, certificates, token, claims, sign-in. Names one cause, with
proof and fix; where Exchange's answer cannot tell, the causes that remain, and how
to tell them apart. The token is fetched anew, whatever is in the cache. No mail is
submitted without --send-to, and no check takes longer than its limit.

` + exit.Help,
		Example: `  smtpsend doctor
  smtpsend doctor --send-to me@contoso.com
  smtpsend --json doctor > for-support.json     # no secret and no token in it`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return runDoctor(cmd.Context(), g, &d) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&d.mailbox, "mailbox", "", "sign in as the mailbox `ADDRESS` (default SMTPSEND_SMTP_USER_NAME, else From)")
	f.StringVarP(&d.from, "from", "r", "", "`ADDRESS` in From of the test message (default SMTPSEND_MAIL_SENDER)")
	f.StringVar(&d.sendTo, "send-to", "", "submit a test message to `ADDRESS`: Exchange decides about Send As, size and quota only then")
	f.BoolVar(&d.wait, "wait", false, "repeat every 30 minutes until all is well: at a faster pace Exchange would keep its old answer")
	f.DurationVar(&d.limit, "limit", 0, "limit of each check, such as 5s (default 20s, of the token 30s, of the test message 2m)")
	return cmd
}

// runDoctor examines once, or until all is well.
func runDoctor(ctx context.Context, g *globals, d *doctorFlags) error {
	if d.limit < 0 {
		return exit.Usagef("--limit %v is negative", d.limit)
	}
	var last error
	examine := func(ctx context.Context) bool {
		last = g.examine(ctx, d)
		return last == nil
	}
	if !d.wait {
		examine(ctx)
		return last
	}
	err := doctor.Repeat(ctx, d.pause, func(ctx context.Context) bool {
		// What was not examined at all does not get better by itself.
		var examined *exit.Error
		return examine(ctx) || ctx.Err() == nil && !(errors.As(last, &examined) && examined.Shown)
	}, g.countDown)
	if err != nil {
		return err
	}
	return last
}

// countDown says how long nothing will happen: each second on a terminal, once
// elsewhere.
func (g *globals) countDown(left time.Duration) {
	text := fmt.Sprintf("next examination in %02d:%02d", int(left.Minutes()), int(left.Seconds())%60)
	switch {
	case g.Watched() && left > 0:
		g.Progress(text)
	case g.Watched():
		g.Progress("")
	case left > 0 && left%doctor.Pace == 0:
		g.Line("waiting", "%s", text)
	}
}

// examine loads the settings, which may have been mended since the last time,
// goes through all checks and shows what came of it.
func (g *globals) examine(ctx context.Context, d *doctorFlags) error {
	cfg, settingsErr := config.Load(ctx, g.options())
	o, err := g.examination(cfg, d, settingsErr)
	if err != nil {
		return err
	}
	checks := view.NewChecks(g.Printer)
	if !g.json {
		o.Each = checks.Print
	}
	report := doctor.Examine(ctx, o)
	checks.Flush()
	if ctx.Err() != nil {
		return context.Cause(ctx)
	}
	code := reportCode(report)
	if g.json {
		version, _ := buildVersion()
		g.JSON(view.NewReport(report, o, cfg, version, code))
	} else {
		view.Verdict(g.Printer, report)
	}
	if code != exit.OK {
		return &exit.Error{Code: code, Err: fmt.Errorf("%s: %s", report.Broken, report.Finding.Title), Shown: true}
	}
	return nil
}

// reportCode is the exit code that send would end with.
func reportCode(r *doctor.Report) int {
	if r.Healthy {
		return exit.OK
	}
	e := exit.Ending{Open: 1, Failures: []int{exit.Config}}
	if r.InDoubt {
		e = exit.Ending{InDoubt: 1}
	} else if cause := r.Cause(); cause != nil {
		e.Failures = []int{exit.FailureCode(cause, *r.Finding)}
	}
	return e.Code()
}

// examination maps settings and flags onto what doctor looks at. With settings
// that cannot be used it holds their check alone.
func (g *globals) examination(cfg *config.Config, d *doctorFlags, settingsErr error) (doctor.Options, error) {
	var problems *config.Problems
	if errors.As(settingsErr, &problems) {
		known := account.Facts(cfg, "", "")
		return doctor.Options{Settings: badSettings(problems, known)}, nil
	}
	mailbox, from, sendTo, err := d.addresses(cfg)
	if err != nil {
		return doctor.Options{}, err
	}
	path := mailbox
	if user := cfg.PlainUser(); user != "" && d.mailbox == "" {
		mailbox = user
	}
	known := account.Facts(cfg, mailbox, from)
	known.Recipient = sendTo
	if cfg.NoMails {
		sendTo = ""
	}
	acct := g.account(cfg)
	return doctor.Options{
		Settings: goodSettings(cfg, mailbox), Session: acct.Server(mailbox), ReversePath: path, From: from, SendTo: sendTo,
		TenantID: cfg.OfficeTenantID, Facts: known, Limit: d.limit, TokenLimit: d.limit, MailLimit: d.limit,
		Token: acct.Entra(),
	}, nil
}

// addresses are the mailbox to sign in as, and From and recipient of the test
// message, found as send finds them.
func (d *doctorFlags) addresses(cfg *config.Config) (mailbox, from, sendTo string, err error) {
	author, err := draft.Sender(cfg, "--from", d.from)
	if err != nil {
		return "", "", "", err
	}
	box, err := draft.Mailbox(cfg, "--mailbox", d.mailbox)
	if err != nil {
		return "", "", "", err
	}
	if box.IsZero() {
		box = author
	}
	if author.IsZero() {
		author = box
	}
	if box.IsZero() {
		return "", "", "", exit.Usagef("no mailbox: use --mailbox, or set %sMAIL_SENDER", config.Prefix)
	}
	if d.sendTo != "" {
		to, err := address.Parse("--send-to", d.sendTo)
		if err != nil {
			return "", "", "", err
		}
		sendTo = to.Addr()
	}
	return box.Addr(), author.Addr(), sendTo, nil
}

// badSettings is the check of settings that cannot be used.
func badSettings(p *config.Problems, known diagnosis.Facts) doctor.Check {
	var texts []string
	for _, problem := range p.Errors() {
		texts = append(texts, problem.String())
	}
	f := diagnosis.Finding{
		Code: "settings", Class: diagnosis.ClassConfiguration, Title: "The settings cannot be used",
		Cause: "Something is missing, or has a form that cannot be right; nothing was asked of any server.",
		Fixes: []diagnosis.Fix{{Text: "Mend what is listed; smtpsend config show tells where each value comes from.", Commands: []string{"smtpsend config show"}, Who: "you"}},
	}
	if found := diagnosis.Explain(strings.Join(texts, "\n"), known); len(found) > 0 {
		f = found[0]
	}
	return doctor.NewCheck("settings", doctor.Failed, fmt.Sprintf("%d of them cannot be used", len(texts)), &f, texts...)
}

// goodSettings says as whom and where to mail is submitted.
func goodSettings(cfg *config.Config, mailbox string) doctor.Check {
	seen := fmt.Sprintf("as %s, by %s", mailbox, cfg.Addr())
	if file := cfg.EnvFile(); file != "" {
		seen += ", from " + file
	}
	var notes []string
	for _, w := range cfg.Warnings() {
		notes = append(notes, w.String())
	}
	if cfg.NoMails {
		notes = append(notes, config.Prefix+"NO_MAILS=1: send submits nothing, and neither does --send-to")
	}
	status := doctor.OK
	if len(notes) > 0 {
		status = doctor.Warn
	}
	return doctor.NewCheck("settings", status, seen, nil, notes...)
}
