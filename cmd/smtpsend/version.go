package main

import (
	"fmt"
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"

	"github.com/smtpsend/smtpsend/internal/licences"
	"github.com/smtpsend/smtpsend/internal/usage"
	"github.com/smtpsend/smtpsend/internal/view"
)

// version is set at link time by a release; otherwise the build says what it
// knows.
var version string

func newVersion(g *application) *cobra.Command {
	var withNotices bool
	cmd := &cobra.Command{
		Use:     "version [--notices]",
		GroupID: groupTry,
		Short:   "Print the version, or the notices of the third parties whose code is in smtpsend",
		Args:    usage.NoArguments,
		RunE: func(*cobra.Command, []string) error {
			if withNotices {
				return runNotices(g)
			}
			return runVersion(g)
		},
	}
	cmd.Flags().BoolVar(&withNotices, "notices", false, "print the licences and notices of all code that is linked in")
	return cmd
}

func runVersion(g *application) error {
	v, revision := buildVersion()
	g.show(view.Version{Version: v, Revision: revision, Go: runtime.Version(), Platform: runtime.GOOS + "/" + runtime.GOARCH})
	return nil
}

func runNotices(g *application) error {
	text, err := licences.Text()
	if err != nil {
		return fmt.Errorf("reading the notices in this program: %w", err)
	}
	g.show(view.Notices{Notices: text})
	return nil
}

func buildVersion() (v, revision string) {
	v = version
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return v, ""
	}
	if v == "" {
		v = info.Main.Version
	}
	for _, s := range info.Settings {
		if s.Key == "vcs.revision" {
			revision = s.Value
		}
	}
	return v, revision
}
