package main

import (
	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/relay/relayfile"
	"github.com/smtpsend/smtpsend/internal/usage"
)

func newRelayExample(g *application) *cobra.Command {
	return &cobra.Command{
		Use:   "example",
		Short: "Print a settings file of the relay with every key, and a comment for each",
		Args:  usage.NoArguments,
		RunE: func(*cobra.Command, []string) error {
			g.out.Exactly(relayfile.Example())
			return nil
		},
	}
}
