package config

import (
	"maps"
	"slices"

	"github.com/smtpsend/smtpsend/internal/setting"
	"github.com/smtpsend/smtpsend/internal/setting/misspelt"
)

// checkNames warns of names that nothing reads, and refuses flags that cannot
// be: a secret on the command line is seen by every user of the machine.
func checkNames(from *sources, found *findings) {
	known := setting.Names()
	for _, layer := range from.layers {
		for _, name := range slices.Sorted(maps.Keys(layer.values)) {
			e := layer.values[name]
			s, isSetting := setting.Named(name)
			isNoFlag := !isSetting || s.Secret || s.Command
			switch {
			case layer.source == SourceFlag && isNoFlag:
				delete(layer.values, name)
				found.add(Problem{Variable: Prefix + name, Severity: SeverityError, Text: "cannot be given as a flag", Source: e.origin})
			case layer.source == SourceEnvFile && name == setting.EnvFile:
				found.add(Problem{Variable: Prefix + name, Severity: SeverityWarning, Text: "has no effect in an env file", Source: e.origin})
			case !slices.Contains(known, name):
				found.add(Problem{Variable: Prefix + name, Severity: SeverityWarning, Text: unknownText(name), Source: e.origin})
			}
		}
	}
}

func unknownText(name string) string {
	if near := misspelt.Nearest(name); near != "" {
		return "is not a setting: did you mean " + Prefix + near + "?"
	}
	return "is not a setting"
}

// foreignName warns of a name in the env file that is nearly one of ours.
func foreignName(found *findings, name string, origin Origin) {
	if near := misspelt.Foreign(name); near != "" {
		found.add(Problem{Variable: name, Severity: SeverityWarning, Text: "is not read: did you mean " + Prefix + near + "?", Source: origin})
	}
}
