package main

import (
	"errors"
	"io"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/exit/ending"
	"github.com/smtpsend/smtpsend/internal/view"
)

// conclude tells people of the error that ended a verb, unless they were told, and
// returns the exit code.
func (g *application) conclude(err error) int {
	err = advised(err)
	code := ending.Code(err)
	var coded *exit.Error
	told := errors.As(err, &coded) && coded.Shown
	if err == nil || told {
		return code
	}
	var problems *config.Problems
	switch {
	case g.json:
		g.out.JSON(view.Failed{Error: err.Error(), ExitCode: code})
	case errors.As(err, &problems):
		view.Problems(g.out, problems)
	case code == exit.Interrupted:
		g.out.Errorf("interrupted")
	case code == exit.Bug:
		g.out.Errorf("%v (a bug in smtpsend, or an error that it does not know)", err)
	default:
		g.out.Errorf("%v", err)
	}
	return code
}

// show prints the result of a verb, with --json as an object.
func (g *application) show(result view.Result) {
	if g.json {
		g.out.JSON(result)
	} else {
		result.Print(g.out)
	}
}

// within is g in another environment, with its results in out unless that is nil.
func (g *application) within(environ []string, out io.Writer) *application {
	p, inside := *g.process, *g
	p.environ = environ
	if out != nil {
		inside.out = g.out.To(out)
	}
	inside.process = &p
	return &inside
}

// toStderr is g with its results on standard error: standard output belongs to the
// program that called.
func (g *application) toStderr() *application {
	inside := *g
	inside.out = g.out.ToStderr()
	return &inside
}

// written is code, unless the result of cmd could not be written: then that is
// the failure, but for verbs that submit, whose code says the outcome of the mail.
func (g *application) written(cmd *cobra.Command, code int) int {
	switch {
	case g.out.Unwritten() == nil:
		return code
	case code != exit.OK || cmd.Name() == verbOf(cmd).submits:
		g.out.Warningf("writing to standard output: %v", g.out.Unwritten())
		return code
	}
	g.out.Errorf("writing to standard output: %v", g.out.Unwritten())
	return exit.IO
}
