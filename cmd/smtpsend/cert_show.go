package main

import (
	"context"
	"errors"
	"io/fs"
	"time"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/account"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/keypair"
	"github.com/smtpsend/smtpsend/internal/view/certview"
)

func newCertShow(g *application) *cobra.Command {
	var key string
	cmd := &cobra.Command{
		Use:   "show [FILE]",
		Short: "Show a certificate: validity, thumbprints, key, and whether Entra ID takes it",
		Long: `Show a certificate: subject, validity, the thumbprints that the portal and PowerShell show
(SHA-1) and that token requests name (SHA-256), the size of the key, whether the key
fits, and whether Entra ID takes such a pair. Nothing is asked of Entra ID. Without FILE
it is the pair of the settings, and the next one where there is one. The password of an
encrypted file is that of the settings.

Exit codes: 0 Entra ID takes such pairs; 66 no such file; 78 it does not, or no
certificate is set.`,
		Args: oneFile,
		RunE: func(cmd *cobra.Command, args []string) error { return runCertShow(cmd.Context(), g, args, key) },
	}
	cmd.Flags().StringVar(&key, "key", "", "the private key is in a `FILE` of its own")
	return cmd
}

func runCertShow(ctx context.Context, g *application, args []string, key string) error {
	o := g.options()
	o.Offline = true
	cfg, err := config.Load(ctx, o)
	first, next := keypair.Files{Key: key, Password: cfg.OfficeClientCertificatePassword}, keypair.Files{}
	if len(args) > 0 {
		first.Certificate = args[0]
	} else {
		if err = hasCertificate(cfg, err); err != nil {
			return err
		}
		a := account.New(cfg, account.Options{})
		first, next = a.Proof().CertificateFiles(), a.Proof().NextCertificateFiles()
	}
	pair, err := keypair.Read(ctx, first)
	if err != nil {
		return certFailed(g, cfg, "", err)
	}
	var following *keypair.Pair
	if next.Certificate != "" {
		following, err = keypair.Read(ctx, next)
		if errors.Is(err, fs.ErrNotExist) {
			err = nil
		}
	}
	shown := certview.NewShown(pair, following, err, time.Now())
	g.show(shown)
	return exit.Told(shown.ExitCode, errors.New("a certificate that Entra ID refuses"))
}
