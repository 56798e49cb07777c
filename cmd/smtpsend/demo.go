package main

import (
	"bytes"
	"context"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/draft"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/sandbox"
	"github.com/smtpsend/smtpsend/internal/usage"
	"github.com/smtpsend/smtpsend/internal/view"
)

func newDemo(g *application) *cobra.Command {
	return &cobra.Command{
		Use:     "demo",
		GroupID: groupTry,
		Short:   "Submit a message to the sandbox, in this process, and show what arrived",
		Long: `Start the sandbox in this process and submit a message with an HTML body and an
attachment to it. The message takes every step: token by HTTPS, STARTTLS, XOAUTH2,
content. demo shows the receipt and the message as the server stored it. It needs no
settings and no network.`,
		Args: usage.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return runDemo(cmd.Context(), g) },
	}
}

const (
	demoText = "Grüße aus dem Sandkasten.\n\nThis message needed a token request, STARTTLS and XOAUTH2.\n"
	demoHTML = "<p>Grüße aus dem <b>Sandkasten</b>.</p><p>This message needed a token request, STARTTLS and XOAUTH2.</p>\n"
	demoCSV  = "build;result\n4711;passed\n4712;passed\n"
)

// runDemo is "smtpsend sandbox" and "smtpsend send" in one process.
func runDemo(ctx context.Context, g *application) error {
	dir, err := ownfile.MakeTempDir("smtpsend-demo-")
	if err != nil {
		return exit.With(exit.CannotCreate, err)
	}
	defer os.RemoveAll(dir)
	attachment := filepath.Join(dir, "übersicht.csv")
	if err := ownfile.Replace(attachment, []byte(demoCSV), 0o600); err != nil {
		return exit.With(exit.CannotCreate, err)
	}
	box, err := sandbox.Start(ctx, sandbox.Options{Logger: g.out.Logger()})
	if err != nil {
		return err
	}
	defer box.Close()
	settings := filepath.Join(dir, "demo.env")
	if err := box.WriteEnv(settings); err != nil {
		return exit.With(exit.CannotCreate, err)
	}
	var receipt bytes.Buffer
	var results io.Writer
	if g.json { // one object in all
		results = &receipt
	}
	here := g.within([]string{"SMTPSEND_CACHE_DIR=" + dir}, results)
	here.envFile = settings
	given := map[string]bool{"text": true, "html": true}
	s := sendFlags{Options: draft.Options{
		To: []string{"Ada Lovelace <ada@contoso.example>"}, Cc: []string{"team@contoso.example"},
		Subject: "Bericht: alles grün ✓", Text: demoText, HTML: demoHTML, Attach: []string{attachment},
		Given: func(field string) bool { return given[field] }, Name: flagName,
	}}
	if !g.json {
		g.out.Printf("submitted to the sandbox (SMTP at %s, tokens from %s):\n\n", box.SMTPAddr(), box.URL())
	}
	if err := runSend(ctx, here, &s); err != nil {
		g.out.Text(receipt.String())
		return err
	}
	shown, err := view.NewDemo(box, receipt.Bytes())
	if err != nil {
		return err
	}
	g.show(shown)
	return nil
}
