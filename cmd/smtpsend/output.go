package main

import (
	"bytes"
	"encoding/json"
	"fmt"
)

// schemaVersion is the version of every JSON object that smtpsend prints. It
// grows when a member changes its meaning or goes; new members do not count.
const schemaVersion = 1

// printf writes a result to standard output.
func (g *globals) printf(format string, args ...any) { fmt.Fprintf(g.stdout, format, args...) }

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
	g.printf("%s%s\n", head, body[1:])
}
