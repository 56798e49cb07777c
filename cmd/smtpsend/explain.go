package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/bearer"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/lazyregexp"
	"github.com/smtpsend/smtpsend/internal/limits"
	"github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/stdio"
	"github.com/smtpsend/smtpsend/internal/until"
)

func newExplain(g *globals) *cobra.Command {
	var list bool
	cmd := &cobra.Command{
		Use:     "explain [TEXT...|FILE|-|CODE]",
		GroupID: groupExplain,
		Short:   "Say what an error of Exchange Online or Entra ID means and how to fix it, offline",
		Long: `Say what an error of Exchange Online or Entra ID means and how to fix it. The
text may come from any program, with all that stands around it: give it as
arguments, as a file, or as - (or nothing) on standard input. Nothing is sent
anywhere. Ids and mailbox in the commands come from the settings, where there are
any. What is not an error of Exchange or Entra is not recognised, rather than guessed.

A code from smtpsend's own output is explained in full; --list shows them all.

Exit codes: 0 something was recognised; 64 usage; 65 nothing was recognised;
66 the file cannot be read.`,
		Example: `  smtpsend explain "535 5.7.3 Authentication unsuccessful"
  journalctl -u postfix --since today | smtpsend explain -
  smtpsend explain auth-unsuccessful`,
		RunE: func(cmd *cobra.Command, args []string) error {
			if list {
				return runExplainList(g, args)
			}
			return runExplain(cmd.Context(), g, args)
		},
	}
	cmd.Flags().BoolVar(&list, "list", false, "list the codes of all failures that are known")
	cmd.SetFlagErrorFunc(func(*cobra.Command, error) error { // which repeats the argument, and that may be a password
		return exit.Usagef("a word of the text begins with a hyphen and is taken for a flag: put -- before the text, or give it on standard input")
	})
	return cmd
}

func runExplain(ctx context.Context, g *globals, args []string) error {
	text, err := pasted(ctx, g, args)
	if err != nil {
		return err
	}
	known := g.offlineFacts(ctx)
	findings, err := until.Do(ctx, func() ([]diagnosis.Finding, error) { return diagnosis.Explain(text, known), nil })
	if err != nil {
		return err
	}
	if g.json {
		g.JSON(newExplainView(findings))
	} else {
		g.printExplained(findings)
	}
	if len(findings) == 0 {
		return &exit.Error{Code: exit.Data, Err: errors.New("not recognised"), Shown: true}
	}
	return nil
}

// pasted is the text to explain: of standard input, of a file, or the arguments
// themselves, which need no quotes then.
func pasted(ctx context.Context, g *globals, args []string) (string, error) {
	switch {
	case len(args) == 0 && stdio.IsTerminal(g.stdin):
		return "", exit.Usagef("nothing to explain: give a text, a file, a code, or - for standard input")
	case len(args) == 0, len(args) == 1 && args[0] == "-":
		return readPaste(g.stdin)
	case len(args) == 1:
		info, err := os.Stat(args[0])
		switch {
		case err == nil && info.IsDir():
			return "", exit.With(exit.NoInput, fmt.Errorf("%s is a directory", args[0]))
		case errors.Is(err, fs.ErrNotExist) && fileName().MatchString(args[0]):
			return "", exit.With(exit.NoInput, errors.New("the argument looks like the name of a file, and there is no such file; - reads the text from standard input"))
		case err == nil: // a pipe of the shell's <(command) too
			f, err := ownfile.OpenContext(ctx, args[0])
			if ctx.Err() != nil {
				return "", context.Cause(ctx)
			}
			if err != nil {
				return "", exit.With(exit.NoInput, err)
			}
			defer f.Close()
			return readPaste(f)
		}
	}
	return strings.Join(args, " "), nil
}

// fileName is what nobody would paste as an error.
var fileName = lazyregexp.New(`^[^\s:]*(?:/|\.(?:log|txt|eml|json|out|err)$)[^\s:]*$`)

// readPaste reads a text to its end. Of a longer one, such as a log, diagnosis
// looks at beginning and end, so that no more of it is kept.
func readPaste(r io.Reader) (string, error) {
	var kept edges
	if _, err := io.Copy(&kept, io.LimitReader(r, limits.PasteRead)); errors.Is(err, context.Canceled) {
		return "", err
	} else if err != nil {
		return "", exit.With(exit.NoInput, fmt.Errorf("reading the text: %w", err))
	}
	return kept.String(), nil
}

