package main

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"

	"github.com/spf13/cobra"
	"golang.org/x/term"

	"github.com/smtpsend/smtpsend/internal/printable"
)

// schemaVersion is the version of every JSON object that smtpsend prints. It
// grows when a member changes its meaning or goes; new members do not count.
const schemaVersion = 1

// This file and report.go alone write to the streams of the process: this one
// results, report.go what people are told on standard error. What comes from
// elsewhere goes through internal/printable on its way, so that no other file
// can forget it.

// printf writes a result to standard output. The line ends are those of format:
// one in an argument becomes a blank, and what steers a terminal is escaped.
func (g *globals) printf(format string, args ...any) {
	if false {
		_ = fmt.Sprintf(format, args...) // by which go vet knows that this is a printf
	}
	fmt.Fprintf(results{g}, format, printable.Args(args)...)
}

// printText writes a text of several lines to standard output, which keeps its
// line ends and nothing else that steers a terminal.
func (g *globals) printText(text string) { _, _ = io.WriteString(results{g}, printable.Text(text)) }

// printExactly writes to standard output what a program or a file gets octet by
// octet, such as a token. A terminal gets it as printText has it.
func (g *globals) printExactly(text string) {
	if isTerminal(g.stdout) {
		text = printable.Text(text)
	}
	_, _ = io.WriteString(results{g}, text)
}

// copyExactly is printExactly for a stream.
func (g *globals) copyExactly(from io.Reader) error {
	if !isTerminal(g.stdout) {
		_, err := io.Copy(g.stdout, from)
		return err
	}
	shown := printable.NewWriter(g.stdout)
	_, err := io.Copy(shown, from)
	return errors.Join(err, shown.Flush())
}

// help is standard output for what cobra writes, which repeats arguments.
func (g *globals) help() io.Writer { return printable.NewWriter(results{g}) }

// replies is standard output for the server of sendmail -bs.
func (g *globals) replies() io.Writer { return printable.NewSMTPWriter(g.stdout) }

// outputWidth is the width of the terminal that standard output is, 0 when it is
// none.
func (g *globals) outputWidth() int {
	f, ok := terminal(g.stdout)
	if !ok {
		return 0
	}
	width, _, err := term.GetSize(int(f.Fd()))
	if err != nil {
		return 0
	}
	return width
}

// within is g in another environment, with its results in out unless that is nil.
func (g *globals) within(environ []string, out io.Writer) *globals {
	p, inside := *g.process, *g
	p.environ = environ
	if out != nil {
		p.stdout = out
	}
	inside.process = &p
	return &inside
}

// toStderr is g with its results on standard error: standard output belongs to
// the program that called.
func (g *globals) toStderr() *globals { return g.within(g.environ, g.stderr) }

// results is standard output, which may be full: the first error counts, and the
// verb goes on, because a message must not depend on its receipt.
type results struct{ g *globals }

func (r results) Write(p []byte) (int, error) {
	n, err := r.g.stdout.Write(p)
	if err != nil && *r.g.unwritten == nil {
		*r.g.unwritten = err
	}
	return n, err
}

// written is code, unless the result of cmd could not be written: then that is
// the failure, but for verbs that submit, whose code says what became of mail.
func (g *globals) written(cmd *cobra.Command, code int) int {
	switch {
	case *g.unwritten == nil:
		return code
	case code != exitOK || submits(cmd):
		g.warningf("writing to standard output: %v", *g.unwritten)
		return code
	}
	g.errorf("writing to standard output: %v", *g.unwritten)
	return exitIO
}

// submits reports whether cmd is of a verb that submits mail: of queue, run
// alone.
func submits(cmd *cobra.Command) bool {
	verb := cmd
	for verb.HasParent() && verb.Parent().HasParent() {
		verb = verb.Parent()
	}
	if verb.Name() == "queue" {
		return cmd.Name() == "run"
	}
	return verb.GroupID == groupSubmit && verb.Name() != "token"
}

// printJSON writes an object with the schema version in front.
func (g *globals) printJSON(object any) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false) // people read it too: addresses and placeholders stand in <>
	if err := e.Encode(object); err != nil {
		g.errorf("encoding JSON: %v", err)
		return
	}
	body := bytes.TrimSpace(b.Bytes())
	head := fmt.Sprintf("{\n  \"schema_version\": %d", schemaVersion)
	if len(body) > 2 {
		head += ","
	}
	_, _ = io.WriteString(results{g}, head+printable.JSON(string(body[1:]))+"\n")
}
