package usage_test

import (
	"io"
	"testing"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/exit"
	"github.com/smtpsend/smtpsend/internal/exit/ending"
	"github.com/smtpsend/smtpsend/internal/usage"
)

// program has a verb with a flag of each kind, and one with verbs of its own.
func program() *cobra.Command {
	run := func(*cobra.Command, []string) error { return nil }
	root := &cobra.Command{Use: "smtpsend", Args: usage.NoArguments, RunE: run, SilenceErrors: true, SilenceUsage: true}
	root.SetFlagErrorFunc(usage.WrongFlag)
	send := &cobra.Command{Use: "send", Args: usage.NoArguments, RunE: run}
	send.Flags().String("attach", "", "")
	send.Flags().Int("attempts", 0, "")
	send.Flags().Duration("timeout", 0, "")
	send.Flags().Bool("embed", false, "")
	queue := &cobra.Command{Use: "queue", Args: usage.NoArguments, RunE: run}
	queue.AddCommand(&cobra.Command{Use: "hold", Args: usage.NoArguments, RunE: run})
	root.AddCommand(send, queue)
	root.SetOut(io.Discard)
	root.SetErr(io.Discard)
	return root
}

func TestWhatIsWrongWithACommandLine(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		args []string
		want string
	}{
		{[]string{"send", "-t"}, "-t means recipients from the header in sendmail and a recipient in others: use --to"},
		{[]string{"send", "--body", "x"}, "unknown flag: --body: use --text, --text-file or --html-file"},
		{[]string{"send", "--smtp-port", "25"}, "unknown flag: --smtp-port: set SMTPSEND_SMTP_PORT"},
		{[]string{"send", "--atach", "x"}, "unknown flag: --atach: did you mean --attach? See smtpsend send --help"},
		{[]string{"send", "--no-such-thing"}, "unknown flag: --no-such-thing; see smtpsend send --help"},
		{[]string{"send", "-q"}, "unknown shorthand flag: 'q' in -q; see smtpsend send --help"},
		{[]string{"send", "--attempts", "x"}, `--attempts "x": must be a whole number`},
		{[]string{"send", "--timeout", "90"}, `--timeout "90": must be a duration such as 90s or 5m`},
		{[]string{"send", "--embed=perhaps"}, `--embed "perhaps": must be true or false`},
		{[]string{"send", "--attach"}, "flag needs an argument: --attach; see smtpsend send --help"},
		{[]string{"send", "report.txt"}, `"smtpsend send" takes no argument, got "report.txt"`},
		{[]string{"queue", "hald"}, `no command "hald": did you mean hold? See smtpsend queue --help`},
		{[]string{"queue", "hald", "--all"}, `no command "hald": did you mean hold? See smtpsend queue --help`},
		{[]string{"queue", "whatever"}, `no command "whatever"; see smtpsend queue --help`},
	} {
		root := program()
		root.SetArgs(c.args)
		err := root.Execute()
		if err == nil || err.Error() != c.want || ending.Code(err) != exit.Usage {
			t.Errorf("%q: %v (%d), want %s", c.args, err, ending.Code(err), c.want)
		}
	}
	root := program()
	root.SetArgs([]string{"queue", "hold"})
	if err := root.Execute(); err != nil {
		t.Error(err)
	}
}
