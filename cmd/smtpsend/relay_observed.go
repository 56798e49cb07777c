package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/account"
	"github.com/smtpsend/smtpsend/internal/address"
	"github.com/smtpsend/smtpsend/internal/config"
	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/relay/observation"
	"github.com/smtpsend/smtpsend/internal/relay/relayfile"
	"github.com/smtpsend/smtpsend/internal/usage"
	"github.com/smtpsend/smtpsend/internal/view/relayview"
)

// observedFile is what the learning mode keeps, in the relay's directory.
const observedFile = "observed.json"

func newRelayObserved(g *application) *cobra.Command {
	var forget bool
	var mailbox string
	cmd := &cobra.Command{
		Use:   "observed",
		Short: "Show whom the learning mode of the relay has seen, and the settings file that admits them",
		Long: `Show whom "smtpsend relay --observe" has seen, as comments, and after it the settings
file that admits exactly these, with the entries of the file in use, if there is one.
Several runs add up, until --forget. A session is counted when it is over.`,
		Example: `  smtpsend relay observed > new.yaml && smtpsend relay check new.yaml`,
		Args:    usage.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return runRelayObserved(cmd.Context(), g, mailbox, forget)
		},
	}
	cmd.Flags().StringVar(&mailbox, "mailbox", "", "the mailbox `ADDRESS` submits mail that has no sender (default: the one of the settings)")
	cmd.Flags().BoolVar(&forget, "forget", false, "forget all, while no relay learns")
	return cmd
}

func runRelayObserved(ctx context.Context, g *application, mailbox string, forget bool) error {
	cfg, err := g.settings(ctx, true)
	if err != nil {
		return err
	}
	o := observation.ProposeOptions{}
	if mailbox != "" {
		if o.Mailbox, err = address.Parse("--mailbox", mailbox); err != nil {
			return exit.With(exit.Usage, err)
		}
	}
	path, err := relayDir(ctx, g, observedFile)
	if err != nil {
		return err
	}
	if forget {
		err = observation.Forget(path)
		switch {
		case errors.Is(err, observation.ErrLearning):
			return exit.With(exit.TryAgain, err)
		case err != nil:
			return exit.With(exit.IO, err)
		}
		return nil
	}
	return showObserved(ctx, g, cfg, path, o)
}

// showObserved shows what the file has, and what follows from it.
func showObserved(ctx context.Context, g *application, cfg *config.Config, path string, o observation.ProposeOptions) (err error) {
	if o.Mailbox.IsZero() {
		o.Mailbox, _ = account.Mailbox(cfg, "", "") // else a note says that one is needed
	}
	if cfg.RelayFile != "" {
		if o.File, err = relayfile.Read(ctx, cfg.RelayFile); err != nil {
			return exit.With(exit.Config, err)
		}
	}
	seen, err := observation.Read(ctx, path)
	if err != nil {
		return exit.With(exit.IO, err)
	}
	p, err := observation.Propose(seen, o)
	if err != nil {
		return exit.With(exit.Bug, err)
	}
	g.show(relayview.NewObserved(seen, p))
	return nil
}
