package main

import (
	"context"
	"errors"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/relay/relayfile"
	"github.com/smtpsend/smtpsend/internal/relay/users"
	"github.com/smtpsend/smtpsend/internal/usage"
	"github.com/smtpsend/smtpsend/internal/view/relayview"
)

func newRelayUser(g *application) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "user",
		Short: "Add, list and remove the names and passwords that devices sign in to the relay with",
		Long: `Add, list and remove the names and passwords that devices sign in to the relay with. They
are in the users file that the relay's settings file names, as hashes; --file names
another one. A relay that runs takes a change within a second.`,
		Args: usage.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() },
	}
	var file string
	var generate bool
	cmd.PersistentFlags().StringVar(&file, "file", "", "users `FILE`, in place of that of the settings")
	add := &cobra.Command{
		Use:   "add NAME",
		Short: "Add a user, or give it another password, which is read from the terminal or from standard input",
		Args:  usage.One("one name"),
		RunE: func(cmd *cobra.Command, args []string) error {
			return runRelayUserAdd(cmd.Context(), g, file, args[0], generate)
		},
	}
	add.Flags().BoolVar(&generate, "generate", false, "make a password that can be typed at a device, and print it")
	cmd.AddCommand(add, &cobra.Command{
		Use:   "ls",
		Short: "List the users",
		Args:  usage.NoArguments,
		RunE:  func(cmd *cobra.Command, _ []string) error { return runRelayUserLs(cmd.Context(), g, file) },
	}, &cobra.Command{
		Use:   "rm NAME",
		Short: "Remove a user",
		Args:  usage.One("one name"),
		RunE:  func(cmd *cobra.Command, args []string) error { return runRelayUserRm(cmd.Context(), g, file, args[0]) },
	})
	return cmd
}

// usersFile is the file that is given, or that of the relay's settings, which are in the
// file settings.
func (g *application) usersFile(ctx context.Context, given string) (file, settings string, err error) {
	if given != "" {
		return given, "", nil
	}
	name := g.settingsButSecrets(ctx).RelayFile
	if name == "" {
		return "", "", exit.With(exit.Config, errNoRelayFile)
	}
	f, err := relayfile.Read(ctx, name)
	if err != nil {
		return "", "", exit.With(exit.Config, err)
	}
	if f.UsersFile == "" {
		return "", "", exit.With(exit.Config, errors.New(name+" has no users_file"))
	}
	return f.UsersFile, name, nil
}

func runRelayUserAdd(ctx context.Context, g *application, given, name string, generate bool) error {
	file, settings, err := g.usersFile(ctx, given)
	if err != nil {
		return err
	}
	done := relayview.User{File: file, Name: name, Outcome: "added"}
	if err := users.CheckName(name); err != nil {
		return exit.Usagef("the name %v", err)
	}
	var password string
	if generate {
		password = users.Generate()
		done.Password = password
	} else {
		typed, err := readSecret(g, "password", "password")
		if err != nil {
			return err
		}
		password = typed.Reveal()
	}
	if err := users.CheckPassword(password); err != nil {
		return exit.With(exit.Data, errors.New("the password "+err.Error()))
	}
	if warning := users.NameWarning(name); warning != "" {
		g.out.Warningf("%s", warning)
	}
	replaced, err := users.Add(ctx, file, settings, name, password)
	if err != nil {
		return exit.With(exit.CannotCreate, err)
	}
	if replaced {
		done.Outcome = "replaced"
	}
	g.show(done)
	return nil
}

func runRelayUserLs(ctx context.Context, g *application, given string) error {
	file, _, err := g.usersFile(ctx, given)
	if err != nil {
		return err
	}
	list, warnings, err := users.List(ctx, file)
	if err != nil {
		return exit.With(exit.Config, err)
	}
	for _, w := range warnings {
		g.out.Warningf("%s: %s", file, w)
	}
	g.show(relayview.NewUsers(file, list))
	return nil
}

func runRelayUserRm(ctx context.Context, g *application, given, name string) error {
	file, _, err := g.usersFile(ctx, given)
	if err != nil {
		return err
	}
	switch err := users.Remove(ctx, file, name); {
	case errors.Is(err, users.ErrUnknown):
		return exit.With(exit.NoInput, err)
	case err != nil:
		return exit.With(exit.CannotCreate, err)
	}
	g.show(relayview.User{File: file, Name: name, Outcome: "removed"})
	return nil
}
