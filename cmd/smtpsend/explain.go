package main

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/lazyregexp"
	"github.com/smtpsend/smtpsend/internal/message"
	"github.com/smtpsend/smtpsend/internal/submission"
)

func newExplain(g *globals) *cobra.Command {
	var list bool
	cmd := &cobra.Command{
		Use:     "explain [TEXT...|FILE|-|CODE]",
		GroupID: groupExplain,
		Short:   "Say what an error of Exchange Online or Entra ID means and how to mend it, offline",
		Long: `Say what an error of Exchange Online or Entra ID means and how to mend it. The
text may come from any program, with all that stands around it: give it as
arguments, as a file, or as - (or nothing) on standard input. Nothing is sent
anywhere. Ids and mailbox in the commands come from the settings, where there are
any. What is no error of Exchange or Entra is not recognised, rather than guessed.

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
	return cmd
}

func runExplain(ctx context.Context, g *globals, args []string) error {
	text, err := pasted(g, args)
	if err != nil {
		return err
	}
	findings := diagnosis.Explain(text, g.offlineFacts(ctx))
	if g.json {
		g.printJSON(newExplainView(findings))
	} else {
		g.printExplained(findings)
	}
	if len(findings) == 0 {
		return &exitError{code: exitData, err: errors.New("not recognised"), shown: true}
	}
	return nil
}

// pasted is the text to explain: of standard input, of a file, or the arguments
// themselves, which need no quotes then.
func pasted(g *globals, args []string) (string, error) {
	switch {
	case len(args) == 0 && isTerminal(g.stdin):
		return "", usagef("nothing to explain: give a text, a file, a code, or - for standard input")
	case len(args) == 0, len(args) == 1 && args[0] == "-":
		return readPaste(g.stdin)
	case len(args) == 1:
		info, err := os.Stat(args[0])
		switch {
		case err == nil && info.IsDir():
			return "", withCode(exitNoInput, fmt.Errorf("%s is a directory", args[0]))
		case err != nil && fileName().MatchString(args[0]):
			return "", withCode(exitNoInput, err)
		case err == nil: // a pipe of the shell's <(command) too
			f, err := os.Open(args[0])
			if err != nil {
				return "", withCode(exitNoInput, err)
			}
			defer f.Close()
			return readPaste(f)
		}
	}
	return strings.Join(args, " "), nil
}

// fileName is what nobody would paste as an error.
var fileName = lazyregexp.New(`^[^\s:]*(?:/|\.(?:log|txt|eml|json|out|err)$)[^\s:]*$`)

// maxPaste is how much is read. Of a longer text, such as a log, diagnosis
// looks at beginning and end.
const maxPaste = 64 << 20

func readPaste(r io.Reader) (string, error) {
	data, err := io.ReadAll(io.LimitReader(r, maxPaste))
	if err != nil {
		return "", withCode(exitNoInput, fmt.Errorf("reading the text: %w", err))
	}
	return string(data), nil
}

// offlineFacts are the ids and the mailbox of the settings as far as they can be
// read; nothing of them is needed.
func (g *globals) offlineFacts(ctx context.Context) diagnosis.Facts {
	cfg := g.settingsButSecrets(ctx)
	mailbox := cfg.SMTPUserName
	if a, err := message.ParseAddress("mailbox", cfg.MailSender); mailbox == "" && err == nil {
		mailbox = a.Addr()
	}
	known, _ := facts(cfg, mailbox, "", submission.Token{})
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
			Code: "unknown", Fixes: []diagnosis.Fix{}, Matched: []string{}, Findings: []diagnosis.Finding{}, ExitCode: exitData,
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
		g.printText("not recognised\n\n" + wrapped("No error of Exchange Online or Entra ID is in this text, as far as smtpsend knows. "+
			"Paste more of it: the line with the number (such as 535 5.7.3, 5.2.252 or AADSTS7000215) and the words behind it. "+
			"Other mail servers use some of the same numbers with another meaning, so they are not guessed at.", "  "))
		return
	}
	for i, f := range findings {
		if i > 0 {
			g.printf("\n")
		}
		if len(findings) > 1 {
			g.printf("%d of %d\n", i+1, len(findings))
		}
		g.printFinding(f)
	}
}

func runExplainList(g *globals, args []string) error {
	if len(args) > 0 {
		return usagef("--list takes no argument, got %q", args[0])
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
		g.printJSON(map[string]any{"entries": items, "exit_code": exitOK})
		return nil
	}
	width := 0
	for _, e := range entries {
		width = max(width, len(e.Code))
	}
	for _, e := range entries {
		g.printf("%-*s  %-13s  %s\n", width, e.Code, e.Class, e.Title)
	}
	return nil
}
