package main

import (
	"runtime"
	"runtime/debug"

	"github.com/spf13/cobra"
)

// version is set at link time by a release; otherwise the build says what it
// knows.
var version string

func newVersion(g *globals) *cobra.Command {
	return &cobra.Command{
		Use:     "version",
		GroupID: groupTry,
		Short:   "Print the version",
		Args:    noArguments,
		RunE:    func(*cobra.Command, []string) error { return runVersion(g) },
	}
}

func runVersion(g *globals) error {
	v, revision := buildVersion()
	if g.json {
		g.printJSON(map[string]any{"version": v, "revision": revision, "go": runtime.Version(), "platform": runtime.GOOS + "/" + runtime.GOARCH})
		return nil
	}
	g.printf("smtpsend %s %s %s/%s\n", v, runtime.Version(), runtime.GOOS, runtime.GOARCH)
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
