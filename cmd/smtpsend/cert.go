package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/account"
	"github.com/smtpsend/smtpsend/internal/certkeeper"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/credential"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/exit/ending"
	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/usage"
	"github.com/smtpsend/smtpsend/internal/view"
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
	if code := certkeeper.Code(err); code != exit.OK {
		return exit.With(code, err)
	}
	e, ok := errors.AsType[*session.Error](err)
	if !ok {
		return noToken(g, cfg, mailbox, err)
	}
	finding := diagnosis.Find(e.Symptom(), account.Facts(cfg, mailbox, ""))
	code := ending.FailureCode(e, finding)
	if g.json {
		g.out.JSON(view.Failed{Error: err.Error(), ExitCode: code, Finding: &finding})
	} else {
		view.Failure(g.out, finding, err.Error())
	}
	return &exit.Error{Code: code, Err: err, Shown: true}
}
