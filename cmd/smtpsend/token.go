package main

import (
	"context"
	"encoding/base64"
	"time"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/usage"
	"github.com/smtpsend/smtpsend/internal/view"
	"github.com/smtpsend/smtpsend/tokencache"
	"github.com/smtpsend/smtpsend/xoauth2"
)

// tokenFlags are what "token" is told.
type tokenFlags struct {
	raw, xoauth2, refresh bool
	mailbox               string
	minLife               time.Duration
}

func newToken(g *application) *cobra.Command {
	var t tokenFlags
	cmd := &cobra.Command{
		Use:     "token [flags]",
		GroupID: groupSubmit,
		Short:   "Print an access token, for other programs",
		Long: `Print an access token, from the cache or from Entra ID, for msmtp's passwordeval,
curl's --oauth2-bearer and other programs. The token is a password for the mailboxes
of the app: keep it out of logs.

` + exit.Help,
		Example: `  curl --oauth2-bearer "$(smtpsend token)" --user noreply@contoso.com ...
  passwordeval "smtpsend --env-file /home/me/smtpsend.env token"      # in ~/.msmtprc, with: auth xoauth2`,
		Args: usage.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return runToken(cmd.Context(), g, &t) },
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.BoolVar(&t.raw, "raw", false, "print only the token (the default)")
	f.BoolVar(&t.xoauth2, "xoauth2", false, "print the base64 response for AUTH XOAUTH2")
	f.StringVar(&t.mailbox, "mailbox", "", "the mailbox `ADDRESS` in that response (default SMTPSEND_SMTP_USER_NAME, else SMTPSEND_MAIL_SENDER)")
	f.DurationVar(&t.minLife, "min-life", 0, "print a token that is valid for at least `DURATION`, such as 20m")
	f.BoolVar(&t.refresh, "refresh", false, "fetch a new token, even if the cache has one")
	return cmd
}

func runToken(ctx context.Context, g *application, t *tokenFlags) error {
	if (t.raw && t.xoauth2) || (g.json && (t.raw || t.xoauth2)) {
		return exit.Usagef("--raw, --xoauth2 and --json exclude each other")
	}
	if t.minLife < 0 {
		return exit.Usagef("--min-life must not be negative, got %v", t.minLife)
	}
	cfg, err := g.settings(ctx, false)
	if err != nil {
		return err
	}
	mailbox, err := t.user(cfg)
	if err != nil {
		return err
	}
	cache, err := g.account(cfg).Tokens(t.minLife)
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, g.timeout)
	defer cancel()
	get := cache.Get
	if t.refresh {
		get = cache.Refresh
	}
	entry, err := get(ctx)
	if err != nil {
		return noToken(g, cfg, mailbox, err)
	}
	if life := time.Until(entry.Token.Expiry).Round(time.Second); t.minLife > 0 && life < t.minLife {
		g.out.Warningf("the token is valid for %v, not %v: Entra ID does not issue a token that is valid longer", life, t.minLife)
	}
	return printToken(g, t, mailbox, entry)
}

// user is the mailbox for --xoauth2, as MAIL SENDER may have a display name.
func (t *tokenFlags) user(cfg *config.Config) (string, error) {
	if user := cfg.PlainUser(); user != "" && t.mailbox == "" {
		return user, nil
	}
	for _, from := range [][2]string{
		{"--mailbox", t.mailbox}, {config.Prefix + "SMTP_USER_NAME", cfg.SMTPUserName}, {config.Prefix + "MAIL_SENDER", cfg.MailSender},
	} {
		if from[1] != "" {
			a, err := address.Parse(from[0], from[1])
			return a.Addr(), err
		}
	}
	if t.xoauth2 {
		return "", exit.Usagef("no mailbox for --xoauth2: use --mailbox, or set %sSMTP_USER_NAME", config.Prefix)
	}
	return "", nil
}

func printToken(g *application, t *tokenFlags, mailbox string, entry tokencache.Entry) error {
	token := entry.Token.AccessToken
	switch {
	case g.json:
		g.out.JSON(view.NewToken(entry, time.Now()))
	case t.xoauth2:
		response, err := xoauth2.InitialResponse(mailbox, token)
		if err != nil {
			return exit.With(exit.Protocol, err)
		}
		g.out.Exactly(base64.StdEncoding.EncodeToString(response) + "\n")
	default:
		g.out.Exactly(token + "\n")
	}
	return nil
}
