package main

import (
	"context"
	"path/filepath"
	"time"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/certkeeper"
	"github.com/smtpsend/smtpsend/internal/certrotation"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/keypair"
	"github.com/smtpsend/smtpsend/internal/view/certview"
)

func newCertNew(g *application) *cobra.Command {
	var key, name string
	var days int
	cmd := &cobra.Command{
		Use:   "new [FILE]",
		Short: "Make a key and a certificate, and say how to upload it",
		Long: `Make an RSA key of 3,072 bits and a certificate that it signs itself, and print where to
upload the certificate, with the lines for Azure CLI and PowerShell. FILE gets both, and
only this user can read it; FILE.cer gets the public part, for the upload. Without FILE
it is the file that ` + config.Prefix + `OFFICE_CLIENT_CERTIFICATE_FILE names. A file that
exists is never replaced.

Exit codes: 0 made; 64 usage; 73 a file exists or cannot be written.`,
		Example: `  smtpsend cert new /etc/smtpsend/client.pem
  smtpsend cert new --days 180 --name "smtpsend on web1" client.pem`,
		Args: oneFile,
		RunE: func(cmd *cobra.Command, args []string) error {
			t, err := certkeeper.Template(days, name)
			if err != nil {
				return err
			}
			return runCertNew(cmd.Context(), g, args, key, t)
		},
	}
	f := cmd.Flags()
	f.SortFlags = false
	f.StringVar(&key, "key", "", "put the private key into a `FILE` of its own")
	f.IntVar(&days, "days", 365, "how many `DAYS` it is valid")
	f.StringVar(&name, "name", "smtpsend", "the common `NAME` of the certificate, which the portal shows")
	return cmd
}

// oneFile takes one argument at most.
func oneFile(cmd *cobra.Command, args []string) error {
	if len(args) > 1 {
		return exit.Usagef("%q takes one file", cmd.CommandPath())
	}
	return nil
}

// absolute are files by names that mean the same in each directory: a setting is read by
// services that start in another one. Without a working directory they stay as they are.
func absolute(f keypair.Files) keypair.Files {
	for _, name := range []*string{&f.Certificate, &f.Key} {
		if full, err := filepath.Abs(*name); *name != "" && err == nil {
			*name = full
		}
	}
	return f
}

func runCertNew(ctx context.Context, g *application, args []string, key string, t keypair.Template) error {
	cfg := g.settingsButSecrets(ctx)
	files := keypair.Files{Certificate: cfg.Credential.Value, Key: key}
	if len(args) > 0 {
		files.Certificate = args[0]
	} else if key == "" {
		files.Key = cfg.OfficeClientCertificateKeyFile
	}
	if files.Certificate == "" {
		return exit.Usagef("no file: name one, or set %sOFFICE_CLIENT_CERTIFICATE_FILE", config.Prefix)
	}
	pair, err := certkeeper.Make(ctx, absolute(files), t)
	if err != nil {
		return certFailed(g, cfg, "", err)
	}
	files = pair.Files()
	upload := certview.NewUpload(certrotation.Public(files.Certificate), cfg.OfficeClientID)
	g.show(certview.Made{Pair: certview.NewPair(pair, time.Now()), Upload: upload, ExitCode: exit.OK})
	return nil
}
