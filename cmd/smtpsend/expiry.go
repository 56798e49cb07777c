package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/credential"
	"github.com/smtpsend/smtpsend/internal/draft"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/expiry"
	"github.com/smtpsend/smtpsend/internal/setting"
	"github.com/smtpsend/smtpsend/internal/usage"
	"github.com/smtpsend/smtpsend/internal/view/expiryview"
)

// expiryFlags are what "expiry" is told.
type expiryFlags struct {
	within expiryview.Span
	nagios bool
	notify string
}

func newExpiry(g *application) *cobra.Command {
	e := expiryFlags{within: expiryview.Span(expiry.Notice)}
	cmd := &cobra.Command{
		Use:     "expiry [flags]",
		GroupID: groupExplain,
		Short:   "Say what ends soon: client secret, certificates, tokens that were not renewed",
		Long: `Say when the credential ends, the one that follows it, and the certificates of the
relay, and what to do. No server is asked. The end of a client secret is known only from
` + config.Prefix + setting.ClientSecretExpires + `.

Exit codes: 0 nothing ends within the time; 1 something does, or has ended; 78 the
settings cannot be used, a certificate cannot be read, or the end of the client secret is
not known. With --notify, a mail that was not accepted ends as send does. With --nagios:
0 OK, 1 WARNING, 2 CRITICAL (mail stops within 7 days), 3 UNKNOWN.`,
		Example: `  smtpsend expiry --within 14d --notify ops@contoso.com     # daily, from cron
  smtpsend expiry --nagios`,
		Args: usage.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return runExpiry(cmd.Context(), g, &e) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.Var(&e.within, "within", "what ends within `TIME`, such as 30d or 36h")
	f.BoolVar(&e.nagios, "nagios", false, "print the line of a Nagios plugin, with its exit codes")
	f.StringVar(&e.notify, "notify", "", "mail the warning to `ADDRESS` when something ends, as send does")
	return cmd
}

func runExpiry(ctx context.Context, g *application, e *expiryFlags) error {
	if e.nagios && (e.notify != "" || g.json) {
		return exit.Usagef("--nagios excludes --notify and --json")
	}
	if e.notify != "" {
		if _, err := address.Parse("--notify", e.notify); err != nil {
			return err
		}
	}
	cfg, err := g.settings(ctx, false)
	if err != nil && !e.nagios {
		return err
	}
	var items []expiry.Item
	if err == nil {
		items, err = whatEnds(ctx, g, cfg)
	}
	v := expiryview.New(cfg.Credential.String(), items, clock(g), time.Duration(e.within))
	if e.nagios {
		line, code := v.Nagios(err)
		g.out.Printf("%s\n", line)
		return exit.Told(code, errors.New(line))
	}
	if err != nil {
		if !g.json {
			v.PrintFound(g.out)
		}
		return exit.With(exit.Config, err)
	}
	if e.notify == "" || v.Ending == 0 {
		g.show(v)
		return exit.Told(v.ExitCode, errors.New("something ends"))
	}
	return e.tell(ctx, g, cfg, v)
}

// whatEnds are the items, and why there may be more.
func whatEnds(ctx context.Context, g *application, cfg *config.Config) ([]expiry.Item, error) {
	items, err := g.account(cfg).Proof().Watch().All(ctx)
	if cfg.Credential.Kind == "" { // as with NO_MAILS
		err = errors.Join(err, errors.New("no credential is set: it is not known what ends"))
	}
	if cfg.Credential.Kind == credential.Secret && cfg.OfficeClientSecretExpires.IsZero() {
		err = errors.Join(err, fmt.Errorf("it is not known when the client secret ends: set %s%s to the day that the portal shows", config.Prefix, setting.ClientSecretExpires))
	}
	return items, err
}

// tell mails what ends, as send would, and shows both.
func (e *expiryFlags) tell(ctx context.Context, g *application, cfg *config.Config, v expiryview.Report) error {
	s := sendFlags{Options: draft.Options{
		To: []string{e.notify}, Subject: v.Subject(), Text: v.Text(), Header: []string{"Auto-Submitted: auto-generated"},
		Given: func(field string) bool { return field == "text" }, Name: flagName,
	}}
	var receipt bytes.Buffer
	var results io.Writer
	if g.json { // one object in all
		results = &receipt
	} else {
		v.Print(g.out)
	}
	budget := draft.NewBudget(g.timeout, "--timeout")
	composer, err := draft.New(s.Options, draft.Environment{Budget: budget, Warn: g.out.Warningf})
	if err != nil {
		return err
	}
	defer composer.Close()
	if err := s.send(ctx, g.within(g.environ, results), cfg, composer, budget); err != nil {
		g.out.Exactly(receipt.String())
		return err
	}
	if v.Notice = receipt.Bytes(); g.json {
		g.show(v)
	}
	return exit.Told(v.ExitCode, errors.New("something ends"))
}
