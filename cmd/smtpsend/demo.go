package main

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"path/filepath"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/draft"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/ownfile"
	"github.com/smtpsend/smtpsend/internal/sandbox"
)

func newDemo(g *application) *cobra.Command {
	return &cobra.Command{
		Use:     "demo",
		GroupID: groupTry,
		Short:   "Submit a message to the sandbox, in this process, and show what arrived",
		Long: `Start the sandbox in this process and submit a message with an HTML body and an
attachment to it, by every step: token by HTTPS, STARTTLS, XOAUTH2, DATA. Show the
receipt and the message as the server stored it. Needs no settings and no network.`,
		Args: noArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return runDemo(cmd.Context(), g) },
	}
}

const (
	demoText = "Grüße aus dem Sandkasten.\n\nThis went through a token request, STARTTLS, XOAUTH2 and DATA.\n"
	demoHTML = "<p>Grüße aus dem <b>Sandkasten</b>.</p><p>This went through a token request, STARTTLS, XOAUTH2 and DATA.</p>\n"
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
	box, err := sandbox.Start(ctx, sandbox.Options{Logger: g.Logger()})
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
		g.Printf("submitted to the sandbox (SMTP at %s, tokens from %s):\n\n", box.SMTPAddr(), box.URL())
	}
	if err := runSend(ctx, here, &s); err != nil {
		g.Text(receipt.String())
		return err
	}
	return showArrived(g, box, receipt.Bytes())
}

// arrived is a message as the sandbox stored it.
type arrived struct {
	ID  string `json:"id"`
	Raw string `json:"raw"`
}

// showArrived prints the messages in the sandbox, in JSON beside the receipt.
func showArrived(g *application, box *sandbox.Sandbox, receipt json.RawMessage) error {
	var all []arrived
	for _, m := range box.Messages() {
		raw, ok := box.Raw(m.ID)
		if !ok {
			return fmt.Errorf("message %s is gone from the sandbox", m.ID)
		}
		all = append(all, arrived{m.ID, string(raw)})
	}
	if g.json {
		g.JSON(map[string]any{"exit_code": 0, "smtp": box.SMTPAddr(), "url": box.URL(), "receipt": receipt, "arrived": all})
		return nil
	}
	for _, m := range all {
		g.Printf("\narrived in the sandbox as message %s:\n\n", m.ID)
		g.Text(m.Raw + "\n")
	}
	return nil
}
