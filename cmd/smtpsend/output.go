package main

import (
	"bytes"
	"encoding/json"
	"fmt"
	"strings"

	"github.com/spf13/cobra"
)

// schemaVersion is the version of every JSON object that smtpsend prints. It
// grows when a member changes its meaning or goes; new members do not count.
const schemaVersion = 1

// printf writes a result to standard output.
func (g *globals) printf(format string, args ...any) { fmt.Fprintf(results{g}, format, args...) }

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
	g.printf("%s%s\n", head, escaped(string(body[1:])))
}

// escaped is JSON with what steers a terminal written as JSON has it in ASCII,
// which encoding/json does for a part of it only. All of it is within strings,
// but for the line ends.
func escaped(body string) string {
	var b strings.Builder
	for _, r := range body {
		if steers(r) && r != '\n' {
			fmt.Fprintf(&b, `\u%04x`, r)
		} else {
			b.WriteRune(r)
		}
	}
	return b.String()
}
