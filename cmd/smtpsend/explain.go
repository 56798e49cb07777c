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

	"github.com/smtpsend/smtpsend/internal/account"
	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/diagnosis"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/lazyregexp"
	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/paste"
	"github.com/smtpsend/smtpsend/internal/stdio"
	"github.com/smtpsend/smtpsend/internal/textfile"
	"github.com/smtpsend/smtpsend/internal/until"
	"github.com/smtpsend/smtpsend/internal/view"
)

func newExplain(g *application) *cobra.Command {
	var list bool
	cmd := &cobra.Command{
		Use:     "explain [TEXT...|FILE|-|CODE]",
		GroupID: groupExplain,
		Short:   "Say what an error of Exchange Online or Entra ID means and how to fix it, offline",
		Long: `Say what an error of Exchange Online or Entra ID means and how to fix it. The text
may come from any program, with other text around it. Give it as arguments, as a
file, or on standard input with - or no argument. Nothing is sent anywhere. If there
are settings, the commands contain your ids and your mailbox. An error of another
service is not recognised: explain does not guess.

You can also give a code from smtpsend's own output; --list shows all codes.

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
	cmd.Flags().BoolVar(&list, "list", false, "list the codes of all known failures")
	cmd.SetFlagErrorFunc(func(*cobra.Command, error) error { // which repeats the argument, and that may be a password
		return exit.Usagef("a word of the text begins with a hyphen and is read as a flag: put -- before the text, or give it on standard input")
	})
	return cmd
}

func runExplain(ctx context.Context, g *application, args []string) error {
	text, err := pasted(ctx, g, args)
	if err != nil {
		return err
	}
	known := offlineFacts(ctx, g)
	findings, err := until.Do(ctx, func() ([]diagnosis.Finding, error) { return paste.Explain(text, known), nil })
	if err != nil {
		return err
	}
	explained := view.NewExplained(findings)
	g.show(explained)
	return exit.Told(explained.ExitCode, errors.New("not recognised"))
}

// pasted is the text to explain: of standard input, of a file, or the arguments
// themselves, which need no quotes then.
func pasted(ctx context.Context, g *application, args []string) (string, error) {
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
		case errors.Is(err, fs.ErrNotExist) && fileName.Get().MatchString(args[0]):
			return "", exit.With(exit.NoInput, errors.New("the argument looks like a file name, and that file does not exist; - reads the text from standard input"))
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

// fileName is what no one would paste as an error.
var fileName = lazyregexp.New(`^[^\s:]*(?:/|\.(?:log|txt|eml|json|out|err)$)[^\s:]*$`)

// readPaste reads a text to its end; diagnosis looks at beginning and end of a longer
// one.
func readPaste(r io.Reader) (string, error) {
	text, err := textfile.ReadEdges(r, paste.MaxText)
	if err != nil && !errors.Is(err, context.Canceled) {
		err = exit.With(exit.NoInput, fmt.Errorf("reading the text: %w", err))
	}
	return text, err
}

// offlineFacts are the ids and the mailbox of the settings as far as they can be
// read; nothing of them is needed.
func offlineFacts(ctx context.Context, g *application) diagnosis.Facts {
	cfg := g.settingsButSecrets(ctx)
	mailbox := cfg.SMTPUserName
	if a, err := address.Parse("mailbox", cfg.MailSender); mailbox == "" && err == nil {
		mailbox = a.Addr()
	}
	return account.Facts(cfg, mailbox, "")
}

func runExplainList(g *application, args []string) error {
	if len(args) > 0 {
		return exit.Usagef("--list takes no argument")
	}
	g.show(view.NewCatalogue(diagnosis.Entries()))
	return nil
}
