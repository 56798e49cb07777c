package main

import (
	"context"
	"errors"
	"time"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/certkeeper"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/usage"
	"github.com/smtpsend/smtpsend/internal/view/certview"
)

func newCertRotate(g *application) *cobra.Command {
	var q certkeeper.Request
	var days int
	var name string
	cmd := &cobra.Command{
		Use:   "rotate [--finish | --upload]",
		Short: "Replace the certificate by a new one, without a gap",
		Long: `Replace the certificate of the settings by a new one, without a gap and without Microsoft
Graph: "cert rotate" makes the next pair beside the present one and says how to upload
it. From then on each token request takes the next one as soon as Entra ID refuses the
present one. "cert rotate --finish" tests the next one: it gets a token and signs in, and
sends no mail. Then it puts the next one in the place of the present one, and keeps that as
.old-YYYYMMDD.

"cert rotate --upload" does it all through Microsoft Graph, without any permission: the
present certificate signs a proof. The next run of it removes the old certificate from the
app registration. You have to give the object ID of the app registration once (App
registrations > your app > Object ID, not the one of the enterprise application). When the
last certificate has ended, Microsoft Graph accepts no proof: rotate before.

The next run completes a run that was interrupted.

Exit codes: 0 done, or nothing to do; 66 no next pair; 73 a file cannot be replaced; 75 try
again; 77 Entra ID, Graph or Exchange refused; 78 settings.`,
		Args: usage.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) (err error) {
			if q.Template, err = certkeeper.Template(days, name); err != nil {
				return err
			}
			return runCertRotate(cmd.Context(), g, q)
		},
	}
	flags := cmd.Flags()
	flags.SortFlags = false
	flags.BoolVar(&q.Finish, "finish", false, "test the next pair and put it in the place of the present one")
	flags.BoolVar(&q.Upload, "upload", false, "do it all through Microsoft Graph")
	flags.IntVar(&q.Within, "within", 0, "begin only if the present certificate ends within `DAYS`, for cron")
	flags.IntVar(&days, "days", 365, "how many `DAYS` the next certificate is valid")
	flags.StringVar(&name, "name", "smtpsend", "the common `NAME` of the next certificate")
	flags.StringVar(&q.ObjectID, "object-id", "", "the object `ID` of the app registration, for --upload")
	flags.DurationVar(&q.Wait, "wait", 5*time.Minute, "how long --upload waits until Entra ID knows the new certificate, a `DURATION`")
	flags.StringVar(&q.Graph, "graph", "", "the `URL` of Microsoft Graph (default that of the settings' cloud)")
	return cmd
}

func runCertRotate(ctx context.Context, g *application, q certkeeper.Request) error {
	switch {
	case q.Finish && q.Upload:
		return exit.Usagef("--finish and --upload exclude each other")
	case q.Within < 0, q.Wait <= 0:
		return exit.Usagef("--within must not be negative, --wait must be positive")
	}
	cfg, err := g.settings(ctx, false)
	if err = hasCertificate(cfg, err); err != nil {
		return err
	}
	if q.Mailbox, err = new(tokenFlags).user(cfg); err != nil {
		return err
	}
	if signsIn := q.Finish || q.Upload; signsIn && q.Mailbox == "" {
		return exit.With(exit.Config, errors.New("no mailbox to sign in as: set "+config.Prefix+"MAIL_SENDER"))
	}
	q.Timeout, q.Step = g.timeout, func(text string) { g.out.Verbosef("%s", text) }
	q.Waiting = func(d time.Duration) {
		g.out.Line("waiting", "Entra ID does not know the new certificate yet; asked again in %v", d)
	}
	done, err := certkeeper.Rotate(ctx, g.account(cfg), q)
	if err != nil {
		return certFailed(g, cfg, q.Mailbox, err)
	}
	g.show(certview.NewRotation(done, cfg.OfficeClientID, time.Now()))
	return nil
}
