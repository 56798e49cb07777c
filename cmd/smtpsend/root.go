package main

import (
	"sync"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/owner"
	"github.com/smtpsend/smtpsend/internal/stdio"
	"github.com/smtpsend/smtpsend/internal/usage"
	"github.com/smtpsend/smtpsend/internal/zone"
)

// application is what every verb has: the flags that all share, the process, and the
// printer. What one verb alone needs is a function in the file of that verb.
type application struct {
	*process
	out     *stdio.Printer // writes to people and programs
	envFile string
	profile string
	json    bool
	trace   bool
	timeout time.Duration

	timeoutGiven bool // by a flag: the outbox has a longer limit of its own

	stdinFor   string // what of a message standard input is for, "" when nothing
	stdinTwice bool   // and a secret was to come from there as well

	silentCommands bool // what a secret's command says is not for whoever called
	daily          bool // what is true for days is said once a day, as the cache directory remembers it
	became         *owner.User
	said           *sync.Map // warnings that were given
	warn           func(string)
}

// The groups in which help lists the verbs.
const (
	groupSubmit  = "submit"
	groupExplain = "explain"
	groupSetUp   = "setup"
	groupTry     = "try"
)

// newRoot makes the command that args are for, with all verbs unless args begin with
// one.
func newRoot(p *process, args []string) (*cobra.Command, *application) {
	var askedVersion bool
	g := &application{process: p, out: p.printer(), became: new(owner.User), said: new(sync.Map)}
	g.warn = func(text string) { g.out.Warningf("%s", text) }
	root := &cobra.Command{
		Use:   "smtpsend",
		Short: "Submit mail to Exchange Online by SMTP with OAuth 2, without Microsoft Graph",
		Long: `smtpsend submits mail to Exchange Online by SMTP with OAuth 2 (XOAUTH2), without
Microsoft Graph. It fetches a token with client credentials, connects to
smtp.office365.com:587 with STARTTLS and submits as a mailbox.

` + exit.Help,
		SilenceErrors:    true,
		SilenceUsage:     true,
		TraverseChildren: true,
		Args:             usage.NoArguments,
		RunE: func(cmd *cobra.Command, _ []string) error {
			if askedVersion {
				return runVersion(g)
			}
			return cmd.Help()
		},
		PersistentPreRunE: func(cmd *cobra.Command, _ []string) error {
			g.timeoutGiven = cmd.Flags().Changed("timeout")
			if g.timeout <= 0 {
				return exit.Usagef("--timeout must be positive, got %v", g.timeout)
			}
			if err := zone.Trouble(); err != nil && verbOf(cmd).tellsTime {
				g.out.Warningf("%v: times are in UTC", err)
			}
			return nil
		},
	}
	root.SetIn(p.stdin)
	root.SetOut(g.out.Help())
	root.SetErr(g.out.Remarks())
	root.SetFlagErrorFunc(usage.WrongFlag)
	g.define(root.PersistentFlags())
	root.Flags().BoolVar(&askedVersion, "version", false, "print the version")
	root.AddGroup(
		&cobra.Group{ID: groupSubmit, Title: "Submit:"},
		&cobra.Group{ID: groupExplain, Title: "When it does not work:"},
		&cobra.Group{ID: groupSetUp, Title: "Set up:"},
		&cobra.Group{ID: groupTry, Title: "Try:"},
	)
	if only := verbNamed(args); only != nil {
		root.AddCommand(only.make(g))
		root.CompletionOptions.DisableDefaultCmd = true
		root.SetHelpCommand(&cobra.Command{Hidden: true})
		return root, g
	}
	for _, v := range verbs {
		root.AddCommand(v.make(g))
	}
	root.CompletionOptions.HiddenDefaultCmd = false
	return root, g
}

// define declares the flags that every verb has.
func (g *application) define(f *pflag.FlagSet) {
	f.StringVar(&g.envFile, "env-file", "", "read settings from `FILE` (KEY=VALUE lines)")
	f.StringVar(&g.profile, "profile", "", "read settings from `NAME`.env in the configuration directory")
	f.BoolVar(&g.json, "json", false, "print the result as JSON")
	f.BoolVarP(&g.out.Verbose, "verbose", "v", false, "print each step on standard error")
	f.BoolVar(&g.trace, "trace", false, "print the SMTP dialogue on standard error, without credentials and content")
	f.DurationVar(&g.timeout, "timeout", 2*time.Minute, "time limit for everything up to the final dot: a `DURATION` such as 90s or 5m")
}