// edges keeps the first and the last half of what diagnosis looks at.
type edges struct {
	first, last []byte
	at          int  // where last goes on, once it is full
	full        bool // last has been written over
}

const half = diagnosis.MaxPaste / 2

func (e *edges) Write(p []byte) (int, error) {
	n := min(half-len(e.first), len(p))
	e.first = append(e.first, p[:n]...)
	for rest := p[n:]; len(rest) > 0; {
		if len(e.last) < half {
			n := min(half-len(e.last), len(rest))
			e.last, rest = append(e.last, rest[:n]...), rest[n:]
			continue
		}
		n := copy(e.last[e.at:], rest)
		e.at, rest, e.full = (e.at+n)%half, rest[n:], true
	}
	return len(p), nil
}

// String is the text, with a line end for what is missing.
func (e *edges) String() string {
	if !e.full {
		return string(e.first) + string(e.last)
	}
	return string(e.first) + "\n" + string(e.last[e.at:]) + string(e.last[:e.at])
}

// offlineFacts are the ids and the mailbox of the settings as far as they can be
// read; nothing of them is needed.
func (g *globals) offlineFacts(ctx context.Context) diagnosis.Facts {
	cfg := g.settingsButSecrets(ctx)
	mailbox := cfg.SMTPUserName
	if a, err := message.ParseAddress("mailbox", cfg.MailSender); mailbox == "" && err == nil {
		mailbox = a.Addr()
	}
	known, _ := facts(cfg, mailbox, "", bearer.Token{})
	return known
}

// explainView is what --json prints: the root cause in front, and all findings.
type explainView struct {
	Code      string              `json:"code"` // of the first finding, "unknown" when there is none
	Class     diagnosis.Class     `json:"class,omitempty"`
	Transient bool                `json:"transient"`
	Title     string              `json:"title,omitempty"`
	Cause     string              `json:"cause,omitempty"`
	Fixes     []diagnosis.Fix     `json:"fixes"`
	Matched   []string            `json:"matched"`
	Findings  []diagnosis.Finding `json:"findings"`
	ExitCode  int                 `json:"exit_code"`
}

func newExplainView(findings []diagnosis.Finding) explainView {
	if len(findings) == 0 {
		return explainView{
			Code: "unknown", Fixes: []diagnosis.Fix{}, Matched: []string{}, Findings: []diagnosis.Finding{}, ExitCode: exit.Data,
		}
	}
	f := findings[0]
	return explainView{
		Code: f.Code, Class: f.Class, Transient: f.Transient(), Title: f.Title, Cause: f.Cause,
		Fixes: append([]diagnosis.Fix{}, f.Fixes...), Matched: append([]string{}, f.Matched...), Findings: findings,
	}
}

func (g *globals) printExplained(findings []diagnosis.Finding) {
	if len(findings) == 0 {
		g.Text("not recognised\n\n" + wrapped("No error of Exchange Online or Entra ID is in this text, as far as smtpsend knows. "+
			"Paste more of it: the line with the number (such as 535 5.7.3, 5.2.252 or AADSTS7000215) and the words after it. "+
			"Other mail servers use some of the same numbers with another meaning, so they are not guessed at.", "  "))
		return
	}
	for i, f := range findings {
		if i > 0 {
			g.Printf("\n")
		}
		if len(findings) > 1 {
			g.Printf("%d of %d\n", i+1, len(findings))
		}
		g.printFinding(f)
	}
}

func runExplainList(g *globals, args []string) error {
	if len(args) > 0 {
		return exit.Usagef("--list takes no argument")
	}
	entries := diagnosis.Entries()
	if g.json {
		type item struct {
			Code  string          `json:"code"`
			Class diagnosis.Class `json:"class"`
			Title string          `json:"title"`
		}
		var items []item
		for _, e := range entries {
			items = append(items, item{e.Code, e.Class, e.Title})
		}
		g.JSON(map[string]any{"entries": items, "exit_code": exit.OK})
		return nil
	}
	width := 0
	for _, e := range entries {
		width = max(width, len(e.Code))
	}
	for _, e := range entries {
		g.Printf("%-*s  %-13s  %s\n", width, e.Code, e.Class, e.Title)
	}
	return nil
}
