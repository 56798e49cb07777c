package main

import (
	"context"
	"errors"

	"github.com/smtpsend/smtpsend/internal/account"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/exit/ending"
	"github.com/smtpsend/smtpsend/internal/session"
	"github.com/smtpsend/smtpsend/internal/smtp"
	"github.com/smtpsend/smtpsend/internal/view"
)

// noToken explains why there is none, as send would.
func noToken(g *application, cfg *config.Config, mailbox string, err error) error {
	if errors.Is(err, context.Canceled) {
		return err
	}
	return withFinding(g, cfg, mailbox, err, exit.OK)
}

// withFinding shows a failure of a session, or of a request before one, with what the catalogue
// says of it. The exit code is code, or that of the failure when code is exit.OK.
func withFinding(g *application, cfg *config.Config, mailbox string, err error, code int) error {
	e, ok := errors.AsType[*session.Error](err)
	if !ok {
		e = &session.Error{Stage: smtp.StageToken, Err: err, Fault: diagnosis.FaultOf(err)}
	}
	finding := diagnosis.Find(e.Symptom(), account.Facts(cfg, mailbox, ""))
	if code == exit.OK {
		code = ending.FailureCode(e, finding)
	}
	if g.json {
		g.out.JSON(view.Failed{Error: err.Error(), ExitCode: code, Finding: &finding})
	} else {
		view.Failure(g.out, finding, err.Error())
	}
	return &exit.Error{Code: code, Err: err, Shown: true}
}
