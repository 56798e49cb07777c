package main

import (
	"context"
	"io"
	"strings"
	"testing"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
)

// TestCommandsOfTheCatalogueExist: what a fix tells people to run with smtpsend
// is a verb that there is, with flags that it has.
func TestCommandsOfTheCatalogueExist(t *testing.T) {
	seen := 0
	for _, e := range diagnosis.Entries() {
		for _, fix := range e.Fixes {
			for _, command := range fix.Commands {
				words := strings.Fields(command)
				if len(words) == 0 || words[0] != "smtpsend" {
					continue
				}
				seen++
				if why := unknownCommand(words[1:]); why != "" {
					t.Errorf("%s: %q: %s", e.Code, command, why)
				}
			}
		}
	}
	if seen < 10 {
		t.Errorf("only %d commands seen", seen)
	}
}

// unknownCommand returns why a command line is none of smtpsend's, or "".
func unknownCommand(words []string) string {
	root, _ := newRoot(&process{stdin: strings.NewReader(""), stdout: io.Discard, stderr: io.Discard}, nil)
	root.SetContext(context.Background())
	root.InitDefaultHelpFlag() // as Execute does: it brings the global flags together
	cmd, rest, err := root.Traverse(words)
	if err != nil {
		return err.Error()
	}
	if cmd == root {
		return "no verb"
	}
	if cmd.DisableFlagParsing {
		return ""
	}
	for i, word := range rest {
		if word == ">" || word == "<" {
			rest = rest[:i] // the shell's
			break
		}
	}
	if err := cmd.ParseFlags(rest); err != nil {
		return err.Error()
	}
	return ""
}
