package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/certkeeper"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/credential"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/graph"
	"github.com/smtpsend/smtpsend/internal/usage"
)

func newCert(g *application) *cobra.Command {
	cmd := &cobra.Command{
		Use:     "cert",
		GroupID: groupSetUp,
		Short:   "Make, show and rotate the certificate that takes the place of a client secret",
		Args:    usage.NoArguments,
		RunE:    func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	cmd.AddCommand(newCertNew(g), newCertShow(g), newCertRotate(g))
	return cmd
}

// hasCertificate wants settings that were loaded with err to use a certificate.
func hasCertificate(cfg *config.Config, err error) error {
	if err != nil || cfg.Credential.Kind == credential.Certificate {
		return err
	}
	return exit.With(exit.Config, errors.New("the credential of the settings is not a certificate ("+cfg.Credential.String()+"): set "+config.Prefix+"OFFICE_CLIENT_CERTIFICATE_FILE"))
}

// certFailed gives an error of these verbs its exit code, and says what helps.
func certFailed(g *application, cfg *config.Config, mailbox string, err error) error {
	if err == nil || errors.Is(err, context.Canceled) {
		return err
	}
	code := certkeeper.Code(err)
	_, ofGraph := errors.AsType[*graph.Error](err)
	if code != exit.OK && !ofGraph {
		return exit.With(code, err)
	}
	return withFinding(g, cfg, mailbox, err, code)
}
